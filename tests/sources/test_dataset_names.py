"""What datasets are called: by registries' answers, by the documents in archives, and by nobody."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.dataset_names import Named, find_names, key_in, read_answer, read_eml, request_for
from naflora_etl.sources.paging import Unreadable

SHARED = Path(__file__).parents[2] / "../shared/data/gbif/dwca/0000066-140928181241064.zip"
KEY = "d415c253-4d61-4459-9d25-4015b9084fb0"
OTHER = "7bd65a7a-f762-11e1-a439-00145eb45e9a"
CITED = "Allen T (2025). The New York Botanical Garden Herbarium (NY). Occurrence dataset https://doi.org/10.15468/6e8nje"
GBIF = {"key": KEY, "title": "The New York Botanical\n Garden Herbarium", "doi": "10.15468/6e8nje"}
EML = f"""<eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1" packageId="{KEY}"><dataset>
<alternateIdentifier>777</alternateIdentifier><alternateIdentifier>doi:10.15468/abc</alternateIdentifier>
<title> Plants of
 Quebec </title></dataset><additionalMetadata><metadata><gbif><citation>Cite &amp; thank</citation></gbif></metadata>
</additionalMetadata></eml:eml>"""
META = """<archive xmlns="http://rs.tdwg.org/dwc/text/"><core ignoreHeaderLines="1">
<files><location>core.csv</location></files><id index="0"/></core></archive>"""
# who says it: (source, answer, what is read)
ANSWERS: dict[str, tuple[str, dict[str, Any], Named]] = {
    "GBIF": ("gbif", GBIF | {"citation": {"text": CITED}}, Named(" ".join(GBIF["title"].split()), GBIF["doi"], CITED)),
    "GBIF, with the title alone": ("gbif", {"key": KEY.upper(), "title": "T", "citation": "x"}, Named("T")),
    "GBIF, with a DOI that is an address": ("gbif", GBIF | {"title": "T", "doi": "https://doi.org/10.15468/6e8nje"},
                                            Named("T", "10.15468/6e8nje")),
    "iDigBio, of a collection": ("idigbio", {"uuid": KEY, "data": {"collection_name": "DMNH Plants"}},
                                 Named("DMNH Plants")),
    "iDigBio, by its attribution": ("idigbio", {"uuid": KEY, "attribution": {"name": "A"}, "indexTerms": {"name": "B"}},
                                    Named("A")),
}  # fmt: skip
NONE: dict[str, bytes] = {
    "another dataset": json.dumps(GBIF | {"key": OTHER}).encode(),
    "no title": json.dumps({"key": KEY, "title": " "}).encode(),
    "a list": b"[]",
    "a web page": b"<html>Please wait</html>",
    "cut short": b'{"key": "d415',
}


@pytest.mark.parametrize(("source", "answer", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_tells_a_title(source: str, answer: dict[str, Any], expected: Named) -> None:
    assert read_answer(source, KEY, json.dumps(answer).encode()) == expected


@pytest.mark.parametrize("body", NONE.values(), ids=NONE)
def test_what_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_answer("gbif", KEY, body)


def test_one_is_asked_about_by_its_key() -> None:
    options = HarvestOptions()
    assert request_for("gbif", KEY, options).text == f"https://api.gbif.org/v1/dataset/{KEY}"
    assert request_for("idigbio", KEY, options).text == f"https://search.idigbio.org/v2/view/recordsets/{KEY}"
    assert key_in(f"gbif:123/dataset/{KEY}") == KEY
    assert [key_in(other) for other in ("gbif:123/records/0000", "gbif:1/dataset/x", KEY)] == [None] * 3


def test_a_document_of_an_archive_tells_title_doi_and_citation() -> None:
    assert read_eml(EML.encode()) == Named("Plants of Quebec", "10.15468/abc", "Cite & thank")
    entity = b'<!DOCTYPE e [<!ENTITY a "x">]><eml><dataset><title>&a;</title></dataset></eml>'
    for text in (b"<eml", b"<eml><dataset/></eml>", entity, b"\x00", EML[:200].encode()):
        with pytest.raises(Unreadable):
            read_eml(text)


def in_folder(place: Path, **documents: str) -> str:
    place.mkdir()
    (place / "meta.xml").write_text(META)
    (place / "core.csv").write_text("id\n1\n")
    for name, text in documents.items():
        (place / f"{name}.xml").write_text(text)
    return str(place)


def in_zip(place: Path, **documents: str) -> str:
    with zipfile.ZipFile(place, "w") as archive:
        for name, text in {"meta.xml": META, "core.csv": "id\n1\n"}.items():
            archive.writestr(f"inside/{name}", text)
        for name, text in documents.items():
            archive.writestr(f"inside/{name}.xml", text)
    return str(place)


def row(page_key: str, source: str, blob: str = "", request: str = "") -> dict[str, Any]:
    return {"page_key": page_key, "source": source, "blob": blob, "request": request}


def gone(digest: str) -> Any:
    raise Fault(f"{digest} is gone.")


@pytest.mark.parametrize("make", [in_folder, in_zip], ids=["a folder", "a zip"])
def test_a_portal_s_archive_is_called_what_its_eml_says(tmp_path: Path, make: Callable[..., str]) -> None:
    place = make(tmp_path / "seinet.zip" if make is in_zip else tmp_path / "seinet", eml=EML)
    asked = [row("archive:seinet", "archive", request=place)]
    assert find_names(asked, [("archive", "seinet"), ("archive", KEY)], gone, gone) == {
        ("archive", "seinet"): Named("Plants of Quebec", "10.15468/abc", "Cite & thank")
    }


@pytest.mark.parametrize("documents", [{}, {"eml": "<eml"}, {"eml": META}], ids=["none", "cut", "something else"])
def test_an_archive_without_a_usable_document_leaves_its_name(tmp_path: Path, documents: dict[str, str]) -> None:
    place = in_folder(tmp_path / "seinet", **documents)
    assert find_names([row("archive:seinet", "archive", request=place)], [("archive", "seinet")], gone, gone) == {}


def test_an_archive_that_is_gone_costs_its_own_titles_alone() -> None:
    bodies = {"b": json.dumps({"key": KEY, "title": "Mine"}).encode()}
    harvest = [
        row("archive:x", "archive", request="/nowhere/x.zip"),
        row("gbif:download/0000", "gbif", "lost"),
        row(f"gbif:1/dataset/{OTHER}", "gbif", "b"),
        row(f"gbif:1/dataset/{KEY}", "gbif", "b"),
    ]
    wanted = [("archive", "x"), ("gbif", KEY), ("gbif", OTHER), ("idigbio", KEY)]
    assert find_names(harvest, wanted, bodies.__getitem__, gone) == {("gbif", KEY): Named("Mine")}


@pytest.mark.skipif(not SHARED.exists(), reason="the real download is not here")
def test_a_real_download_tells_the_titles_of_its_datasets() -> None:
    harvest = [row("gbif:download/0000", "gbif", "d")]
    wanted = [("gbif", OTHER), ("gbif", "84fbcbee-f762-11e1-a439-00145eb45e9a"), ("gbif", KEY)]
    found = find_names(harvest, wanted, gone, lambda digest: nullcontext(str(SHARED)))
    cited = "Missouri Botanical Garden: Missouri Botanical Garden"
    assert found["gbif", OTHER] == Named("Missouri Botanical Garden", None, cited)
    assert found["gbif", "84fbcbee-f762-11e1-a439-00145eb45e9a"].title == "CNAV/Coleccion Nacional de Aves"
    assert ("gbif", KEY) not in found
