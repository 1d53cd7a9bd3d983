"""A renewed harvest: what is asked for again, what is taken over, and that out of reach is not withdrawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from test_harvest import Blobs, Http, Notes, both, gbif, harvest, idigbio

from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.recipe import make_recipe
from naflora_etl.sources.renewal import NOTE, Renewal, find_renewal, renew_recipe

SCHEMA = read_contract("harvest").arrow_schema


def renewed(
    say: Any, ask: dict[str, list[str]], *taxa: str, first: Any = both, first_taxa: tuple[str, ...] = ("1", "2"),
    **options: Any,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Http]:
    """Harvest some taxa, then again under a renewal; return both tables' rows and whom the second one asked."""
    blobs, notes, http = Blobs(), Notes(), Http(say)
    before = harvest(first, *first_taxa, blobs=blobs, **options)
    digest = blobs.put(parquet_bytes(pa.Table.from_pylist(before, SCHEMA)))
    Renewal("1", "1+2027-01-05", ask, digest, told={}).write(notes)  # type: ignore[arg-type]
    after = harvest(say, *(taxa or first_taxa), blobs=blobs, notes=notes, http=http, snapshot="1+2027-01-05", **options)
    return before, after, http


def later(url: str, body: dict[str, Any] | None) -> bytes:
    return gbif(url, total=4) if "gbif" in url else idigbio(url, body)


def of(rows: list[dict[str, Any]], source: str, taxon_id: str) -> list[dict[str, Any]]:
    return [row for row in rows if (row["source"], row["taxon_id"]) == (source, taxon_id)]


def test_only_what_may_have_changed_is_asked_for() -> None:
    before, after, http = renewed(later, {"gbif": ["2"]})
    assert {url.split("?")[0].rsplit("/", 1)[1] for url in http.asked} == {"match", "search"}
    assert all("s2" in url or "key-of-s2" in url for url in http.asked)
    for source, taxon_id in (("gbif", "1"), ("idigbio", "1"), ("idigbio", "2")):
        assert of(after, source, taxon_id) == of(before, source, taxon_id)
    assert of(after, "gbif", "2") != of(before, "gbif", "2")


def test_with_nothing_to_ask_nobody_is_asked() -> None:
    before, after, http = renewed(later, {})
    assert (after, http.asked) == (before, [])


@pytest.mark.parametrize("snapshot", ["1+2027-01-05", "2"], ids=["a renewal", "all asked anew"])
def test_what_was_published_stays_known(snapshot: str) -> None:
    blobs, notes = Blobs(), Notes()
    digest = blobs.put(parquet_bytes(pa.Table.from_pylist(harvest(both, blobs=blobs), SCHEMA)))
    Renewal("1", "1+2027-01-05", {}, digest, published="f" * 64, is_done=True).write(notes)  # type: ignore[arg-type]
    rows = harvest(both, blobs=blobs, notes=notes, snapshot=snapshot)
    (published,) = [row for row in rows if row["source"] == "published"]
    assert (published["blob"], published["page_key"]) == ("f" * 64, f"published:{'f' * 16}")
    assert harvest(both, slice=1, blobs=blobs, notes=notes, snapshot=snapshot, sources=()) == []


def test_a_taxon_that_the_checklist_has_now_is_asked_for() -> None:
    _, after, http = renewed(later, {}, "1", "2", "3")
    assert of(after, "gbif", "3") and of(after, "idigbio", "3")
    assert http.asked and not any("key-of-s1" in url for url in http.asked)


def test_a_taxon_whose_pages_do_not_come_keeps_what_came_before() -> None:
    def half(url: str, body: dict[str, Any] | None) -> bytes | str:
        return "HOST_TROUBLE" if "offset=2" in url else both(url, body)

    before, after, _ = renewed(half, {"gbif": ["1", "2"]})
    assert after == before


def test_what_failed_before_is_asked_for_again() -> None:
    def down(url: str, body: dict[str, Any] | None) -> bytes | str:
        return both(url, body) if "gbif" in url else "HOST_TROUBLE"

    before, after, _ = renewed(both, {}, first=down)
    assert {row["issue"] for row in of(before, "idigbio", "1")} == {"SOURCE_UNREACHABLE"}
    assert {row["issue"] for row in of(after, "idigbio", "1")} == {None}


def test_a_recipe_is_renewed_under_its_own_snapshot_alone(tmp_path: Path) -> None:
    notes = Notes()
    recipe = make_recipe({"name": "small"}, folder=tmp_path)
    assert renew_recipe(recipe, notes) is recipe  # type: ignore[arg-type]
    Renewal("1", "1+2027-01-05", {}, "0" * 64).write(notes)  # type: ignore[arg-type]
    assert renew_recipe(recipe, notes).harvest.snapshot == "1+2027-01-05"  # type: ignore[arg-type]
    other = make_recipe({"name": "small", "harvest": {"snapshot": "2"}}, folder=tmp_path)
    assert renew_recipe(other, notes) is other  # type: ignore[arg-type]
    found = find_renewal(notes)  # type: ignore[arg-type]
    assert found is not None and found.label == notes[NOTE]["label"] and not found.is_done
