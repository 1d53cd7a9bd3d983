"""What counts as a change of an image, and what does not."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from naflora_etl.engine.contracts import read_contract
from naflora_etl.renewing.change import KINDS, compare_records

SCHEMA = read_contract("records").arrow_schema
IMAGE = {
    "image_key": "a" * 20, "record_key": "gbif:1/0", "source": "gbif", "source_record_id": "1", "taxon_id": "w-1",
    "specimen_key": "NY:1", "recordNumber": "12", "license": "CC0-1.0", "image_url": "http://127.0.0.2/1.jpg",
    "page_key": "gbif:w-1/records/0000",
}  # fmt: skip


def records(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(SCHEMA.names) | row for row in rows], SCHEMA)


CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]] = {
    "the same": ([IMAGE], [IMAGE], None),
    "the same record under a new number, on another page": (
        [IMAGE], [IMAGE | {"record_key": "gbif:9/0", "source_record_id": "9", "page_key": "gbif:w-1/01"}], None),
    "the same image from the other aggregator": ([IMAGE], [IMAGE | {"source": "idigbio", "record_key": "i:1/0"}], None),
    "another image": ([], [IMAGE], "added"),
    "an image that may be used now": ([IMAGE | {"issue": "LICENSE_UNKNOWN"}], [IMAGE], "added"),
    "another number of its collector": ([IMAGE], [IMAGE | {"recordNumber": "12b"}], "changed"),
    "a number that stands for another specimen now": ([IMAGE], [IMAGE | {"specimen_key": "NY:2"}], "changed"),
    "another taxon": ([IMAGE], [IMAGE | {"taxon_id": "w-2"}], "moved"),
    "another taxon and another number": ([IMAGE], [IMAGE | {"taxon_id": "w-2", "recordNumber": "3"}], "moved"),
    "a stricter licence": ([IMAGE], [IMAGE | {"issue": "LICENSE_NOT_ALLOWED", "license": None}], "set_aside"),
    "gone": ([IMAGE], [], "withdrawn"),
    "gone from one aggregator": ([IMAGE, IMAGE | {"record_key": "i:1/0", "issue": "DUPLICATE_RECORD"}],
                                 [IMAGE | {"record_key": "i:1/0", "source": "idigbio"}], None),
    "gone, and never of use": ([IMAGE | {"issue": "OUTSIDE_REGION"}], [], None),
    "a record without an image": ([], [{"record_key": "gbif:2/-", "issue": "NO_IMAGE"}], None),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "kind"), CASES.values(), ids=CASES)
def test_an_image_is_of_one_kind_or_none(
    before: list[dict[str, Any]], after: list[dict[str, Any]], kind: str | None
) -> None:
    change = compare_records(records(*before), records(*after))
    assert change.counts == dict.fromkeys(KINDS, 0) | ({kind: 1} if kind else {})
