"""Raw pages and archives become one row per image; every reason for setting one aside has its case here."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest

from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import HarvestOptions, RecordsOptions, TaxaOptions
from naflora_etl.stages.harvest import harvest_pages
from naflora_etl.stages.records import unify_records

SHARED = Path(__file__).parents[2] / "../shared/data"
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"


class Blobs(dict[str, bytes]):
    file = None

    def get(self, digest: str) -> bytes:  # type: ignore[override]
        return self[digest]


def table(name: str, *rows: dict[str, Any]) -> pa.Table:
    schema = read_contract(name).arrow_schema
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema)


def name(plant_name_id: str, genus: str, species: str, accepted: str | None = None, **more: str) -> dict[str, Any]:
    return {
        "plant_name_id": plant_name_id,
        "taxon_rank": "Species",
        "taxon_status": "Synonym" if accepted else "Accepted",
        "genus": genus,
        "species": species,
        "taxon_name": f"{genus} {species}",
        "taxon_authors": "L.",
        "accepted_plant_name_id": accepted or plant_name_id,
    } | more


WCVP = table(
    "wcvp",
    name("1", "Acer", "rubrum"),
    name("2", "Acer", "saccharum", taxon_authors="Marshall"),
    name("3", "Acer", "negundo"),
    name("4", "Rufacer", "rubrum", "1", taxon_authors="(L.) Small"),
    name("5", "Acer", "rubrum", infraspecies="trilobum", infraspecific_rank="var.", taxon_rank="Variety",
         taxon_name="Acer rubrum var. trilobum", taxon_authors="K.Koch"),
)  # fmt: skip
TAXA = table(
    "taxa",
    {"checklist_key": "a:1", "taxon_id": "1", "taxon_name": "Acer rubrum"},
    {"checklist_key": "a:2", "taxon_id": "2", "taxon_name": "Acer saccharum"},
    {"checklist_key": "a:3", "taxon_id": "1", "taxon_name": "Acer rubrum"},
)


def gbif_record(key: int, url: str | None = "http://a.org/{key}.jpg", **more: Any) -> dict[str, Any]:
    medium = {"type": "StillImage", "identifier": url.format(key=key) if url else None, "license": CC0}
    return {
        "key": key,
        "scientificName": "Acer rubrum L.",
        "basisOfRecord": "PRESERVED_SPECIMEN",
        "countryCode": "US",
        "media": [medium],
    } | more


def gbif_page(*records: dict[str, Any]) -> tuple[str, bytes]:
    return "gbif", json.dumps({"count": len(records), "endOfRecords": True, "results": records}).encode()


def idigbio_page(*items: dict[str, Any]) -> tuple[str, bytes]:
    return "idigbio", json.dumps({"itemCount": len(items), "items": items}).encode()


def run_stage(harvest: pa.Table, taxa: pa.Table, wcvp: pa.Table, blobs: Blobs, **options: Any) -> pa.Table:
    with TemporaryDirectory() as place:
        parts = unify_records(
            harvest,
            taxa,
            wcvp,
            options=RecordsOptions(**options),
            taxa_options=TaxaOptions(),
            harvest_options=HarvestOptions(),
            blobs=blobs,  # type: ignore[arg-type]
            spool=Spool(Workspace(place)),
            progress=lambda done, total, note="": None,
        )
        return pa.concat_tables(parts)


def unify(*pages: tuple[str, bytes], taxa: pa.Table = TAXA, **options: Any) -> list[dict[str, Any]]:
    blobs = Blobs({f"{number:064}": body for number, (_, body) in enumerate(pages)})
    rows = [
        {"page_key": f"{source}:1/records/{number:04}", "taxon_id": "1", "source": source, "blob": f"{number:064}",
         "request": "http://a", "page_number": number, "record_count": 1}
        for number, (source, _) in enumerate(pages)
    ]  # fmt: skip
    made = run_stage(table("harvest", *rows), taxa, WCVP, blobs, **options)
    contract = read_contract("records")
    assert check_table(conform(made, contract), contract) == []
    clean = [row["image_key"] for row in made.to_pylist() if row["issue"] is None]
    assert None not in clean and len(set(clean)) == len(clean)
    return made.to_pylist()


def told(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    return {row["record_key"]: row["issue"] for row in rows if not row["record_key"].startswith("taxon:")}


MEDIUM = {"type": "StillImage", "identifier": "http://a.org/1.jpg"}
ASIDE: dict[str, tuple[dict[str, Any], str | None]] = {
    "a clean one": ({}, None),
    "a synonym of the taxon": ({"scientificName": "Rufacer rubrum (L.) Small"}, None),
    "a variety of the species": ({"scientificName": "Acer rubrum var. trilobum K.Koch"}, None),
    "an observation": ({"basisOfRecord": "HUMAN_OBSERVATION"}, "RECORD_IS_OBSERVATION"),
    "a fossil": ({"basisOfRecord": "FOSSIL_SPECIMEN"}, "RECORD_IS_FOSSIL"),
    "a plant in a garden": ({"basisOfRecord": "LivingSpecimen"}, "RECORD_IS_LIVING"),
    "a sample": ({"basisOfRecord": "MaterialSample"}, "RECORD_IS_SAMPLE"),
    "something else": ({"basisOfRecord": "MATERIAL_CITATION"}, "NOT_A_SPECIMEN"),
    "DNA of a specimen": ({"preparations": "DNA extract"}, "RECORD_IS_SAMPLE"),
    "a slide": ({"preparations": "Microscope slide"}, "RECORD_IS_SLIDE"),
    "a sheet with a slide": ({"preparations": "sheet; slide"}, None),
    "another species": ({"scientificName": "Acer negundo L."}, "NAME_NOT_ON_CHECKLIST"),
    "a genus": ({"scientificName": "Acer L."}, "NAME_NOT_ON_CHECKLIST"),
    "no name": ({"scientificName": None}, "NAME_NOT_ON_CHECKLIST"),
    "an unsure name": ({"identificationQualifier": "cf."}, "NAME_DOUBTFUL"),
    "another country": ({"countryCode": "MX"}, "OUTSIDE_REGION"),
    "no country": ({"countryCode": None}, "OUTSIDE_REGION"),
    "only a web page": ({"media": [MEDIUM | {"identifier": None, "references": "http://a.org"}]}, "NO_IMAGE"),
    "a sound": ({"media": [MEDIUM | {"type": "Sound", "license": CC0}]}, "NO_IMAGE"),
    "a IIIF manifest": (
        {"media": [MEDIUM | {"identifier": "https://a.org/1/manifest.json", "license": CC0}]}, "IMAGE_IS_MANIFEST"
    ),
    "a web page called a picture": ({"media": [MEDIUM | {"format": "text/html", "license": CC0}]}, "IMAGE_IS_WEB_PAGE"),
    "no web address": ({"media": [MEDIUM | {"identifier": "file:///c/1.jpg", "license": CC0}]}, "URL_UNUSABLE"),
    "no licence": ({"media": [MEDIUM]}, "LICENSE_UNKNOWN"),
    "its record's licence": ({"media": [MEDIUM], "license": CC0}, None),
    "an unclear licence": ({"media": [MEDIUM | {"license": "ask us"}], "license": CC0}, "LICENSE_UNKNOWN"),
    "an older version": ({"media": [MEDIUM | {"license": "CC BY-NC 3.0"}]}, None),
    "a licence not allowed": ({"media": [MEDIUM | {"license": "CC BY-ND 4.0"}]}, "LICENSE_NOT_ALLOWED"),
    "all rights reserved": ({"media": [MEDIUM | {"license": "All rights reserved"}]}, "LICENSE_NOT_ALLOWED"),
}


@pytest.mark.parametrize(("change", "issue"), ASIDE.values(), ids=ASIDE)
def test_why_an_image_is_set_aside(change: dict[str, Any], issue: str | None) -> None:
    rows = unify(gbif_page(gbif_record(7, **change)), countries=("us", "CA"))
    assert told(rows) == {"gbif:7/0": issue}


def test_a_record_without_media_keeps_a_row() -> None:
    assert told(unify(gbif_page(gbif_record(7, media=[])))) == {"gbif:7/-": "NO_IMAGE"}


def test_a_clean_row_has_what_later_stages_ask_for() -> None:
    record = gbif_record(
        7,
        url="HTTP://A.org:80/sheet {key}.jpg#x",
        institutionCode="NY",
        catalogNumber="0123",
        recordedBy="Pringle, C. G.",
        recordNumber="12",
        eventDate="1890-05-06",
        datasetKey="d",
    )
    row = unify(gbif_page(record))[0]
    assert (row["image_url"], row["host"]) == ("http://a.org/sheet%207.jpg", "a.org")
    assert (row["taxon_id"], row["year"], row["license"]) == ("1", 1890, "CC0-1.0")
    assert row["license_verbatim"] == CC0
    assert row["specimen_key"] and row["gathering_key"] and row["image_key"]
    assert row["page_key"] == "gbif:1/records/0000"


def test_every_taxon_comes_back() -> None:
    rows = unify(gbif_page(gbif_record(7)))
    assert next(row for row in rows if row["record_key"] == "taxon:2")["issue"] == "NO_RECORDS"
    assert [row["record_key"] for row in rows] == ["gbif:7/0", "taxon:2"]


def test_a_record_on_two_pages_is_one_record() -> None:
    assert told(unify(gbif_page(gbif_record(7)), gbif_page(gbif_record(7)))) == {"gbif:7/0": None}


def test_the_same_image_in_both_aggregators_is_kept_once_under_the_stricter_licence() -> None:
    pages = idigbio_page(
        {"uuid": "u", "type": "records", "data": {"dwc:scientificName": "Acer rubrum L.",
         "dwc:basisOfRecord": "PreservedSpecimen"}, "indexTerms": {"mediarecords": ["m"]}},
        {"uuid": "m", "type": "mediarecords", "indexTerms": {"records": ["u"]},
         "data": {"ac:accessURI": "http://A.org/7.jpg", "dcterms:rights": "CC BY-NC"}},
    )  # fmt: skip
    rows = unify(gbif_page(gbif_record(7)), pages)
    assert told(rows) == {"gbif:7/0": None, "idigbio:u/0": "DUPLICATE_RECORD"}
    assert {row["license"] for row in rows if row["image_key"]} == {"CC-BY-NC"}
    assert told(unify(gbif_page(gbif_record(7)), pages, allow_licenses=("CC0-1.0",))) == {
        "gbif:7/0": "LICENSE_NOT_ALLOWED",
        "idigbio:u/0": "LICENSE_NOT_ALLOWED",
    }


def test_an_image_under_two_labels_is_under_none() -> None:
    other = gbif_record(8, url="http://a.org/7.jpg", scientificName="Acer saccharum Marshall")
    assert set(told(unify(gbif_page(gbif_record(7), other))).values()) == {"IMAGE_OF_SEVERAL_TAXA"}


def test_an_unknown_licence_may_be_allowed() -> None:
    rows = unify(gbif_page(gbif_record(7, media=[MEDIUM])), unknown_license="allow")
    assert told(rows) == {"gbif:7/0": None}


def test_the_order_of_pages_makes_no_difference() -> None:
    one, two = gbif_page(gbif_record(7)), gbif_page(gbif_record(8, url="http://a.org/7.jpg"))
    there, back = unify(one, two), unify(two, one)
    without_page = [[row | {"page_key": None} for row in rows] for rows in (there, back)]
    assert without_page[0] == without_page[1]


def harvest_archive(path: Path, taxa: pa.Table, wcvp: pa.Table, **options: Any) -> pa.Table:
    harvest = harvest_pages(
        taxa,
        wcvp,
        options=HarvestOptions(sources=("archive",), archives=(str(path),)),
        http=None,  # type: ignore[arg-type]
        blobs=None,  # type: ignore[arg-type]
        notes=Notes(Workspace("memory://seinet")),
        tables=None,  # type: ignore[arg-type]
        slice=0,
        progress=lambda *told: None,
    )
    return run_stage(harvest, taxa, wcvp, Blobs(), **options)


DWC = "http://rs.tdwg.org/dwc/terms/"
META = f"""<archive>
  <core fieldsTerminatedBy="," ignoreHeaderLines="1" rowType="{DWC}Occurrence">
    <files><location>o.csv</location></files><id index="0"/><field index="1" term="{DWC}catalogNumber"/>
    <field default="PreservedSpecimen" term="{DWC}basisOfRecord"/>
    <field default="Acer rubrum" term="{DWC}scientificName"/>
  </core>
  <extension fieldsTerminatedBy="," ignoreHeaderLines="1" rowType="http://rs.gbif.org/terms/1.0/Multimedia">
    <files><location>m.csv</location></files><coreid index="0"/>
    <field index="1" term="http://purl.org/dc/terms/identifier"/>
    <field default="CC0" term="http://purl.org/dc/terms/license"/>
  </extension>
