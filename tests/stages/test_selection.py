"""selection: which images are chosen, which are spares, and why others are set aside."""

from __future__ import annotations

import json
import tempfile
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import SelectionOptions, SplitOptions
from naflora_etl.stages.selection import select_images

Row = dict[str, str | None]


def image(number: int, taxon: str, host: str, specimen: str | None = None) -> Row:
    key = f"{number:020x}"
    return {
        "record_key": f"gbif:{number}/0",
        "image_key": key,
        "taxon_id": taxon,
        "specimen_key": specimen or f"specimen of {key}",
        "gathering_key": None,
        "host": host,
        "image_url": f"https://{host}/{key}.jpg",
    }


def records_of(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=read_contract("records").arrow_schema)


def select(rows: list[Row], **knobs: object) -> pa.Table:
    """Select, hold the result against its contract, its promise and its order, and return it."""
    minimum = SplitOptions(minimum=knobs.pop("minimum", 1))  # type: ignore[arg-type]
    options = SelectionOptions(**knobs)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Workspace(place), "selection")
        folder.begin()
        table = select_images(records_of(rows), options=options, split_options=minimum, folder=folder)
        with folder.open("servers.json") as stream:
            assert json.load(stream)["frontier"]
    contract = read_contract("selection")
    assert table.column_names == contract.arrow_schema.names
    assert check_table(conform(table, contract), contract) == []
    assert sorted(table["image_key"].to_pylist()) == sorted(row["image_key"] or "" for row in rows)
    set_aside = table.filter(pc.is_valid(table["issue"]))
    assert set_aside["role"].null_count == set_aside["rank"].null_count == len(set_aside)
    return table


def random_rows(seed: int, images: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    taxa = (rng.pareto(1.0, images) * 3).astype(int) % 25
    hosts = rng.integers(0, 6, images) * rng.integers(0, 2, images)
    return [
        image(n, f"{taxon}-az", f"h{host}.example.org", f"{taxon}/{rng.integers(0, images)}")
        for n, taxon, host in zip(range(images), taxa.tolist(), hosts.tolist(), strict=True)
    ]


def test_cap_then_spares_then_the_rest() -> None:
    table = select([image(n, "oak", "a.org") for n in range(10)], cap=4, spares=3)
    assert table["role"].to_pylist() == ["chosen"] * 4 + ["spare"] * 3 + [None] * 3
    assert table["rank"].to_pylist() == [1, 2, 3, 4, 5, 6, 7, None, None, None]
    assert table["issue"].to_pylist() == [None] * 7 + ["OVER_CAP"] * 3


def test_images_on_other_servers_are_set_aside() -> None:
    rows = [image(n, "oak", "large.org" if n < 6 else "small.org") for n in range(9)]
    table = select(rows, servers=1, threshold=3)
    on_small = table.filter(pc.equal(table["host"], "small.org"))
    assert on_small["issue"].to_pylist() == ["HOST_NOT_CHOSEN"] * 3
    assert table["issue"].null_count == 6


def test_an_excluded_server_is_not_asked_though_there_is_room() -> None:
    rows = [image(0, "oak", "a.org"), image(1, "oak", "b.org")]
    table = select(rows, exclude_hosts=("b.org",))
    assert table["issue"].to_pylist() == [None, "HOST_NOT_CHOSEN"]


def test_a_required_server_without_images_is_told() -> None:
    with pytest.raises(Fault, match=r'The required server "a.com" has no clean image; the nearest .* "a.org"'):
        select([image(0, "oak", "a.org")], require_hosts=("a.com",))


def test_views_of_one_sheet_wait_for_other_sheets() -> None:
    rows = [image(n, "oak", "a.org", "sheet" if n < 20 else None) for n in range(23)]
    table = select(rows, cap=4, spares=0)
    chosen = table.filter(pc.equal(table["role"], "chosen"))
    assert pc.count_distinct(chosen["specimen_key"]).as_py() == 4


def test_no_records_no_images() -> None:
    assert select([]).num_rows == 0


SPREAD = {
    # knob: records' own words, of 30 images; how many of each value are among the first six
    "institution": ([{"institutionCode": "NY"}] * 24 + [{"institutionCode": "MO"}] * 4 + [{}] * 2, [2, 2, 2]),
    "region": (
        [{"countryCode": "US", "stateProvince": "Maine"}] * 20 + [{"countryCode": "US"}] * 5
        + [{"countryCode": "CA"}] * 5,
        [2, 2, 2],
    ),
    "year": ([{"year": 1900}] * 28 + [{"year": 1901}] * 2, [4, 2]),
}


@pytest.mark.parametrize(("spread", "told"), SPREAD.items(), ids=SPREAD)
def test_values_to_spread_over_take_turns(spread: str, told: tuple[list[Row], list[int]]) -> None:
    facts, expected = told
    rows = [image(n, "oak", "a.org") | fact for n, fact in enumerate(facts)]
    chosen = chosen_of(select(rows, cap=6, spread=spread))
    values = Counter(str(sorted(fact.items())) for n, fact in enumerate(facts) if f"{n:020x}" in chosen)
    assert sorted(values.values(), reverse=True) == expected
    order = np.random.default_rng(1).permutation(len(rows))
    assert chosen_of(select([rows[i] for i in order], cap=6, spread=spread)) == chosen


@pytest.mark.parametrize("seed", range(4))
def test_random_records(seed: int) -> None:
    """Nothing is lost, the cap holds, ranks count from 1, the order of rows has no say."""
    rows = random_rows(seed, 1500)
    knobs = dict(seed=seed, servers=3, cap=20, spares=5)
    table = select(rows, **knobs)
    for taxon in pc.unique(table["taxon_id"]).to_pylist():
        clean = table.filter(pc.and_(pc.equal(table["taxon_id"], taxon), pc.is_null(table["issue"])))
        over = table.filter(pc.and_(pc.equal(table["taxon_id"], taxon), pc.equal(table["issue"], "OVER_CAP")))
        assert clean["rank"].to_pylist() == list(range(1, len(clean) + 1))
        assert clean["role"].to_pylist() == ["chosen"] * min(20, len(clean)) + ["spare"] * max(0, len(clean) - 20)
        assert len(clean) == 25 or len(over) == 0
    assert len(pc.unique(table.filter(pc.is_null(table["issue"]))["host"])) == 3
    order = np.random.default_rng(99).permutation(len(rows))
    assert select([rows[i] for i in order], **knobs).equals(table)


def long_tail(seed: int) -> list[Row]:
    """Return images as herbaria have them: most species below the cap, most images in species far above it."""
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, 2, 200)
    taxa = rng.choice(200, 16_000, p=weight / weight.sum())
    hosts = np.minimum(rng.pareto(1.0, len(taxa)) * 3, 8).astype(int)
    return [
        image(n, f"{taxon}-az", f"h{host}.example.org", f"sheet {n - n % 10 % 2}/{taxon}")
        for n, (taxon, host) in enumerate(zip(taxa.tolist(), hosts.tolist(), strict=True))
    ]


