"""WCVP as it is downloaded, and other backbones by a mapping."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.names.backbone import read_backbone

HEADER = (
    "plant_name_id|ipni_id|taxon_rank|taxon_status|family|genus_hybrid|genus|species_hybrid|species|infraspecific_rank|"
    "infraspecies|parenthetical_author|primary_author|publication_author|place_of_publication|volume_and_page|"
    "first_published|nomenclatural_remarks|geographic_area|lifeform_description|climate_description|taxon_name|"
    "taxon_authors|accepted_plant_name_id|basionym_plant_name_id|replaced_synonym_author|homotypic_synonym|"
    "parent_plant_name_id|powo_id|hybrid_formula|reviewed"
)
ROW = (
    '535677|77199696-1|Species|Accepted|Poaceae||Poa|×|nannfeldtii|||H.Scholz|Nosov||Nordic "J. Bot.| 37|(2019)||'
    "Europe|annual|temperate|Poa × nannfeldtii|(H.Scholz) Nosov|535677|491811|||434980|77199696-1|P. annua|Y"
)
TPL = {
    "plant_name_id": "ID",
    "family": "Family",
    "genus_hybrid": "Genus hybrid marker",
    "genus": "Genus",
    "species_hybrid": "Species hybrid marker",
    "species": "Species",
    "infraspecific_rank": "Infraspecific rank",
    "infraspecies": "Infraspecific epithet",
    "taxon_authors": "Authorship",
    "taxon_status": "Taxonomic status in TPL",
    "ipni_id": "IPNI id",
    "accepted_plant_name_id": "Accepted ID",
}
TPL_HEADER = ",".join(TPL.values())
TPL_TEXT = (
    f"\ufeff{TPL_HEADER}\n"
    'kew-1,Cyperaceae,,Carex,×,"abitibiana",,"","Lepage",Accepted,298393-1,\n'
    'kew-2,Cyperaceae,,Carex,,"ablata",var.,"luzuliformis","L.H.Bailey",Synonym,,kew-1\n'
    'tro-3,Cyperaceae,,Carex,,"ablita",var,"x","Steud.",Unresolved,,\n'
)


def write(folder: Path, data: str | bytes, name: str = "names.csv") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(path: Path, mapping: Mapping[str, str] | None = None) -> list[dict[str, object]]:
    return read_backbone(path, mapping or {}).to_pylist()


def test_wcvp_as_it_is_downloaded_stray_quotation_marks_and_all(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, f"{HEADER}\n{ROW}\n"))
    assert row["taxon_name"] == "Poa × nannfeldtii"
    assert row["taxon_authors"] == "(H.Scholz) Nosov"
    assert row["infraspecies"] is None
    assert row["issue"] is None
    packed = tmp_path / "wcvp.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README_WCVP.txt", "About.")
        archive.writestr("wcvp_distribution.csv", "a|b\n1|2\n")
        archive.writestr("wcvp_names.csv", f"{HEADER}\n{ROW}\n")
    assert read(packed) == [row]


def test_a_row_that_does_not_fit_is_set_aside_under_its_line(tmp_path: Path) -> None:
    rows = read(write(tmp_path, f"{HEADER}\n{ROW}\n535678|torn|Species\n{ROW}\n{ROW.replace('|Poa|', '||', 1)}\n"))
    assert [(row["plant_name_id"], row["issue"]) for row in rows] == [
        ("535677", None),
        ("535677#2", "BACKBONE_ROW_REPEATED"),
        ("535677#3", "BACKBONE_ROW_UNREADABLE"),
        ("line:3", "BACKBONE_ROW_UNREADABLE"),
    ]
    assert all(row["genus"] is not None for row in rows), "the contract requires it of every row"


def test_the_plant_list_by_a_mapping(tmp_path: Path) -> None:
    accepted, synonym, unresolved = read(write(tmp_path, TPL_TEXT), TPL)
    assert (accepted["taxon_name"], accepted["taxon_rank"]) == ("Carex × abitibiana", "Species")
    assert accepted["accepted_plant_name_id"] == "kew-1", "an accepted name is accepted as itself"
    assert (synonym["taxon_name"], synonym["taxon_rank"]) == ("Carex ablata var. luzuliformis", "Variety")
    assert (unresolved["taxon_status"], unresolved["infraspecific_rank"]) == ("Unplaced", "var.")
    assert unresolved["accepted_plant_name_id"] is None


def test_parquet_reads_like_text(tmp_path: Path) -> None:
    lines = [line.split(",") for line in TPL_TEXT.replace('"', "").lstrip("\ufeff").splitlines()]
    table = pa.table({name: [line[at] for line in lines[1:]] for at, name in enumerate(lines[0])})
    assert read(write(tmp_path, parquet_bytes(table), "tpl.parquet"), TPL) == read(write(tmp_path, TPL_TEXT), TPL)


FAULTS = {
    "no such column": (TPL_TEXT, TPL | {"species": "Epithet"}, "has no column 'Epithet'; its columns are: ID, Family,"),
    "no mapping": (TPL_TEXT, {}, "has no column 'plant_name_id', 'taxon_status', 'genus', 'species'"),
    "no such column of WCVP": (TPL_TEXT, {"epithet": "Species"}, "wcvp.mapping: epithet is no column of WCVP"),
    "one column": ("just a line\nof text\n", {}, "has one column, 'just a line'; a backbone is a table cut by"),
    "a picture": (b"\x89PNG\r\n\x1a\n", {}, "is an image, not a table of text"),
    "a broken zip": (b"PK\x03\x04 no zip", {}, "is a damaged zip"),
    "a broken Parquet file": (b"PAR1 no parquet", {}, "is a damaged Parquet file"),
    "empty": ("", {}, "is empty; the backbone needs a line of headings"),
}


@pytest.mark.parametrize(("data", "mapping", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_is_told_of_a_bad_backbone(
    tmp_path: Path, data: str | bytes, mapping: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Fault) as fault:
        read_backbone(write(tmp_path, data), mapping)
    assert sentence in str(fault.value)


def test_a_zip_of_several_tables_asks_which(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "y")
    with pytest.raises(Fault, match=r"holds a\.csv, b\.csv; unpack it and name the table of names"):
        read_backbone(tmp_path / "two.zip", {})
