"""Who gave what is counted exactly, and cited: the derived dataset, BibTeX, CSL, acknowledgements."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import bibtexparser
import pyarrow as pa
import pytest
from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON
from small_world import SmallWorld, make_table, make_world

from naflora_etl.engine.tables import read_parquet
from naflora_etl.publishing.derived import check_derived, count_datasets

DOI = "10.15468/dl.ab_cd1"
UUID = "aa15af95-af7a-438b-a635-f68f519eaf39"


@pytest.fixture
def world(tmp_path: Path) -> SmallWorld:
    """Ten sheets: two datasets of GBIF's, one recordset, one archive, and a download that most came by."""
    world = make_world(tmp_path, release={"title": "Sheets & more", "url": "https://example.org/sheets"})
    rows = world.tables["harvest"].to_pylist()
    rows[0] |= {"doi": DOI, "citation": f"GBIF.org (2026-11-02) GBIF Occurrence Download https://doi.org/{DOI}"}
    world.tables["harvest"] = make_table("harvest", rows)
    records = world.tables["records"].to_pylist()
    records[0] |= {"source": "idigbio", "datasetKey": "recordset-1"}
    records[1] |= {"source": "archive", "datasetKey": "seinet"}
    records[2] |= {"source": "archive", "datasetKey": UUID}
    world.tables["records"] = make_table("records", records)
    world.pack_shards()
    world.write_release()
    return world


def test_the_derived_dataset_counts_exactly_the_released_images(world: SmallWorld) -> None:
    derived = json.loads((world.release / "derived_dataset.json").read_text())
    manifest = read_parquet(world.release / "manifest.parquet").to_pylist()
    expected = Counter(row["datasetKey"] for row in manifest if row["source"] == "gbif") + Counter({UUID: 1})
    assert derived["relatedDatasets"] == dict(expected) and sum(expected.values()) == 8
    assert derived["originalDownloadDOI"] == DOI and derived["sourceUrl"] == "https://example.org/sheets"
    assert set(derived) == {"title", "description", "sourceUrl", "originalDownloadDOI", "relatedDatasets"}


def test_a_count_that_is_not_the_manifests_is_found(world: SmallWorld) -> None:
    manifest = read_parquet(world.release / "manifest.parquet")
    body = json.loads((world.release / "derived_dataset.json").read_bytes())
    assert list(check_derived(json.dumps(body).encode(), manifest)) == []
    body["relatedDatasets"]["d1"] += 1
    assert len(list(check_derived(json.dumps(body).encode(), manifest))) == 1


def test_the_download_is_cited_for_tex_and_csl(world: SmallWorld) -> None:
    bibtex = (world.release / "citations.bib").read_text()
    assert bibtex.count("@misc{") == 2 and "@misc{gbif_10_15468_dl_ab_cd1," in bibtex
    assert f"  doi       = {{{DOI}}}" in bibtex and "  year      = {2026}" in bibtex
    read = bibtexparser.parse_string(bibtex)
    assert read.failed_blocks == [] and [entry.key for entry in read.entries] == ["small", "gbif_10_15468_dl_ab_cd1"]
    assert read.entries[0]["title"] == "{Sheets \\& more}"
    first, download = json.loads((world.release / "citations.json").read_text())
    assert (first["title"], first["type"], download["DOI"]) == ("Sheets & more", "dataset", DOI)
    assert download["issued"] == {"date-parts": [[2026, 11, 2]]}


def test_everybody_is_thanked_by_name(world: SmallWorld) -> None:
    text = (world.release / "ACKNOWLEDGEMENTS.txt").read_text()
    manifest = read_parquet(world.release / "manifest.parquet")
    for name in ("institutionCode", "datasetKey", "rightsHolder"):
        for value in set(manifest[name].to_pylist()) - {None}:
            assert value in text, value
    assert "https://www.idigbio.org/portal/recordsets/recordset-1" in text
    assert "Archives (2)" in text and "        1  seinet" in text
    assert "(no name given)" in text, "the sheets whose institution nobody told"


def test_iDigBio_alone_makes_no_claim_on_gbif() -> None:
    manifest = pa.table({"source": ["idigbio", "archive", "gbif"], "datasetKey": [UUID, "seinet", None]})
    assert count_datasets(manifest) == {}


def test_a_csl_processor_writes_the_reference(world: SmallWorld) -> None:
    items = json.loads((world.release / "citations.json").read_text())
    style = CitationStylesStyle("harvard-cite-them-right", validate=False)
    bibliography = CitationStylesBibliography(style, CiteProcJSON(items), formatter.plain)
    for item in items:
        bibliography.register(Citation([CitationItem(item["id"])]))
    written = sorted(map(str, bibliography.bibliography()))
    assert written[0].startswith("GBIF.org (2026) “GBIF Occurrence Download”") and DOI in written[0]
    assert written[1].startswith("The contributing herbaria (no date) “Sheets & more”")