@pytest.mark.parametrize("servers", ["all", 3], ids=["all servers", "three servers, kept by require_hosts"])
@pytest.mark.parametrize("seed", range(2))
def test_a_later_harvest_hardly_changes_the_choice(servers: int | str, seed: int) -> None:
    """One image in a hundred is gone and three new ones have come: at most 2 % of what could stay is dropped.

    Where servers run neck and neck, another one may win a year later and its images with it; a recipe that is to stay
    stable names the servers it has.
    """
    rows = long_tail(seed)
    rng = np.random.default_rng(seed + 100)
    later = [row for row in rows if rng.random() > 0.01]
    for i, j in enumerate(rng.integers(0, len(rows), len(rows) * 3 // 100)):
        new = image(10**9 + i, rows[j]["taxon_id"] or "", rows[j]["host"] or "")
        later.append(new | {"specimen_key": rows[j]["specimen_key"]} if i % 10 == 0 else new)
    first = select(rows, servers=servers)
    kept = tuple(pc.unique(first.filter(pc.is_valid(first["role"]))["host"]).to_pylist())
    now, then = chosen_of(first), chosen_of(select(later, servers=servers, require_hosts=kept))
    could_stay = now & {row["image_key"] for row in later}
    assert len(now) < 0.6 * len(rows), "the cap must bite for this to mean anything"
    assert 0 < len(could_stay - then) <= 0.02 * len(could_stay)


def chosen_of(table: pa.Table) -> set[str | None]:
    return set(table.filter(pc.equal(table["role"], "chosen"))["image_key"].to_pylist())


def test_no_server_is_asked_for_a_species_that_cannot_reach_the_minimum() -> None:
    rows = [image(n, "few", "a") for n in range(4)] + [image(n, "enough", "a") for n in range(10, 15)]
    table = select(rows, minimum=5, cap=3, spares=2, servers="all").to_pylist()
    few = [row for row in table if row["taxon_id"] == "few"]
    assert {(row["issue"], row["role"], row["rank"]) for row in few} == {("TOO_FEW_IMAGES", None, None)}
    assert [row["issue"] for row in table if row["taxon_id"] == "enough"] == [None] * 5
