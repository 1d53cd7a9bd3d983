"""Checklists as they come, and what is told of those that cannot be read."""

from pathlib import Path

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.names.checklist import read_checklists
from naflora_etl.recipe import ChecklistOptions

TROPICOS = (
    "Family\t!\tScientific Name\tAuthor\tReference\tDate\r\n"
    '"Apiaceae"\t"!!"\t"Apiaceae"\t"Lindl."\t"Intr. Nat. Syst."\t"1836"\r\n'
    '"Scrophulariaceae"\t""\t"Bontia daphnoides"\t"L."\t"Sp. Pl. 2: 638 [as "938"]"\t"1753"\r\n'
    '"Cyperaceae"\t""\t"Carex alba"\t"Scop."\r\n'
)


def write(folder: Path, text: str | bytes, name: str = "My List.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def read(path: Path, **knobs: str) -> list[dict[str, object]]:
    return read_checklists([path], ChecklistOptions(**knobs)).to_pylist()


def test_a_tropicos_export_with_quotation_marks_inside_its_cells(tmp_path: Path) -> None:
    rows = read(write(tmp_path, TROPICOS, "Tropicos_US.dat"))
    assert [row["checklist_key"] for row in rows] == ["tropicos-us:2", "tropicos-us:3", "tropicos-us:4"]
    assert rows[1] == {
        "checklist_key": "tropicos-us:3",
        "source_file": "Tropicos_US.dat",
        "line": 3,
        "scientificName": "Bontia daphnoides",
        "scientificNameAuthorship": "L.",
        "taxonRank": None,
        "family": "Scrophulariaceae",
        "issue": None,
    }
    assert rows[2]["issue"] == "CHECKLIST_ROW_UNREADABLE", "its last two cells are missing"
    assert "Carex alba" in str(rows[2]["scientificName"])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("NameID,Name\r\n1,Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García\r\n", "cp1252"),
        ("NameID,Name\n1,Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García\n", "utf-8-sig"),
        ("id;scientific_name\n1;Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García", "utf-16"),
        ("Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García\n", "utf-8"),
        ("taxonID\tscientificName\n1\tAmyris jorgemeavei Hern.-BarÃ³n, Espejo &amp; PÃ©rez-GarcÃ­a\n", "utf-8"),
    ],
    ids=["cp1252, names cut by commas", "UTF-8 with a mark", "UTF-16", "a plain list", "mojibake and entities"],
)
def test_encodings_and_delimiters_are_found(tmp_path: Path, text: str, encoding: str) -> None:
    (row,) = read(write(tmp_path, text, encoding=encoding))
    assert row["scientificName"] == "Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García"
    assert row["issue"] is None


def test_a_quoted_cell_may_run_over_lines_and_one_that_never_ends_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = read(
        write(tmp_path, 'name,note,rank\nPoa annua,"two\nlines",sp\nPoa alpina,"never ends,sp\nPoa pratensis,,sp\n')
    )
    assert [(row["line"], row["scientificName"], row["issue"]) for row in rows] == [
        (2, "Poa annua", None),
        (4, None, "CHECKLIST_ROW_UNREADABLE"),
        (5, "Poa pratensis", None),
    ]


def test_no_row_vanishes_but_blank_lines(tmp_path: Path) -> None:
    rows = read(write(tmp_path, "name,family\nPoa annua,Poaceae\n\n,Poaceae\nPoa alpina\nPoa alba,x,y\n"))
    assert [(row["line"], row["issue"] is None) for row in rows] == [(2, True), (4, False), (5, False), (6, False)]


def test_a_column_may_be_named_and_authors_kept_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "what,by whom,rank\nPoa annua,L.,species\n")
    (row,) = read(path, name_column="what", author_column="by whom")
    assert (row["scientificName"], row["scientificNameAuthorship"], row["taxonRank"]) == ("Poa annua", "L.", "species")


def test_files_with_the_same_name_keep_their_keys_apart(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [write(tmp_path, "Poa annua\n"), write(tmp_path / "other", "Poa alpina\n")]
    assert read_checklists(paths, ChecklistOptions())["checklist_key"].to_pylist() == ["my-list:1", "my-list-2:1"]


FAULTS = {
    "empty": (b"", "is empty; a checklist needs a line of headings and rows under it."),
    "only spaces": (b"\xef\xbb\xbf \r\n", "is empty"),
    "zip": (b"PK\x03\x04...", "is a zip or spreadsheet file, not a table of text; save it as CSV or TSV."),
    "NUL bytes": (b"name\nPoa\0annua\n", "is not text (it holds NUL bytes)"),
    "web page": (b"<!DOCTYPE html><html><body>name</body></html>", "is a web page, not a table"),
    "no text": (b"name\n\x81\x8d\xff\n", "is neither UTF-8 nor Windows-1252 text (line 2)"),
    "no names": (
        b"id,value\n1,2\n",
        "has no column of names; its columns are: id, value. Say which one with checklist.",
    ),
    "wrong delimiter": (
        b"id:taxon name:b\n1:Poa annua:c\n",
        "has no column of names; its columns are: id:taxon name:b",
    ),
}


@pytest.mark.parametrize(("data", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_is_told_of_a_bad_file(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(Fault) as fault:
        read(write(tmp_path, data))
    assert sentence in str(fault.value)
    assert "My List.csv" in str(fault.value)


def test_what_is_told_of_no_file(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="no such file; correct the path of a checklist"):
        read(tmp_path / "absent.csv")
    with pytest.raises(Fault, match="is a folder"):
        read(tmp_path)
    with pytest.raises(Fault, match=r"checklist\.paths is empty"):
        read_checklists([], ChecklistOptions())
    with pytest.raises(Fault, match=r"no column 'nom'; its columns are: name, family\..*checklist\.name_column"):
        read(write(tmp_path, "name,family\nPoa annua,Poaceae\n"), name_column="nom")
