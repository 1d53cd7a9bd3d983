"""Bounds and proofs: branch and bound against every set there is, on instances made to mislead."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from naflora_etl.selecting import enumerate as enumeration
from naflora_etl.selecting import frontier, inner_sets
from naflora_etl.selecting.coverage import Coverage
from naflora_etl.selecting.cuts import CoverRows
from naflora_etl.selecting.enumerate import best_of_all
from naflora_etl.selecting.frontier import Effort, Frontier, find_frontier
from naflora_etl.selecting.relaxation import Ceiling

Matrix = NDArray[np.int64]
Hosts = frozenset[int]


def coverage_of(matrix: Matrix, threshold: int, costs: Matrix | None = None) -> Coverage:
    hosts = matrix.shape[1]
    reachable = matrix[matrix.sum(axis=1) >= threshold].astype(np.int32)
    names = tuple(f"h{i:02d}" for i in range(hosts))
    return Coverage(
        names, reachable, threshold, 2 * threshold, np.zeros(hosts, dtype=np.int64) if costs is None else costs
    )


def scattered(rng: Generator, species: int, hosts: int, threshold: int) -> Matrix:
    return rng.integers(0, threshold + 2, (species, hosts)) * (rng.random((species, hosts)) < rng.choice([0.2, 0.5]))


def long_tailed(rng: Generator, species: int, hosts: int, threshold: int) -> Matrix:
    return rng.poisson(threshold / 3 * rng.lognormal(0, 1.5, (species, 1)) / np.arange(1, hosts + 1)[None, :])


def in_teams(together: int) -> Callable[[Generator, int, int, int], Matrix]:
    """Hosts in twos or threes that cover a species only together, and single images to mislead."""

    def make(rng: Generator, species: int, hosts: int, threshold: int) -> Matrix:
        matrix = np.zeros((species, hosts), dtype=np.int64)
        order = rng.permutation(hosts)
        for row in range(species):
            team = order[together * int(rng.integers(hosts // together)) :][:together]
            matrix[row, team] += 1 + rng.multinomial(threshold - together, [1 / together] * together)
            if rng.random() < 0.3:
                matrix[row, rng.integers(hosts)] += rng.integers(1, threshold)
        return matrix

    return make


def equal(rng: Generator, species: int, hosts: int, threshold: int) -> Matrix:
    """Counts that are all the same: three of them are needed, or four, and no bound from sums sees it."""
    return (rng.random((species, hosts)) < 0.4) * -(-threshold // 3)


MAKERS = {
    "scattered": scattered, "long-tailed": long_tailed, "pairs": in_teams(2), "threes": in_teams(3), "equal": equal,
}  # fmt: skip


@pytest.fixture
def only_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be settled by weighing every set."""
    monkeypatch.setattr(frontier, "AT_MOST", 0)


def best_by_trying(coverage: Coverage, fixed: Hosts, size: int) -> Hosts:
    sets = map(frozenset, itertools.combinations(range(len(coverage.hosts)), size))
    return max((hosts for hosts in sets if fixed <= hosts), key=coverage.score_of)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("threshold", [3, 10, 200])
def test_every_set_is_weighed(
    make: Callable[..., Matrix], threshold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of each size, ties by images, cost and names included, is what trying one set after another finds."""
    monkeypatch.setattr(enumeration, "INNER", 3)
    monkeypatch.setattr(enumeration, "AT_ONCE", 2)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        costs = rng.choice([0, 500], 7) if seed % 2 else None
        coverage = coverage_of(make(rng, 12, 7, threshold), threshold, costs)
        fixed = frozenset({int(rng.integers(7))}) if seed > 1 else frozenset()
        found = best_of_all(coverage, fixed, range(8))
        assert found == {size: best_by_trying(coverage, fixed, size) for size in range(max(1, len(fixed)), 8)}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("dense", [0, 3, 10**6], ids="dense from {} terms".format)
def test_every_set_of_the_inner_hosts_is_counted(
    make: Callable[..., Matrix], dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By terms, or set by set where terms are many, and in blocks: as plain sums count it."""
    monkeypatch.setattr(inner_sets, "DENSE", dense)
    monkeypatch.setattr(inner_sets, "TERMS_AT_ONCE", 5)
    monkeypatch.setattr(inner_sets, "STEPS_AT_ONCE", 3)
    for threshold in (3, 7, 40):
        rng = np.random.default_rng(threshold)
        patterns = np.minimum(make(rng, 15, 6, threshold), threshold)
        needs = rng.integers(0, threshold + 1, (15, 4))
        table = inner_sets.weigh_inner_sets(patterns, threshold)
        step = table.step_of[np.arange(15)[:, None], needs]
        species = np.stack([np.bincount(column, minlength=table.steps) for column in step.T], axis=1)
        sums = np.array([patterns[:, [h for h in range(6) if bits >> h & 1]].sum(axis=1) for bits in range(64)])
        assert (table.covered(species) == (sums[:, :, None] >= needs).sum(axis=1)).all()


def test_of_ties_beyond_number_the_species_are_right_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumeration, "TIE_CELLS", 0)
    coverage = coverage_of(np.full((3, 14), 5), 10)
    found = best_of_all(coverage, frozenset({13}), range(15))
    assert {size: coverage.species_of(coverage.total_of(hosts)) for size, hosts in found.items()} == {
        1: 0, **dict.fromkeys(range(2, 15), 3)
    }  # fmt: skip
    assert all(13 in hosts and len(hosts) == size for size, hosts in found.items())


