"""WCVP as it is downloaded, and other backbones by a mapping."""

import gzip
import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import archive, locked, spreadsheet, write, zipped

from naflora_etl.engine.contracts import check_table, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.names import backbone_cache
from naflora_etl.names.backbone import describe_backbone, read_backbone

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


def read(path: Path, mapping: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    table = read_backbone(path, mapping or {})
    assert check_table(table, read_contract("wcvp")) == []
    return table.to_pylist()


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
    "a web page": ('<html lang="en"><head><meta charset="utf-8; x"></head></html>', {}, "is a web page, not a table"),
    "an XLSX": (spreadsheet([["plant_name_id"]]), {}, "is a spreadsheet, not a table of text; save it as CSV or TSV."),
    "an XLSX in a zip": (zipped({"a.xlsx": spreadsheet([["a"]])}), {}, "is a spreadsheet, not a table of text"),
    "a locked zip": (locked(zipped({"a.csv": HEADER})), {}, "is locked with a password; unpack it and name the table"),
    "a zip without a table": (zipped({"README.txt": "x"}), {}, "holds no table; unpack it and name the table of names"),
    "an empty table in a zip": (zipped({"wcvp_names.csv": "\n"}), {}, "wcvp_names.csv is empty"),
    "a bomb": (
        lambda: zipped({"wcvp_names.csv": b"a|b\n" * (20 << 20)}),
        {},
        "wcvp_names.csv would unpack to 83,886,080 bytes out of",
    ),
    "a broken gzip": (gzip.compress(TPL_TEXT.encode())[:-9], TPL, "is a damaged gzip file"),
    "Parquet cut short": (parquet_bytes(pa.table({"a": ["b"]}))[:-9], {}, "is a damaged Parquet file"),
    "a title above the headings": (f"WCVP, version 14\n{HEADER}\n{ROW}\n", {}, "has no column 'plant_name_id', 'tax"),
    "NUL bytes": (HEADER.replace("|", "|\0") + "\n", {}, "is not text (it holds NUL bytes, line 1)"),
    "a broken Parquet file": (b"PAR1 no parquet", {}, "is a damaged Parquet file"),
    "empty": ("", {}, "is empty; the backbone needs a line of headings"),
    "no accepted ids": (
        "taxonID,scientificName,taxonomicStatus\n1,Poa,accepted\n",
        {},
        "has no column 'acceptedNameUsageID'; its columns are: taxonID, scientificName, taxonomicStatus. Say with",
    ),
}


