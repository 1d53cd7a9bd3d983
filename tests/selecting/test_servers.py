"""Which servers are chosen: named cases, and small instances against the best of all sets."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault
from naflora_etl.selecting import servers as under_test
from naflora_etl.selecting.counts import sound_counts
from naflora_etl.selecting.coverage import count_coverage
from naflora_etl.selecting.servers import ServerChoice, Wish, find_knee

Matrix = NDArray[np.int64]


def choose_servers(counts: pa.Table, servers: int | None = 15, **wish: Any) -> ServerChoice:
    return under_test.choose_servers(counts, Wish(servers="all" if servers is None else servers, **wish))


def counts_of(cells: dict[str, dict[str, int]]) -> pa.Table:
    """Return the long table of {host: {species: n}}."""
    rows = [(species, host, n) for host, of in cells.items() for species, n in of.items()]
    return pa.table({
        "taxon_id": pa.array([row[0] for row in rows], pa.string()),
        "host": pa.array([row[1] for row in rows], pa.string()),
        "n": pa.array([row[2] for row in rows], pa.int64()),
    })


def counts_of_matrix(matrix: Matrix) -> pa.Table:
    species, hosts = np.nonzero(matrix)
    return pa.table({
        "taxon_id": pa.array([f"s{i:03d}" for i in species], pa.string()),
        "host": pa.array([f"h{i:02d}" for i in hosts], pa.string()),
        "n": pa.array(matrix[species, hosts], pa.int64()),
    })


PAIR = {
    "left": {"a": 5, "b": 5, "c": 5},
    "right": {"a": 5, "b": 5, "c": 5},
    "big": {"d": 10},
    "small": {"e": 10},
}
CASES = {
    "the host that covers most": ({"x": {"a": 10}, "y": {"a": 9, "b": 10, "c": 10}}, 1, ["y"], 2),
    "a species needs the threshold": ({"x": {"a": 10}, "y": {"a": 9}}, 1, ["x"], 1),
    "two hosts add up": ({"x": {"a": 6}, "y": {"a": 4}, "z": {"a": 3}}, 2, ["x", "y"], 1),
    "useless alone, best together": (PAIR, 2, ["left", "right"], 3),
    "the pair and one more": (PAIR, 3, ["big", "left", "right"], 4),
    "tie: more images": ({"x": {"a": 10}, "y": {"a": 12}}, 1, ["y"], 1),
    "tie: images above the cap do not count": ({"x": {"a": 90}, "y": {"a": 20}}, 1, ["x"], 1),
    "tie: the first name": ({"y": {"a": 10}, "x": {"b": 10}}, 1, ["x"], 1),
    "nothing can be covered: the first name": ({"a": {"a": 1}, "x": {"a": 7}}, 1, ["a"], 0),
    "more servers than hosts: those that bring something": ({"x": {"a": 10}, "y": {"b": 1}}, 9, ["x"], 1),
    "more servers than hosts, and each brings something": ({"x": {"a": 10}, "y": {"a": 1}}, 9, ["x", "y"], 1),
    "none said: all": (PAIR, None, ["big", "left", "right", "small"], 5),
    "a host whose counts are all zero is none": ({"x": {"a": 10}, "y": {"a": 0}}, 2, ["x"], 1),
    "nothing to choose from": ({}, 15, [], 0),
}


@pytest.mark.parametrize(("cells", "servers", "hosts", "species"), CASES.values(), ids=CASES)
def test_named_cases(
    cells: dict[str, dict[str, int]], servers: int | None, hosts: list[str], species: int
) -> None:
    choice = choose_servers(counts_of(cells), servers=servers, threshold=10, cap=20)
    assert (list(choice.hosts), choice.chosen.covered_species) == (hosts, species)


def test_required_hosts_stay_and_excluded_ones_go() -> None:
    cells = {**PAIR, "poor": {"a": 1}}
    choice = choose_servers(counts_of(cells), servers=2, threshold=10, require=["poor"], exclude=["big", "unheard.of"])
    assert choice.hosts == ("poor", "small")
    assert choice.reachable_species == 4


FAULTS = {
    "required but nowhere": (
        dict(servers=2, require=["lefty"]),
        'The required server "lefty" has no clean image; the nearest name that has is "left".',
    ),
    "required and excluded": (
        dict(servers=2, require=["big"], exclude=["big"]),
        'The server "big" is both required and excluded; take it out of one of the two lists.',
    ),
    "required but nowhere, and nothing is like it": (
        dict(servers=2, require=["zzz.org"]),
        'The required server "zzz.org" has no clean image; nor has any server with a name like it.',
    ),
    "more species to give up than there are": (
        dict(servers=2, prefer=["left"], within=5.0),
        "Of the species 5 cannot be given up; it is a share, from 0 to 1.",
    ),
    "no number to give up": (
        dict(servers=2, prefer=["left"], within=float("nan")),
        "Of the species nan cannot be given up; it is a share, from 0 to 1.",
    ),
    "more required than allowed": (
        dict(servers=1, require=["big", "left"]),
        "2 servers are required, but at most 1 may be chosen; allow more.",
    ),
}


@pytest.mark.parametrize(("demand", "sentence"), FAULTS.values(), ids=FAULTS)
def test_impossible_demands_are_told(demand: dict[str, object], sentence: str) -> None:
    with pytest.raises(Fault) as told:
        choose_servers(counts_of(PAIR), threshold=10, **demand)  # type: ignore[arg-type]
    assert str(told.value) == sentence


BAD_COUNTS = {
    "negative": ([("a", "x", -1)], 'line 1 (species "a", host "x"): the row has n = -1; a number of images is not neg'),
    "no number": ([("a", "x", 1), ("b", "x", None)], 'line 2 (species "b", host "x"): the row has no n; give the numb'),
    "no species": ([(None, "x", 1)], 'line 1 (host "x"): the row has no species; name it, or remove the row.'),
    "images without a host": ([("a", None, 7)], 'line 1 (species "a"): the row has 7 images and no host'),
    "more than can be": ([("a", "x", 2**31)], "more images than a server can have."),
    "twice": ([("a", "x", 1), ("a", "x", 2)], 'The counts hold species "a" on x 2 times; add those rows up first.'),
    "twice, one of them empty": ([("a", "x", 1), ("a", "x", 0)], 'The counts hold species "a" on x 2 times'),
}


@pytest.mark.parametrize(("rows", "sentence"), BAD_COUNTS.values(), ids=BAD_COUNTS)
def test_senseless_counts_are_told(rows: list[tuple[str, str, int]], sentence: str) -> None:
    columns = zip(*rows, strict=True)
    table = pa.table(dict(zip(("taxon_id", "host", "n"), map(pa.array, columns), strict=True)))
    with pytest.raises(Fault) as told:
        choose_servers(table.cast(counts_of({}).schema), servers=1, threshold=10)
    assert sentence in str(told.value)


def test_counts_without_a_column_or_with_fractions_are_told() -> None:
    with pytest.raises(Fault, match=r"no column n; found: taxon_id, host\. They need species \(or tax"):
        choose_servers(counts_of(PAIR).drop_columns(["n"]), servers=1, threshold=10)
    broken = counts_of(PAIR).set_column(2, "n", pa.array([0.5] * 8))
    with pytest.raises(Fault, match=r"n = 0\.5; a number of images is whole\. 8 rows are like it"):
        choose_servers(broken, servers=1, threshold=10)


REMARKS: dict[str, tuple[dict[str, dict[str, int]], dict[str, Any], str]] = {
    "a species with no host": ({"x": {"a": 10, "b": 0}, "y": {"c": 10}}, {}, "1 species has no image on any server"),
    "one host only": ({"x": {"a": 10}}, {}, "There is one server only, x; there is nothing to choose."),
    "more servers than there are": (PAIR, dict(servers=9), "9 servers were asked for, but only 4 have images"),
    "no images": ({}, {}, "The counts hold no image at all; no server can be chosen."),
    "no species reaches the threshold": (PAIR, dict(threshold=99), "No species has 99 images even on all servers"),
}


@pytest.mark.parametrize(("cells", "wish", "sentence"), REMARKS.values(), ids=REMARKS)
def test_odd_counts_are_remarked_on(cells: dict[str, dict[str, int]], wish: dict[str, Any], sentence: str) -> None:
    assert any(sentence in remark for remark in choose_servers(counts_of(cells), **wish).remarks)


def test_a_row_without_host_and_images_is_a_species_that_nobody_has() -> None:
    table = pa.table({"species": ["a", "b"], "host": ["x", None], "n": [10, None]})
    assert '("b")' in choose_servers(table).remarks[0]


def scattered(rng: Generator) -> Matrix:
    shape = rng.integers(3, 30), rng.integers(2, 9)
    return rng.integers(0, 12, shape) * (rng.random(shape) < rng.choice([0.2, 0.4, 0.7]))


def complementary(rng: Generator, together: int) -> Matrix:
    """Hosts in twos or threes which cover a species only together, and single images to mislead."""
    species, teams = int(rng.integers(8, 30)), 6 // together
    matrix = np.zeros((species, 7), dtype=np.int64)
    hosts = rng.permutation(7)
    for row in range(species):
        team = hosts[together * int(rng.integers(teams)) :][:together]
        matrix[row, team] += 1 + rng.multinomial(10 - together, [1 / together] * together)
        if rng.random() < 0.3:
            matrix[row, rng.integers(7)] += rng.integers(1, 12)
    return matrix


def test_a_server_that_brings_nothing_is_not_asked() -> None:
    matrix = np.array([[20, 0, 9], [0, 20, 0]])  # what the third has, nobody lacks
    choice = choose_servers(counts_of_matrix(matrix), servers=2, threshold=10, cap=15)
    assert choice.hosts == ("h00", "h01")
    alone = choose_servers(counts_of_matrix(matrix[:1]), servers=2, threshold=10, cap=15)
    assert (alone.hosts, alone.chosen.covered_species, alone.chosen.capped_images) == (("h00",), 1, 15)


def test_each_step_of_the_history_is_what_its_hosts_cover() -> None:
    matrix = complementary(np.random.default_rng(5), 2)
    choice = choose_servers(counts_of_matrix(matrix), servers=6, threshold=10, cap=15)
    assert [len(step.hosts) for step in choice.frontier] == [1, 2, 3, 4, 5, 6]
    assert choice.frontier[-1].hosts == choice.hosts
    for step in choice.frontier:
        total = matrix[:, [int(host[1:]) for host in step.hosts]].sum(axis=1)
        assert step.covered_species == np.sum(total >= 10)
        assert step.capped_images == np.minimum(total[total >= 10], 15).sum()


def test_the_order_of_the_rows_has_no_say() -> None:
    rng = np.random.default_rng(3)
    for seed in range(20):
        counts = counts_of_matrix(complementary(np.random.default_rng(seed), 2))
        shuffled = counts.take(pa.array(rng.permutation(len(counts))))
        one, other = (choose_servers(table, servers=3, threshold=10) for table in (counts, shuffled))
        assert one.as_dict() | {"seconds": 0} == other.as_dict() | {"seconds": 0}


@pytest.mark.parametrize("threshold", [1, 2, 10, 40])
def test_gains_of_single_hosts_and_pairs_are_counted_exactly(threshold: int) -> None:
    rng = np.random.default_rng(threshold)
    counts = sound_counts(counts_of_matrix(rng.integers(0, 25, (60, 9)))).table
    coverage = count_coverage(counts, threshold=threshold, cap=100)
    total = coverage.total_of({1, 4})
    each, pairs = coverage.species_with_each(total), coverage.species_with_each_pair(total)
    for a, b in itertools.permutations(range(9), 2):
        assert pairs[a, b] == coverage.species_of(total + coverage.images[:, a] + coverage.images[:, b])
        assert each[a] == coverage.species_of(total + coverage.images[:, a])
    without = coverage.species_without_each(total)
    assert [without[h] for h in (1, 4)] == [coverage.species_of(total - coverage.images[:, h]) for h in (1, 4)]


def test_the_word_optimal_needs_a_proof() -> None:
    assert choose_servers(counts_of(PAIR), servers=2, threshold=10).explanation == (
        "2 of 4 servers cover 3 of 5 reachable species with 30 images: optimal, proven by enumeration: no set of 2 "
        "covers more."
    )
    assert choose_servers(counts_of(PAIR), servers=15, threshold=10).explanation == (
        "All 4 servers cover 5 of 5 reachable species with 50 images."
    )


TIES: dict[str, tuple[dict[str, dict[str, int]], dict[str, Any], list[str]]] = {
    "a slow server is left out": ({"a": {"s": 10}, "b": {"s": 10}}, dict(costs={"a": 2.0}), ["b"]),
    "images outrank the cost": ({"a": {"s": 11}, "b": {"s": 10}}, dict(costs={"a": 2.0}), ["a"]),
    "a dear default and a cheap server": ({"a": {"s": 10}, "b": {"s": 10}}, dict(costs={"b": 0.5}), ["b"]),
    "required, whatever it costs": ({"a": {"s": 10}, "b": {"s": 10}}, dict(costs={"a": 9}, require=("a",)), ["a"]),
    "costs of hosts that are not there": ({"b": {"s": 10}, "a": {"s": 10}}, dict(costs={"z": 9}), ["a"]),
}


@pytest.mark.parametrize(("cells", "wish", "hosts"), TIES.values(), ids=TIES)
def test_ties_are_settled_by_images_then_cost_then_names(
    cells: dict[str, dict[str, int]], wish: dict[str, Any], hosts: list[str]
) -> None:
    assert list(choose_servers(counts_of(cells), servers=1, **wish).hosts) == hosts


COVERAGES = {"60 % of five: three": (0.6, 2), "more than that": (0.61, 3), "all": (1.0, 4), "hardly any": (0.1, 1)}


@pytest.mark.parametrize(("share", "servers"), COVERAGES.values(), ids=COVERAGES)
def test_a_coverage_asks_for_the_fewest(share: float, servers: int) -> None:
    choice = choose_servers(counts_of(PAIR), coverage=share)
    assert len(choice.hosts) == servers
    assert "fewer servers cannot cover them, which is proven" in choice.explanation


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, 97.5])
def test_an_impossible_coverage_is_told(share: float) -> None:
    with pytest.raises(Fault, match="cannot be had: it is a share of species") as told:
        choose_servers(counts_of(PAIR), coverage=share)
    assert ("did you mean 0.975?" in str(told.value)) == (share == 97.5)
    with pytest.raises(Fault, match="No species has 99 images on all servers together"):
        choose_servers(counts_of(PAIR), coverage=0.5, threshold=99)


KNEES = {
    "a sharp bend": ([(1, 10), (2, 90), (3, 95), (4, 100)], 1),
    "a straight line: the first": ([(1, 10), (2, 20), (3, 30)], 0),
    "what comes after the last gain has no say": ([(1, 10), (2, 90), (3, 100), (4, 100), (5, 100)], 1),
    "nothing covered": ([(1, 0), (2, 0)], 0),
}


@pytest.mark.parametrize(("points", "place"), KNEES.values(), ids=KNEES)
def test_the_knee(points: list[tuple[int, int]], place: int) -> None:
    assert find_knee(points) == place


def test_earlier_servers_stay_while_that_costs_little() -> None:
    cells = {"a": {f"s{i}": 10 for i in range(100)}, "b": {f"s{i}": 10 for i in range(99)}, "c": {"s0": 10}}
    assert choose_servers(counts_of(cells), servers=1).hosts == ("a",)
    kept = choose_servers(counts_of(cells), servers=1, prefer=("b",), within=0.01)
    assert kept.hosts == ("b",) and not kept.chosen.is_proven
    assert "Earlier servers were kept: 1 of 1; the best set found covers 100." in kept.explanation
    assert choose_servers(counts_of(cells), servers=1, prefer=("b",), within=0.009).hosts == ("a",)
    assert choose_servers(counts_of(cells), servers=1, prefer=("gone",)).hosts == ("a",)
    # of two earlier servers the one that is of no use any more goes, the other stays
    assert choose_servers(counts_of(cells), servers=2, prefer=("b", "c"), within=0.0).hosts == ("a", "b")
