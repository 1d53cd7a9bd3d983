"""One image in several rows."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.engine.tables import query_tables
from naflora_etl.sources import duplicates
from naflora_etl.sources.duplicates import SHARED, find_repeats, judge_images


def row(key: str, image: str | None = "i", taxon: str | None = "1", issue: str | None = None) -> dict[str, Any]:
    return {
        "record_key": key,
        "source": key.split(":")[0],
        "image_key": image,
        "taxon_id": taxon,
        "issue": issue,
        "license": None,
        "license_verbatim": None,
        "copy_urls": None,
    }


def judge(
    rows: list[dict[str, Any]], license_issue: Callable[[str | None], str | None] = lambda name: None
) -> list[dict[str, Any]]:
    """Return the rows as they stand afterwards."""
    places = [{"bucket": 0, "position": at, "seq": at, "medium": 0} for at in range(len(rows))]
    shared = pa.Table.from_pylist([place | row for place, row in zip(places, rows, strict=True)], SHARED)

    def query(sql: str, **tables: pa.Table) -> pa.Table:
        return query_tables(sql, **tables)

    changes = {change["position"]: change for change in judge_images(query, shared, license_issue).to_pylist()}
    unchanged = {"duplicate_of": None, "flag": None}
    return [unchanged | row | changes.get(at, {}) for at, row in enumerate(rows)]


CASES = {
    "one image, one row": ([row("gbif:1/0")], [None]),
    "the aggregator with a DOI is kept": (
        [row("archive:x/1/0"), row("idigbio:a/0"), row("gbif:9/0")],
        ["DUPLICATE_RECORD", "DUPLICATE_RECORD", None],
    ),
    "then the smallest key": ([row("gbif:2/0"), row("gbif:1/0")], ["DUPLICATE_RECORD", None]),
    "a row that is set aside is no rival": (
        [row("gbif:1/0", issue="OUTSIDE_REGION"), row("idigbio:a/0")], ["OUTSIDE_REGION", None]
    ),
    "two taxa": ([row("gbif:1/0"), row("idigbio:a/0", taxon="2")], ["IMAGE_OF_SEVERAL_TAXA"] * 2),
    "two taxa, one of them not wanted": (
        [row("gbif:1/0"), row("idigbio:a/0", taxon="2", issue="NAME_NOT_ON_CHECKLIST")],
        ["IMAGE_OF_SEVERAL_TAXA", "NAME_NOT_ON_CHECKLIST"],
    ),
    "an unknown taxon contradicts nothing": (
        [row("gbif:1/0"), row("gbif:2/0", taxon=None, issue="NAME_DOUBTFUL")], [None, "NAME_DOUBTFUL"]
    ),
    "rows without image are not one image": ([row("gbif:1/-", image=None), row("gbif:2/-", image=None)], [None, None]),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "issues"), CASES.values(), ids=CASES)
def test_at_most_one_row_an_image_stays_clean(rows: list[dict[str, Any]], issues: list[str | None]) -> None:
    assert [each["issue"] for each in judge(rows)] == issues


def test_the_row_that_is_kept_is_named() -> None:
    told = judge([row("archive:x/1/0"), row("idigbio:a/0"), row("gbif:9/0")])
    assert [each["duplicate_of"] for each in told] == ["gbif:9/0", "gbif:9/0", None]


def test_the_strictest_licence_told_of_an_image_counts_for_all_its_rows() -> None:
    mild = row("gbif:1/0") | {"license": "CC0-1.0", "license_verbatim": "CC0"}
    strict = row("idigbio:a/0") | {"license": "CC-BY-NC-3.0", "license_verbatim": "by-nc 3.0"}
    silent, other = row("gbif:2/0"), row("gbif:3/0", image="j") | {"license": "CC0-1.0", "license_verbatim": "CC0"}
    mild, strict, silent, other = judge([mild, strict, silent, other])
    assert (mild["license"], mild["license_verbatim"]) == ("CC-BY-NC-3.0", "by-nc 3.0")
    assert silent["license"] is None
    assert other["license"] == "CC0-1.0"
    assert {each["flag"] for each in (mild, strict, silent)} == {"LICENSE_CONTRADICTED"}


@pytest.mark.parametrize(("told", "issue"), [("ARR", "LICENSE_NOT_ALLOWED"), ("CC0-1.0", None)])
def test_what_one_row_forbids_no_silent_row_allows(told: str, issue: str | None) -> None:
    """Where a recipe allows what is unknown, that is what nobody knows of the image."""
    rows = [row("gbif:1/0"), row("idigbio:a/0") | {"license": told, "license_verbatim": told}]

    def license_issue(name: str | None) -> str | None:
        return "LICENSE_NOT_ALLOWED" if name == "ARR" else None

    silent, _ = judge(rows, license_issue)
    assert (silent["license"], silent["issue"]) == (None, issue)


def test_every_copy_that_a_row_knows_is_known_to_all() -> None:
    here = row("gbif:1/0") | {"copy_urls": '{"gbif": "http://g/1"}'}
    there = row("idigbio:a/0") | {"copy_urls": '{"idigbio": "http://i/1"}'}
    both = '{"gbif": "http://g/1", "idigbio": "http://i/1"}'
    assert [each["copy_urls"] for each in judge([here, there, row("gbif:2/0")])] == [both] * 3


@pytest.mark.parametrize(
    ("batches", "repeated"),
    [
        ([], []),
        ([[5]], [[False]]),
        ([[5, 0, 7], [0, 5]], [[True, False, False], [False, True]]),  # 0 is no image
        ([[9, 9, 9], [], [1]], [[True, True, True], [], [False]]),
    ],
)
def test_an_image_of_several_rows_is_found_in_all_batches(batches: list[list[int]], repeated: list[list[bool]]) -> None:
    found = find_repeats([np.array(batch, np.uint64) for batch in batches])
    assert [batch.tolist() for batch in found] == repeated


def test_it_makes_no_difference_how_many_images_are_judged_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = Random("turns").choice
    sources, taxa, issues = ["gbif", "idigbio"], ["1", "2"], [None, None, "NO_IMAGE"]
    rows = [
        row(f"{choose(sources)}:{at}", choose("abcdefg"), choose(taxa), choose(issues))
        for at in range(60)
    ]
    at_once = judge(rows)
    monkeypatch.setattr(duplicates, "ROWS_AT_ONCE", 7)
    assert judge(rows) == at_once