@pytest.mark.parametrize(("data", "mapping", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_is_told_of_a_bad_backbone(
    tmp_path: Path, data: str | bytes | Callable[[], bytes], mapping: dict[str, str], sentence: str
) -> None:
    path = write(tmp_path, data() if callable(data) else data)
    with pytest.raises(Fault) as fault:
        read_backbone(path, mapping)
    assert sentence in str(fault.value)
    assert str(path) in str(fault.value) or "wcvp.mapping" in str(fault.value)


def test_what_is_told_of_no_backbone(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="no such file; correct the path of the backbone"):
        read_backbone(tmp_path / "absent.csv", {})
    with pytest.raises(Fault, match="is a folder that holds no table; name the table of names"):
        read_backbone(tmp_path, {})


def test_a_zip_of_several_tables_asks_which(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "y")
    with pytest.raises(Fault, match=r"holds a\.csv, b\.csv; unpack it and name the table of names"):
        read_backbone(tmp_path / "two.zip", {})


VERSION_5 = (
    "kew_id|family|genus|species|infraspecies|taxon_name|authors|rank|taxonomic_status|accepted_kew_id|accepted_name|"
    "accepted_authors|parent_kew_id|parent_name|parent_authors|reviewed|publication|original_name_id\n"
    "1-1|Poaceae|Poa|annua||Poa annua|L.|SPECIES|Accepted||||9-1|Poa|L.|Reviewed|Sp. Pl. 1: 68 (1753)|\n"
    "2-1|Poaceae|Aira|pumila||Aira pumila|Pursh|SPECIES|Homotypic_Synonym|1-1|Poa annua|L.|||||x|\n"
    "3-wcs|Poaceae|Poa|annua|exigua|Poa annua var. exigua|Hook.|VARIETY|Synonym||Poa annua|L.|||||x|\n"
    "4-1|Poaceae|Poa|× nannfeldtii||Poa × nannfeldtii|H.Scholz|SPECIES|Artificial Hybrid|4-1|||||||x|\n"
    "5-1|Poaceae|Poa|dubia||Poa dubia|L.|SPECIES|Unplaced||||||||x|\n"
    "9-1|Poaceae|Poa|||Poa|L.|GENUS|Accepted||||||||x|\n"
)


def test_wcvp_up_to_its_version_5(tmp_path: Path) -> None:
    path = write(tmp_path, zipped({"wcvp_v5_jun_2021.txt": VERSION_5, "readme.txt": "see Kew"}), "wcvp_v5_jun_2021.zip")
    rows = {row["plant_name_id"]: row for row in read(path)}
    columns = ("taxon_rank", "taxon_status", "accepted_plant_name_id", "homotypic_synonym", "ipni_id")
    assert {key: tuple(row[name] for name in columns) for key, row in rows.items()} == {
        "1-1": ("Species", "Accepted", "1-1", None, "1-1"),
        "2-1": ("Species", "Synonym", "1-1", "T", "2-1"),
        "3-wcs": ("Variety", "Synonym", "1-1", None, None),
        "4-1": ("Species", "Artificial Hybrid", "4-1", None, "4-1"),
        "5-1": ("Species", "Unplaced", None, None, "5-1"),
        "9-1": ("Genus", "Accepted", "9-1", None, "9-1"),
    }, "an accepted name that is given inline alone is found by its name and authors"
    hybrid, variety = rows["4-1"], rows["3-wcs"]
    assert (hybrid["genus"], hybrid["species_hybrid"], hybrid["species"]) == ("Poa", "×", "nannfeldtii")
    assert (variety["infraspecific_rank"], variety["infraspecies"]) == ("var.", "exigua")
    about = describe_backbone(read_backbone(path, {}).schema.metadata)
    assert about is not None
    assert (about.layout, about.version, about.sha256) == (
        "wcvp-v5",
        "5, Jun 2021",
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


KEWS_ARCHIVE = (
    "taxonid|family|genus|specificepithet|infraspecificepithet|scientfiicname|scientfiicnameauthorship|taxonrank|"
    "taxonomicstatus|acceptednameusageid|parentnameusageid|originalnameusageid|namepublishedin|nomenclaturalstatus|"
    "taxonremarks|scientificnameid|dynamicproperties|references\n"
    '1|Poaceae|Poa|annua||Poa annua|L.|Species|Accepted|1|||Sp. Pl.: 68 (1753)||Europe|ipni:320035-2|'
    '{"powoid":"320035-2","lifeform":"","homotypicsynonym":"","hybridformula":""}|x\n'
    '2|Poaceae|Aira|pumila||Aira pumila|Pursh|Species|Synonym|1|||x|| "N. "America|ipni:396021-1|{"powoid":"396021-1",'
    '"homotypicsynonym":"T"}|x\n'
)
META = """<archive xmlns="http://rs.tdwg.org/dwc/text/">
 <core encoding="UTF-8" fieldsTerminatedBy="|" fieldsEnclosedBy="" ignoreHeaderLines="1" rowType="http://rs.tdwg.org/dwc/terms/Taxon"><files><location>wcvp_taxon.csv</location></files>
 <id index="0"/>{fields}</core></archive>"""
TERMS = """
taxonID family genus specificEpithet infraspecificEpithet scientificName scientificNameAuthorship taxonRank
taxonomicStatus acceptedNameUsageID parentNameUsageID originalNameUsageID namePublishedIn nomenclaturalStatus
taxonRemarks scientificNameID dynamicProperties references
"""


def test_kews_darwin_core_archive_and_its_table_alone(tmp_path: Path) -> None:
    fields = "".join(f'<field index="{at}" term="x/{term}"/>' for at, term in enumerate(TERMS.split()))
    files = {"meta.xml": META.format(fields=fields), "wcvp_taxon.csv": KEWS_ARCHIVE, "wcvp_distribution.csv": "a|b"}
    files["eml.xml"] = "<eml><pubDate> 2026-06-04\n</pubDate></eml>"
    packed = write(tmp_path, zipped(files), "wcvp_dwca.zip")
    rows = read(packed)
    assert rows == read(write(tmp_path, KEWS_ARCHIVE, "wcvp_taxon.csv"))
    columns = ("taxon_name", "taxon_authors", "ipni_id", "powo_id", "homotypic_synonym", "accepted_plant_name_id")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("Poa annua", "L.", "320035-2", "320035-2", None, "1"),
        ("Aira pumila", "Pursh", "396021-1", "396021-1", "T", "1"),
    ]
    about = describe_backbone(read_backbone(packed, {}).schema.metadata)
    assert about is not None and (about.layout, about.version) == ("darwin-core", "2026-06-04")


DARWIN_CORE = [
    {"taxonID": "a", "scientificName": "Poa annua L.", "scientificNameAuthorship": "L.", "taxonRank": "species",
     "taxonomicStatus": "accepted", "acceptedNameUsageID": "", "family": "Poaceae", "genus": "Poa"},
    {"taxonID": "b", "scientificName": "Aira pumila Pursh", "scientificNameAuthorship": "", "taxonRank": "SPECIES",
     "taxonomicStatus": "heterotypicSynonym", "acceptedNameUsageID": "a", "family": "Poaceae", "genus": "Poa"},
    {"taxonID": "c", "scientificName": "Poa annua var. exigua", "scientificNameAuthorship": "Hook.",
     "taxonRank": "variety", "taxonomicStatus": "homotypic synonym", "acceptedNameUsageID": "a",
     "family": "Poaceae", "genus": "Poa"},
    {"taxonID": "d", "scientificName": "Poaceae", "scientificNameAuthorship": "Barnhart", "taxonRank": "family",
     "taxonomicStatus": "accepted", "acceptedNameUsageID": "", "family": "Poaceae", "genus": ""},
    {"taxonID": "e", "scientificName": "×Pucciphippsia vacillans (Th.Fr.) Tzvelev", "scientificNameAuthorship":
     "(Th.Fr.) Tzvelev", "taxonRank": "species", "taxonomicStatus": "doubtful", "acceptedNameUsageID": "",
     "family": "Poaceae", "genus": "Pucciphippsia"},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "tsv", "quoted", "parquet", "archive", "mapped"])
def test_darwin_cores_own_headings_as_they_stand(tmp_path: Path, kind: str) -> None:
    lines = [list(DARWIN_CORE[0]), *(list(row.values()) for row in DARWIN_CORE)]
    mapping = {}
    if kind == "parquet":
        path = write(tmp_path, parquet_bytes(pa.Table.from_pylist(DARWIN_CORE)), "names.parquet")
    elif kind == "archive":
        path = write(tmp_path, zipped(archive([{"id": row["taxonID"]} | row for row in DARWIN_CORE])), "gbif.zip")
    elif kind == "quoted":
        path = write(tmp_path, "\n".join("\t".join(f'"{cell}"' for cell in line) for line in lines))
    else:
        cut = "\t" if kind == "tsv" else ","
        path = write(tmp_path, "\n".join(cut.join(line) for line in lines))
    if kind == "mapped":
        path.write_text(path.read_text().replace("taxonomicStatus", "state"))
        mapping = {"taxonomicStatus": "state"}
    rows = {row["plant_name_id"]: row for row in read(path, mapping)}
    columns = ("taxon_name", "taxon_authors", "genus", "taxon_rank", "taxon_status", "accepted_plant_name_id", "issue")
    assert {key: tuple(row[name] for name in columns) for key, row in rows.items()} == {
        "a": ("Poa annua", "L.", "Poa", "Species", "Accepted", "a", None),
        "b": ("Aira pumila", "Pursh", "Aira", "Species", "Synonym", "a", None),
        "c": ("Poa annua var. exigua", "Hook.", "Poa", "Variety", "Synonym", "a", None),
        "d": ("Poaceae", "Barnhart", "", "Family", "Accepted", "d", "RANK_NOT_WANTED"),
        "e": ("×Pucciphippsia vacillans", "(Th.Fr.) Tzvelev", "Pucciphippsia", "Species", "Unplaced", None, None),
    }, "Darwin Core's genus is the accepted name's, so a synonym's is read out of its name"
    assert rows["e"]["genus_hybrid"] == "×" and rows["c"]["homotypic_synonym"] == "T"


LEADING = {
    "to itself": ("1|1", None),
    "to nothing": ("1|", None),
    "to what is not there": ("1|7", "BACKBONE_ACCEPTED_MISSING"),
    "by a chain": ("1|2\n2|3\n3|3", None),
    "by a chain to what is not there": ("1|2\n2|3\n3|7", "BACKBONE_ACCEPTED_MISSING"),
    "by a chain to nothing": ("1|2\n2|3\n3|", None),
    "round a ring of two": ("1|2\n2|1", "BACKBONE_ACCEPTED_CYCLIC"),
    "into a ring of three": ("1|2\n2|3\n3|4\n4|2", "BACKBONE_ACCEPTED_CYCLIC"),
    "to a row that cannot be used": ("1|x\nx|x|none", "BACKBONE_ACCEPTED_MISSING"),
}


@pytest.mark.parametrize(("links", "remark"), LEADING.values(), ids=LEADING)
def test_where_accepted_ids_lead(tmp_path: Path, links: str, remark: str | None) -> None:
    lines = [f"{line}|" if line.count("|") == 2 else f"{line}|Synonym|" for line in links.split("\n")]
    text = "plant_name_id|accepted_plant_name_id|taxon_status|genus|species\n"
    text += "\n".join(f"{line}|annua" if "none" in line else f"{line}Poa|annua" for line in lines).replace("none|", "|")
    first = read(write(tmp_path, text))[0]
    assert (first["remark"], first["issue"]) == (remark, None), "a row in use hides no other by being set aside"


def test_two_lines_of_headings_huge_cells_and_nul_bytes_cost_their_own_rows(tmp_path: Path) -> None:
    huge, nul = ROW.replace("Europe", "x" * 2_000_000), ROW.replace("535677", "9").replace("|Poa ×", "|Poa\0×")
    long = ROW.replace("535677", "8").replace("|Poa ×", f"|Poa {'x' * 2_000_000}×")
    rows = read(write(tmp_path, f"{HEADER}\n{HEADER}\n{huge}\n{nul}\n{long}\n"))
    unreadable = "BACKBONE_ROW_UNREADABLE"
    assert [row["issue"] for row in rows] == [unreadable, None, unreadable, unreadable]


def test_a_table_of_two_encodings_and_one_with_quotations_over_lines(tmp_path: Path) -> None:
    head = "plant_name_id,taxon_status,genus,species,taxon_authors,accepted_plant_name_id\n"
    mixed = head.encode() + "1,Accepted,Poa,annua,Löve,\n".encode() + "2,Accepted,Poa,alba,Müll.,\n".encode("cp1252")
    assert [row["taxon_authors"] for row in read(write(tmp_path, mixed))] == ["Löve", "Müll."]
    lines = f'{head}1,Accepted,Poa,annua,"L.\nf.",\n2,Accepted,Poa,"alba\n3,Accepted,Poa,alpina,L.,\n'
    rows = read(write(tmp_path, lines))
    assert [(row["plant_name_id"], row["species"], row["issue"]) for row in rows] == [
        ("1", "annua", None),
        ("3", "alpina", None),
        ("line:4", None, "BACKBONE_ROW_UNREADABLE"),
    ]


LETTERS = st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])


