"""A source that suddenly lists nearly nothing: believed, or taken for trouble of the source?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from naflora_etl.engine.contracts import read_contract
from naflora_etl.renewing.brake import Held, find_troubled, keep_before
from naflora_etl.renewing.confirmation import Confirmation

SCHEMA = read_contract("records").arrow_schema


def records(source: str, numbers: range, **facts: Any) -> list[dict[str, Any]]:
    return [
        {"image_key": f"{source}{n:019}", "source": source, "source_record_id": str(n), "taxon_id": "w-1"} | facts
        for n in numbers
    ]


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(SCHEMA.names) | row for row in rows], SCHEMA)


TEN = records("gbif", range(10))
OTHERS = records("idigbio", range(10))
HALF = Held("gbif", images=10, lost=5, asked=5, gone=0)
LEFT, BARE = {"taxon_id": "left the checklist"}, {"image_key": None, "issue": "NO_IMAGE"}
# before, after, of how many lost records it is said that they are gone, what is held
CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], int | None, list[Held]]] = {
    "nothing lost": (TEN, TEN, None, []),
    "a fifth, which is not more than a fifth": (TEN, TEN[:8], None, []),
    "half, and the records answer": (TEN, TEN[:5], 0, [HALF]),
    "half, and the records are gone": (TEN, TEN[:5], 5, []),
    "half, and most of the records are gone": (TEN, TEN[:5], 3, []),
    "half, and few of the records are gone": (TEN, TEN[:5], 2, [Held("gbif", 10, 5, 5, 2)]),
    "all, and the records answer": (TEN, [], 0, [Held("gbif", 10, 10, 10, 0)]),
    "one source of two": (TEN + OTHERS, TEN[:5] + OTHERS, 0, [HALF]),
    "the records have new numbers": (TEN, [row | {"source_record_id": f"9{row['source_record_id']}"} for row in TEN],
                                     None, []),
    "the records are listed without their images": (TEN, [row | BARE for row in TEN], None, []),
    "set aside by licence": (TEN, [row | {"issue": "LICENSE_NOT_ALLOWED"} for row in TEN], None, []),
    "half of the taxa left the checklist": (TEN + records("gbif", range(10, 20), **LEFT), TEN, None, []),
    "an archive has no keys to ask by": (records("archive", range(10)), [], None, []),
    "nothing was there": ([], TEN, None, []),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "gone", "held"), CASES.values(), ids=CASES)
def test_a_large_loss_is_believed_only_where_the_records_are_gone(
    before: list[dict[str, Any]], after: list[dict[str, Any]], gone: int | None, held: list[Held]
) -> None:
    def confirm(missing: Mapping[str, list[str]]) -> dict[str, Confirmation]:
        assert gone is not None, "nobody is asked for what may well be"
        rest = {source: len(ids) - gone for source, ids in missing.items()}
        return {
            source: Confirmation(len(ids), gone=gone, alive=[{"record": "1", "name": "Acer"}] * rest[source])
            for source, ids in missing.items()
        }

    assert find_troubled(table(before), table(after), ["w-1"], 0.2, confirm) == held


def test_a_source_that_answers_nothing_by_key_either_is_in_trouble() -> None:
    held = find_troubled(table(TEN), table([]), ["w-1"], 0.2, lambda missing: {"gbif": Confirmation(10, silent=10)})
    assert held == [Held("gbif", 10, 10, 10, 0)]


def test_all_that_the_source_sent_before_is_kept_and_what_the_others_sent_now() -> None:
    schema = read_contract("harvest").arrow_schema

    def harvest(**pages: str) -> pa.Table:
        rows = [{"source": source, "page_key": f"{source}:1/{page}", "taxon_id": "1"} for source, page in pages.items()]
        return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema)

    kept = keep_before(
        harvest(gbif="old", idigbio="old"), harvest(gbif="new", idigbio="new", published="new"), {"gbif"}
    )
    assert sorted(kept["page_key"].to_pylist()) == ["gbif:1/old", "idigbio:1/new", "published:1/new"]