</archive>"""


def small_archive(place: Path, core: str, media: str = "") -> Path:
    place.mkdir()
    (place / "meta.xml").write_text(META, encoding="utf-8")
    (place / "o.csv").write_text(f"id,number\n{core}", encoding="utf-8")
    (place / "m.csv").write_text(f"id,url\n{media}", encoding="utf-8")
    return place


# core and media of an archive -> its rows
ONE_ID: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "without media": (
        "1,a\n1,b\n2,c\n1,d\n", "",
        {"1/-": "NO_IMAGE", "1/-2": "NO_IMAGE", "1/-3": "NO_IMAGE", "2/-": "NO_IMAGE"},
    ),
    "media hang on the first": (
        "1,a\n1,b\n", "1,http://a.org/1\n1,http://a.org/2\n", {"1/0": None, "1/1": None, "1/-2": "NO_IMAGE"}
    ),
    "a row without an id": ("1,a\n,b\n,c\n", "", {
        "1/-": "NO_IMAGE", "o.csv:2/-": "SOURCE_UNREADABLE", "o.csv:3/-": "SOURCE_UNREADABLE"
    }),
}  # fmt: skip


@pytest.mark.parametrize(("core", "media", "rows"), ONE_ID.values(), ids=ONE_ID)
def test_no_row_of_an_archive_vanishes_behind_another(
    core: str, media: str, rows: dict[str, str | None], tmp_path: Path
) -> None:
    made = harvest_archive(small_archive(tmp_path / "x", core, media), TAXA, WCVP).to_pylist()
    assert told(made) == {f"archive:x/{key}": issue for key, issue in rows.items()}
    assert [row["catalogNumber"] for row in made if row["record_key"].endswith("-2")] in ([], ["b"])


def test_what_two_archives_hold_without_a_record_are_two_specimens(tmp_path: Path) -> None:
    keys = []
    for name in ("x", "y"):
        path = small_archive(tmp_path / name, "1\n", "9,http://a.org/9\n")
        keys.append({row["specimen_key"] for row in harvest_archive(path, TAXA, WCVP).to_pylist()} - {None})
    assert len(keys[0] | keys[1]) == 4  # of each its unreadable row, and a medium of no record


@pytest.mark.real
def test_the_seinet_archive() -> None:
    """1,894 records of Pectocarya recurvata, 776 media on 21 hosts."""
    path = SHARED / "symbiota_seinet"
    if not path.is_dir():
        pytest.skip("the SEINet archive is not here")
    wcvp = table("wcvp", name("p", "Pectocarya", "recurvata", taxon_authors="I.M.Johnst."))
    taxa = table("taxa", {"checklist_key": "a:1", "taxon_id": "p", "taxon_name": "Pectocarya recurvata"})
    # each image bears two licences, a mild one and CC BY-NC-SA; the stricter counts, so a recipe must allow it by name
    strict = harvest_archive(path, taxa, wcvp)["issue"].to_pylist()
    assert (strict.count("LICENSE_NOT_ALLOWED"), strict.count(None)) == (765, 1)
    allowed = ("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0")
    made = harvest_archive(path, taxa, wcvp, allow_licenses=allowed)
    assert check_table(conform(made, read_contract("records")), read_contract("records")) == []
    rows = made.to_pylist()
    assert len({row["source_record_id"] for row in rows}) == 1894
    assert len(rows) == 776 + 1138  # a row per medium, and one per record without any
    assert len({row["host"] for row in rows} - {None}) == 21
    issues = Counter(row["issue"] for row in rows)
    assert (issues["RECORD_IS_OBSERVATION"], issues["RECORD_IS_LIVING"]) == (121, 1)
    assert issues["NAME_DOUBTFUL"] == 5  # one is "recurvata / platycarpa"
    clean = [row for row in rows if row["issue"] is None]
    assert len(clean) > 750 and {row["taxon_id"] for row in clean} == {"p"}
    assert {row["countryCode"] for row in clean} == {"US", "MX", None}  # a country's name with broken letters
    assert parquet_bytes(made) == parquet_bytes(harvest_archive(path, taxa, wcvp, allow_licenses=allowed))