@given(
    st.lists(
        st.lists(st.text(LETTERS, max_size=8), max_size=7)
        | st.lists(st.sampled_from(["1", "2", "Poa", "annua", "Accepted", "", '"', '"a']), min_size=5, max_size=5),
        max_size=8,
    ),
    st.sampled_from(["|", ",", "\t"]),
)
@settings(max_examples=100, deadline=None)
def test_every_line_of_any_text_comes_back_as_a_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], cut: str
) -> None:
    header = cut.join(["plant_name_id", "taxon_status", "genus", "species", "accepted_plant_name_id"])
    lines = [cut.join(row) for row in rows]
    path = tmp_path_factory.mktemp("any") / "names.csv"
    path.write_bytes("\n".join([header, *lines]).encode())
    table = read_backbone(path, {})
    assert check_table(table, read_contract("wcvp")) == []
    joined = sum(value.count("\n") for name in table.column_names for value in table[name].to_pylist() if value)
    held = [line for line in lines if line]
    assert sum(1 for line in held if line.strip()) - joined <= len(table) <= len(held)


def test_a_large_backbone_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAFLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(backbone_cache, "LEAST_BYTES", 1)
    monkeypatch.setattr(backbone_cache, "MOST_KEPT", 2)
    path = write(tmp_path, f"{HEADER}\n{ROW}\n")
    folder = tmp_path / "cache/backbones"
    first = read_backbone(path, {})
    (kept,) = folder.iterdir()
    again = read_backbone(path, {})
    assert again.equals(first, check_metadata=True) and describe_backbone(again.schema.metadata)
    kept.write_bytes(kept.read_bytes()[:-50])
    assert read_backbone(path, {}).equals(first), "a damaged one is made again"
    path.write_text(f"{HEADER}\n{ROW}\n{ROW.replace('535677', '7')}\n")
    assert len(read_backbone(path, {})) == 2, "another file is another table, whatever its name"
    read_backbone(path, {"family": "genus"})
    assert len(list(folder.iterdir())) == 2, "the oldest go"
    assert read_backbone(path, {"family": "genus"})["family"].to_pylist() == ["Poa", "Poa"]
    monkeypatch.setenv("NAFLORA_CACHE", str(path))
    assert len(read_backbone(path, {})) == 2, "a folder that cannot be written to is done without"


