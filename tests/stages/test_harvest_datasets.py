"""Each dataset on the pages is asked about once, after them; without an answer the harvest is as good as with one."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from test_harvest import Blobs, Http, Notes, both, harvest, told

from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.issues import TRANSIENT
from naflora_etl.sources.page_errand import FAILURES_BEFORE_REST
from naflora_etl.sources.renewal import Renewal

SETS = [f"{number:08x}-0000-4000-a000-000000000000" for number in range(9)]


def registry(url: str, body: dict[str, Any] | None, of: dict[str, list[str]] | None = None) -> bytes | str:
    """Answer as both aggregators do, with records of datasets: by taxon, SETS[0] and [1] where none are given."""
    if "/dataset/" in url or "/recordsets/" in url:
        key = url.rsplit("/", 1)[1]
        told = {"key": key, "uuid": key, "title": f"Title {key[:8]}", "data": {"collection_name": "C"}}
        return json.dumps(told).encode()
    page = json.loads(both(url, body))
    name = next((taxon for taxon in of or {} if f"key-of-s{taxon}&" in url), None)
    keys = (of or {}).get(name or "", SETS[:2])
    for at, item in enumerate(page.get("results", [])):
        item["datasetKey"] = keys[at % len(keys)]
    for item in page.get("items", []):
        item["indexTerms"] = {"recordset": SETS[5]}
    return json.dumps(page).encode()


def test_each_is_asked_about_once_and_kept_as_it_came() -> None:
    blobs, http = Blobs(), Http(registry)
    rows = harvest(registry, "1", "2", blobs=blobs, http=http)
    named = {row["page_key"]: row for row in rows if "/dataset/" in row["page_key"]}
    assert list(named) == [f"gbif:1/dataset/{SETS[0]}", f"gbif:1/dataset/{SETS[1]}", f"idigbio:1/dataset/{SETS[5]}"]
    assert [url for url in http.asked if "match" not in url and "search/" not in url and "search?" not in url] == [
        f"https://api.gbif.org/v1/dataset/{SETS[0]}",
        f"https://search.idigbio.org/v2/view/recordsets/{SETS[5]}",
        f"https://api.gbif.org/v1/dataset/{SETS[1]}",
    ]
    first = named[f"gbif:1/dataset/{SETS[0]}"]
    assert json.loads(blobs[first["blob"]])["title"] == "Title 00000000"
    assert (first["issue"], first["record_count"], first["status"]) == (None, None, 200)


TROUBLES: dict[str, bytes | str] = {
    "no answer": "HOST_TROUBLE",
    "unknown there": "HTTP_GONE",
    "a refusal": "HTTP_BLOCKED",
    "a web page": b"<html>",
    "another one": b'{"key": "x", "title": "T"}',
}


@pytest.mark.parametrize("said", TROUBLES.values(), ids=TROUBLES)
def test_without_an_answer_the_pages_stand_and_nothing_is_tried_again(said: bytes | str) -> None:
    rows = harvest(lambda url, body: said if "/dataset/" in url else registry(url, body), "1", sources=("gbif",))
    assert told(rows) == {
        "gbif:1/match/0000": None,
        "gbif:1/records/0000": None,
        "gbif:1/records/0001": None,
        f"gbif:1/dataset/{SETS[0]}": "DATASET_NOT_NAMED",
        f"gbif:1/dataset/{SETS[1]}": "DATASET_NOT_NAMED",
    }
    assert "DATASET_NOT_NAMED" not in TRANSIENT
    assert all((row["blob"] is not None) == isinstance(said, bytes) for row in rows if row["issue"])


def test_a_registry_that_is_down_is_left_alone() -> None:
    def down(url: str, body: dict[str, Any] | None) -> bytes | str:
        pages = {taxon: SETS[int(taxon) :] for taxon in "123456"}
        return "HOST_TROUBLE" if "/dataset/" in url else registry(url, body, pages)

    http = Http(down)
    rows = harvest(down, *"123456", http=http, sources=("gbif",))
    assert sum("/dataset/" in url for url in http.asked) == FAILURES_BEFORE_REST
    assert sum(row["issue"] == "DATASET_NOT_NAMED" for row in rows) > FAILURES_BEFORE_REST


def test_a_key_that_is_none_is_never_put_into_an_address() -> None:
    http = Http(lambda url, body: registry(url, body, {"1": ["../../user", "x", ""]}))
    rows = harvest(registry, "1", http=http, sources=("gbif",))
    assert not any("dataset" in url for url in http.asked) and len(rows) == 3


def test_another_slice_and_a_build_after_a_kill_need_not_ask() -> None:
    blobs, notes, http = Blobs(), Notes(), Http(registry)
    harvest(registry, "1", blobs=blobs, notes=notes, sources=("gbif",))
    rows = harvest(registry, "2", slice=1, blobs=blobs, notes=notes, http=http, sources=("gbif",))
    assert not any("/dataset/" in url for url in http.asked)
    assert {row["page_key"]: row["issue"] for row in rows if "/dataset/" in row["page_key"]} == {
        f"gbif:2/dataset/{SETS[0]}": None,
        f"gbif:2/dataset/{SETS[1]}": None,
    }


def renew(ask: dict[str, list[str]], say: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Http]:
    blobs, notes, http = Blobs(), Notes(), Http(say)
    before = harvest(registry, "1", "2", blobs=blobs, sources=("gbif",))
    digest = blobs.put(parquet_bytes(pa.Table.from_pylist(before, read_contract("harvest").arrow_schema)))
    Renewal("1", "1+2027-01-05", ask, digest, told={}).write(notes)  # type: ignore[arg-type]
    after = harvest(say, "1", "2", blobs=blobs, notes=notes, http=http, snapshot="1+2027-01-05", sources=("gbif",))
    return before, after, http


def test_a_renewal_keeps_names_and_asks_about_new_datasets_alone() -> None:
    assert renew({}, registry)[:2] == (renew({}, registry)[0],) * 2
    _, after, http = renew({"gbif": ["2"]}, lambda url, body: registry(url, body, {"2": [SETS[0], SETS[7]]}))
    assert [url.rsplit("/", 1)[1] for url in http.asked if "/dataset/" in url] == [SETS[7]]
    named = [row["page_key"] for row in after if "/dataset/" in row["page_key"]]
    assert named == [f"gbif:1/dataset/{SETS[0]}", f"gbif:1/dataset/{SETS[1]}", f"gbif:2/dataset/{SETS[7]}"]


def test_a_name_stays_though_the_taxon_that_it_came_with_lost_the_dataset() -> None:
    _, after, _ = renew({"gbif": ["1"]}, lambda url, body: registry(url, body, {"1": [SETS[7]]}))
    named = {row["page_key"]: row["issue"] for row in after if "/dataset/" in row["page_key"]}
    assert named[f"gbif:1/dataset/{SETS[0]}"] is None and named[f"gbif:1/dataset/{SETS[7]}"] is None
