"""Which records are of one specimen: by number, by occurrenceID, by what tells a gathering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.engine.spool import Spool
from naflora_etl.engine.workspace import Workspace
from naflora_etl.sources.identities import IDENTITIES, find_identities, find_suspects, follow

ChangesOf = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def record(key: str, alias: str | None = None, **facts: str | None) -> dict[str, Any]:
    told = {"surname": "vink", "number": "16273", "eventDate": "1963-08-04", "countryCode": "US", "datasetKey": "gbif"}
    return {"specimen_key": key, "alias": alias, "catalogNumber": key, **told, **facts}


@pytest.fixture(scope="module")
def changes_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangesOf]:
    """Return what find_identities changes in rows, in their order."""
    with Spool(Workspace(str(tmp_path_factory.mktemp("identities")))) as spool:

        def find(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            found = find_identities(spool.query, pa.Table.from_pylist(rows, IDENTITIES))
            return sorted(found.to_pylist(), key=lambda change: int(change["position"]))

        yield find


OTHER = {"surname": "clark", "number": "7"}
THERE = {"datasetKey": "idigbio"}
# records -> which of them share a key, and the flags
CASES: dict[str, tuple[list[dict[str, Any]], str, list[str | None]]] = {
    "one number, one gathering": ([record("a"), record("a", **THERE)], "aa", [None, None]),
    "a number of two gatherings": (
        [record("a"), record("a", **OTHER)], "ab", ["NUMBER_REUSED", "NUMBER_REUSED"]
    ),
    "a number of two, each in both aggregators": (
        [record("a"), record("a", **OTHER), record("a", **THERE), record("a", **OTHER, **THERE)], "abab",
        ["NUMBER_REUSED"] * 4,
    ),
    "one fact written otherwise": ([record("a"), record("a", surname="vinck")], "aa", [None, None]),
    "a date told less exactly, and no number": (
        [record("a", number=None), record("a", surname="vinck", number=None, eventDate="1963", countryCode=None)], "aa",
        [None, None],
    ),
    "a date told less exactly": ([record("a"), record("a", surname="vinck", eventDate="1963-08")], "aa", [None, None]),
    "another collector, and no more told": (
        [record("a"), record("a", surname="clark", number=None, eventDate=None)], "ab", ["NUMBER_REUSED"] * 2
    ),
    "nothing told": (
        [record("a"), record("a", surname=None, number=None, eventDate=None, countryCode=None)], "aa", [None, None]
    ),
    "another number under one occurrenceID": (
        [record("a", "x"), record("b", "x", **THERE)], "aa", [None, "JOINED_BY_ID"]
    ),
    "no number in one aggregator": (
        [record("a", "x"), record("b", "x", catalogNumber=None, **THERE)], "aa", [None, "JOINED_BY_ID"]
    ),
    "an occurrenceID pointed at another specimen": (
        [record("a", "x"), record("b", "x", **OTHER, **THERE)], "ab", ["ID_REUSED", "ID_REUSED"]
    ),
    "one occurrenceID for two numbers of one dataset": ([record("a", "x"), record("b", "x")], "ab", [None, None]),
    "two numbers of one dataset, and another dataset with one of them": (
        [record("a", "x"), record("b", "x"), record("b", "x", **THERE)], "abb", [None] * 3
    ),
    "and with the other": ([record("a", "x"), record("a", "x", **THERE), record("b", "x")], "aab", [None] * 3),
    "a number whose records do not all agree with the occurrenceID's": (
        [record("a", "x"), record("b", "x", number="7", **THERE), record("b", "x", countryCode="MX", number="7")],
        "abb", ["ID_REUSED"] * 3,
    ),
    "a number of three, of which two are told apart by day and country alone": (
        [record("a"), record("a", **OTHER), record("a", **OTHER, eventDate="1990-05-06", countryCode="MX")], "abc",
        ["NUMBER_REUSED"] * 3,
    ),
    "one number leads to a second, that to a third": (
        [record("a", "x"), record("b", "x", number=None, **THERE), record("b", "y", **THERE),
         record("c", "y", number=None)],
        "aaaa", [None] + ["JOINED_BY_ID"] * 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "shape", "flags"), CASES.values(), ids=CASES)
def test_records_of_one_specimen(
    rows: list[dict[str, Any]], shape: str, flags: list[str | None], changes_of: ChangesOf
) -> None:
    found = changes_of([row | {"bucket": 0, "position": at} for at, row in enumerate(rows)])
    changes = {change["position"]: change for change in found}
    keys = [(changes.get(at) or {}).get("specimen_key") or row["specimen_key"] for at, row in enumerate(rows)]
    assert ["abc"[sorted(set(keys), key=keys.index).index(key)] for key in keys] == list(shape)
    told = [(changes.get(at) or {}).get("flag") for at in range(len(rows))]
    assert told == flags


def test_those_that_may_change_are_told_by_hashes(changes_of: ChangesOf) -> None:
    """What is found among all records is found among the few that find_suspects lets through."""
    random = Random("suspects")
    facts = {"surname": ["vink", "clark"], "number": ["1", "2", None], "eventDate": ["1963-08-04", "1963", None]}
    datasets, aliases = ["gbif", "idigbio"], ["x", "y", "z", None]
    changed = 0
    for _ in range(20):
        rows = [
            record(
                random.choice("abcdef"),
                random.choice(aliases),
                datasetKey=random.choice(datasets),
                **{name: random.choice(values) for name, values in facts.items()},
            )
            for _ in range(random.randint(1, 20))
        ]
        rows = [row | {"bucket": 0, "position": at} for at, row in enumerate(rows)]
        gathered = ["|".join(str(row[name]) for name in (*facts, "countryCode")) for row in rows]
        told = [row["specimen_key"] for row in rows], gathered, [row["alias"] for row in rows]
        hashes = [np.array([hash_of(text) for text in texts], np.uint64) for texts in told]
        suspected = [row for row, is_one in zip(rows, find_suspects(*hashes), strict=True) if is_one]
        found, found_in_few = changes_of(rows), changes_of(suspected)
        assert found == found_in_few
        changed += len(found)
    assert changed > 100


def test_one_number_on_everything_makes_as_many_specimens_as_there_are(changes_of: ChangesOf) -> None:
    """1,500 sheets with the number 0 and no collector, each of another day and country, in both aggregators."""
    facts = [{"surname": None, "number": None, "eventDate": f"{1000 + at}-01-01", "countryCode": f"{at}"}
             for at in range(1500)]  # fmt: skip
    rows = [record("0", **told) for told in facts] + [record("0", **told, **THERE) for told in facts]
    changes = changes_of([row | {"bucket": 0, "position": at} for at, row in enumerate(rows)])
    keys = {change["position"]: change["specimen_key"] for change in changes}
    assert len(set(keys.values())) == 1500 and {change["flag"] for change in changes} == {"NUMBER_REUSED"}
    assert all(keys[at] == keys[at + 1500] for at in range(1500))


def test_a_long_way_from_key_to_key_leads_to_its_end() -> None:
    ends = 3000
    ways = [(f"{at:04}", f"{at + 1:04}") for at in range(ends)] + [("b", "a"), ("c", "b"), ("a", "c")]
    random = Random("ways")
    random.shuffle(ways)
    unions = pa.table(dict(zip(("specimen_key", "anchor_key"), zip(*ways, strict=True), strict=True)))
    led = dict(zip(*(column.to_pylist() for column in follow(unions).columns), strict=True))
    assert led == {f"{at:04}": f"{ends}" for at in range(ends)} | {"b": "a", "c": "a"}


def test_of_no_records_none_is_suspect() -> None:
    assert not len(find_suspects(*[np.zeros(0, np.uint64)] * 3))


def hash_of(text: str | None) -> int:
    return 0 if text is None else int.from_bytes(sha256(text.encode()).digest()[:8], "big")