VERSIONS: dict[str, tuple[str, dict[str, str | bytes], str | None]] = {
    "the file's name": ("wcvp_v13.zip", {}, "13"),
    "the readme": ("wcvp.zip", {"README_WCVP.txt": "World Checklist\nVersion: 14.1, January"}, "14.1"),
    "the readme as a spreadsheet": ("wcvp.zip", {"README_WCVP.xlsx": spreadsheet([["WCVP"], ["version", 12]])}, "12"),
    "a damaged readme": ("wcvp.zip", {"README_WCVP.xlsx": b"PK\x03\x04"}, None),
    "the archive's date": ("wcvp.zip", {"eml.xml": "<eml><pubDate>2026-06-04</pubDate></eml>"}, "2026-06-04"),
    "a date in a member's name": ("wcvp.zip", {"x/notes_2024-05.md": ""}, "2024-05"),
    "nothing": ("wcvp.zip", {"README.txt": "Hello"}, None),
}


@pytest.mark.parametrize(("name", "files", "version"), VERSIONS.values(), ids=VERSIONS)
def test_the_version_that_a_backbone_gives_for_itself(
    tmp_path: Path, name: str, files: dict[str, str | bytes], version: str | None
) -> None:
    path = write(tmp_path, zipped({"wcvp_names.csv": f"{HEADER}\n{ROW}\n"} | files), name)
    about = describe_backbone(read_backbone(path, {}).schema.metadata)
    assert about is not None and about.version == version