def test_every_set_is_weighed_in_time_or_not_at_all() -> None:
    coverage = coverage_of(scattered(np.random.default_rng(1), 30, 24, 10), 10)
    assert best_of_all(coverage, frozenset(), range(25), until=0.0) == {}


@pytest.mark.usefixtures("only_trees")
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("threshold", [3, 10, 40])
def test_branch_and_bound_proves_the_best_of_every_size(make: Callable[..., Matrix], threshold: int) -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        coverage = coverage_of(make(rng, 40, 9, threshold), threshold)
        fixed = frozenset({4}) if seed else frozenset()
        found = find_frontier(coverage, fixed, 9, None, lambda _: [], Effort())
        truth = best_of_all(coverage, fixed, range(10))
        for size, hosts in found.sets.items():
            species = coverage.species_of(coverage.total_of(truth[size]))
            assert coverage.species_of(coverage.total_of(hosts)) == found.bounds[size] == species
            assert len(hosts) == size and fixed <= hosts


@pytest.mark.usefixtures("only_trees")
def test_a_threshold_too_fine_for_the_rows_is_bounded_all_the_same() -> None:
    coverage = coverage_of(scattered(np.random.default_rng(3), 20, 7, 1000), 1000)
    check_bounds(coverage, find_frontier(coverage, frozenset(), 7, None, lambda _: [], Effort()))


@pytest.mark.usefixtures("only_trees")
def test_nothing_to_cover_is_proven_at_once() -> None:
    coverage = coverage_of(np.ones((5, 4), dtype=np.int64), 99)
    found = find_frontier(coverage, frozenset(), 4, None, lambda _: [], Effort())
    assert found.bounds[1:].tolist() == [0, 0, 0, 0] and sorted(found.sets) == [1, 2, 3, 4]


def check_bounds(coverage: Coverage, found: Frontier) -> None:
    for size, hosts in best_of_all(coverage, frozenset(), range(len(coverage.hosts) + 1)).items():
        best = coverage.species_of(coverage.total_of(hosts))
        assert coverage.species_of(coverage.total_of(found.sets[size])) <= best <= found.bounds[size]


@pytest.mark.usefixtures("only_trees")
@pytest.mark.parametrize("effort", [Effort(nodes=0, others=0), Effort(seconds=0), Effort(nodes=2, others=2)], ids=str)
def test_a_bound_is_right_wherever_the_effort_ends(effort: Effort) -> None:
    for make in MAKERS.values():
        coverage = coverage_of(make(np.random.default_rng(1), 40, 9, 10), 10)
        check_bounds(coverage, find_frontier(coverage, frozenset(), 9, None, lambda _: [3], effort))


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_thirty_hosts_are_proven_at_every_size(make: Callable[..., Matrix]) -> None:
    coverage = coverage_of(make(np.random.default_rng(5), 150, 30, 10), 10)
    found = find_frontier(coverage, frozenset(), 30, None, lambda _: [], Effort(seconds=600))
    for size, hosts in found.sets.items():
        assert coverage.species_of(coverage.total_of(hosts)) == found.bounds[size]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("threshold", [1, 2, 10, 60])
def test_rows_hold_for_every_set_and_are_exact_where_made(make: Callable[..., Matrix], threshold: int) -> None:
    rng = np.random.default_rng(threshold)
    coverage = coverage_of(make(rng, 30, 6, max(3, threshold)), threshold)
    rows = CoverRows(coverage)
    sets = np.array(list(itertools.product((0.0, 1.0), repeat=6)))
    covered = np.array([
        np.bincount(rows.group, coverage.total_of(np.flatnonzero(x)) >= threshold, minlength=24) for x in sets
    ])
    for point in [*rng.random((5, 6)), *np.round(rng.random((5, 6)) * 2) / 2, *sets[::9]]:
        slope, constant, value = rows.rows_at(point)
        assert (covered <= constant + sets @ slope.T + 1e-9).all()
        assert value == pytest.approx(float((constant + slope @ point).sum()), abs=1e-9)
    for x, right in zip(sets, covered, strict=True):
        slope, constant, _ = rows.rows_at(x)
        assert constant + slope @ x == pytest.approx(right)


def test_a_ceiling_fixes_only_what_no_better_set_needs() -> None:
    rng = np.random.default_rng(2)
    sets = [np.array(x) for x in itertools.product((0.0, 1.0), repeat=6)]
    for _ in range(200):
        ceiling = Ceiling(float(rng.integers(0, 5)), rng.integers(-3, 12, 6).astype(float))
        size, beyond = int(rng.integers(1, 6)), int(rng.integers(0, 40))
        low, high = np.zeros(6), np.ones(6)
        low[rng.integers(6)], high[rng.integers(6)] = 1, 1
        inside = [x for x in sets if x.sum() <= size and (low <= x).all() and (x <= high).all()]
        values = [ceiling.constant + ceiling.slope @ x for x in inside]
        assert max(values) == ceiling.most(size, low, high)
        new_low, new_high = ceiling.fix(size, low, high, beyond)
        for x, value in zip(inside, values, strict=True):
            # sets that fill the size lose nothing: a further host never covers fewer
            if value > beyond and x.sum() == size:
                assert (new_low <= x).all() and (x <= new_high).all()
