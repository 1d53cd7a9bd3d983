"""Lists in every format that people keep them in, and one clear sentence about what is none."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_tables import archive, locked, spreadsheet, write, zipped

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.names import packed
from naflora_etl.names.checklist import read_checklists
from naflora_etl.names.namelist import read_name_list
from naflora_etl.recipe import ChecklistOptions

TEXT = "id,Scientific Name,Author,note\n7,Poa annua,L.,common\n8,Poa alpina,L.,\n"
CELLS = [line.split(",") for line in TEXT.splitlines()]
TABLE = pa.table({name: [row[at] for row in CELLS[1:]] for at, name in enumerate(CELLS[0])})
FORMATS: dict[str, tuple[str, bytes]] = {
    "CSV": ("a.csv", TEXT.encode()),
    "TSV": ("a.tsv", TEXT.replace(",", "\t").encode()),
    "pipes": ("a.txt", TEXT.replace(",", "|").encode()),
    "semicolons, old line ends": ("a.txt", TEXT.replace(",", ";").replace("\n", "\r").encode()),
    "gzip": ("a.csv.gz", gzip.compress(TEXT.encode())),
    "zip": ("a.zip", zipped({"a/list.csv": TEXT, "a/README.txt": "Read me.", "__MACOSX/a/._list.csv": "x"})),
    "XLSX": ("a.xlsx", spreadsheet(CELLS)),
    "XLSX with a title and an empty first sheet": ("a.xlsx", spreadsheet([], [["Plants"], [], *CELLS])),
    "XLSX in a zip": ("a.zip", zipped({"list.xlsx": spreadsheet(CELLS)})),
    "Parquet": ("a.parquet", parquet_bytes(TABLE)),
    "Parquet in a zip": ("a.zip", zipped({"list.parquet": parquet_bytes(TABLE)})),
}


@pytest.mark.parametrize(("name", "data"), FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_names(tmp_path: Path, name: str, data: bytes) -> None:
    path = write(tmp_path, data, name)
    rows = read_checklists([path], ChecklistOptions()).to_pylist()
    columns = ("taxonID", "scientificName", "scientificNameAuthorship")
    read = [tuple(row[name] for name in columns) for row in rows if not row["issue"]]
    assert read == [("7", "Poa annua", "L."), ("8", "Poa alpina", "L.")]
    names = read_name_list(path)
    assert names.table.column_names == CELLS[0]
    assert [row for row in names.table.to_pylist() if row["id"] in ("7", "8")] == [
        {"id": "7", "Scientific Name": "Poa annua", "Author": "L.", "note": "common"},
        {"id": "8", "Scientific Name": "Poa alpina", "Author": "L.", "note": None},
    ]
    assert (names.name_column, names.author_column) == ("Scientific Name", "Author")


def test_a_spreadsheets_numbers_and_gaps_are_text(tmp_path: Path) -> None:
    data = spreadsheet([["name", "year", "share"], ["Poa annua", 1753, 0.5], [], ["Poa alpina", None, None]])
    names = read_name_list(write(tmp_path, data, "a.xlsx"))
    assert names.table.to_pylist() == [
        {"name": "Poa annua", "year": "1753", "share": "0.5"},
        {"name": "Poa alpina", "year": None, "share": None},
    ]
    assert names.lines == [2, 4]


def test_parquet_of_other_types_is_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "name": pa.array(["Poa annua", None]).dictionary_encode(),
            "id": [1.0, None],
            "when": pa.array([0, None], pa.timestamp("s")),
            "many": [["a"], None],
        }
    )
    names = read_name_list(write(tmp_path, parquet_bytes(table), "a.parquet"))
    assert names.table["id"].to_pylist() == ["1", None]
    assert names.issues == [None, "CHECKLIST_ROW_UNREADABLE"]


def test_a_list_to_be_matched_keeps_all_its_columns_and_rows_untouched(tmp_path: Path) -> None:
    text = "what,,what,by\nPoa annua &amp; co,x,1,L.\nPoa alpina,,2\n\n,,,\nwhat,,what,by\nPoa laxa,,3,  L. f.  \n"
    names = read_name_list(write(tmp_path, text), "what", "BY")
    assert names.table.column_names == ["what", "column 2", "what 2", "by"]
    assert names.table["what"].to_pylist() == ["Poa annua &amp; co", "Poa alpina", None, "what", "Poa laxa"]
    assert names.names == ["Poa annua & co", None, None, None, "Poa laxa"], "what is matched is mended"
    assert names.authors == ["L.", None, None, None, "L. f."]
    assert names.mended == ["entities", None, None, None, None]
    assert names.lines == [2, 3, 5, 6, 7]
    unreadable, heading = "CHECKLIST_ROW_UNREADABLE", "CHECKLIST_ROW_IS_HEADING"
    assert names.issues == [None, unreadable, unreadable, heading, None]


def test_a_plain_list_and_one_with_a_heading_of_its_own(tmp_path: Path) -> None:
    plain = read_name_list(write(tmp_path, 'Poa annua L.\n"Poa alpina"\nAbies religiosa Debreczy, Rácz & Guízar\n'))
    assert plain.name_column == "scientificName"
    assert plain.names == ["Poa annua L.", "Poa alpina", "Abies religiosa Debreczy, Rácz & Guízar"]
    assert read_name_list(write(tmp_path, "Labelled\nPoa annua\n"), "Labelled").names == ["Poa annua"]


def bomb(size: int = 70 << 20) -> bytes:
    return zipped({"list.csv": b"name\n" + b"Poa annua\n" * (size // 10)})


def lying_bomb() -> bytes:
    """Return a zip that says of its file that it is small."""
    body = bytearray(zipped({"list.csv": b"name\n" + b"Poa annua\n" * 100_000}))
    at = body.find(b"PK\x01\x02") + 24
    body[at : at + 4] = (1000).to_bytes(4, "little")
    return bytes(body)


def test_the_name_beside_what_it_was_taken_for(tmp_path: Path) -> None:
    path = write(tmp_path, "name,accepted_name\nPinus balsamea,Abies balsamea\n")
    assert read_name_list(path).names == ["Pinus balsamea"]
    alone = write(tmp_path, "id,accepted_name,species\n1,Abies balsamea,balsamea\n")
    assert read_name_list(alone).names == ["Abies balsamea"]


def test_a_zip_of_nothing_holds_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({}))
    with pytest.raises(Fault, match="holds no table"):
        read_name_list(path)


HTML = "<!DOCTYPE html>\n<html><body><table><tr><td>name</td></tr></table></body></html>"
FAULTS: dict[str, tuple[str, str | bytes | Callable[[], bytes], str]] = {
    "empty": ("a.csv", b"", "is empty; a checklist needs a line of headings and rows under it."),
    "only spaces": ("a.csv", b"\xef\xbb\xbf \r\n", "is empty"),
    "only headings": ("a.csv", "id,value\n", "has no column of names; its columns are: id, value."),
    "NUL bytes": ("a.csv", b"name\nPoa\0annua\n", "is not text (it holds NUL bytes, line 2)"),
    "a web page": ("a.csv", HTML, "is a web page, not a table; download the file itself."),
    "a web page saved by a spreadsheet": (
        "a.xls",
        '<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta charset="utf-8">',
        "is a web page, not a table",
    ),
    "a web page that begins late": ("a.csv", "\n\n  <!-- saved -->\n<head><title>x</title>", "is a web page"),
    "XML": ("a.csv", '<?xml version="1.0"?><names/>', "is an XML document, not a table of text"),
    "XLSX that is a web page": ("a.xlsx", HTML, "is a web page, not a table"),
    "no text": ("a.csv", b"name\n\x81\x8d\xff\n", "is neither UTF-8 nor Windows-1252 text (line 2)"),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n", "is an image, not a table of text; save it as CSV or TSV."),
    "a PDF": ("a.csv", b"%PDF-1.7\n", "is a PDF, not a table of text"),
    "a database": ("a.csv", b"SQLite format 3\0", "is a SQLite database"),
    "no names": ("a.csv", "id,value\n1,2\n", "has no column of names; its columns are: id, value. Say which one with"),
    "names under a heading of their own": (
        "a.csv",
        "id,was\n1,Poa annua\n2,Poa alpina\n",
        "its columns are: id, was. 'was' seems to hold them: say so with checklist.name_column.",
    ),
    "a delimiter that nobody uses": (
        "a.csv",
        "id:taxon name:b\n1:Poa annua:c\n",
        "has no column of names; its columns are: id:taxon name:b. Say which one with checklist.name_column, and check",
    ),
    "another delimiter under the headings": (
        "a.csv",
        "id,name,family\n1;Poa annua;Poaceae\n2;Poa alpina;Poaceae\n",
        "none of its 2 rows has the 3 cells of its headings (id, name, family), which are cut by ','; line 2 has 1.",
    ),
    "a broken zip": ("a.zip", b"PK\x03\x04...", "is a damaged zip (File is not a zip file); download it again."),
    "a zip cut short": ("a.zip", zipped({"a.csv": TEXT * 99})[:-40], "is a damaged zip"),
    "a zip of two tables": ("a.zip", zipped({"a.csv": TEXT, "b.csv": TEXT}), "holds a.csv, b.csv; a checklist is one"),
    "a zip without a table": ("a.zip", zipped({"a.doc": "x"}), "holds no table; a checklist is one table"),
    "an empty zip": ("a.zip", zipped({"a.csv": ""}), "a.csv is empty"),
    "a zip in a zip": ("a.zip", zipped({"a.zip": zipped({"a.csv": TEXT})}), "holds no table"),
    "a locked zip": ("a.zip", locked(zipped({"a.csv": TEXT})), "is locked with a password; unpack it"),
    "a bomb": ("a.zip", bomb, "would unpack to 73,400,325 bytes out of"),
    "a bomb that lies": ("a.zip", lying_bomb, "is a damaged zip"),
    "a bomb as a spreadsheet": (
        "a.xlsx",
        lambda: zipped({"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": b"<c/>" * (20 << 20)}),
        "would unpack to 83,886,080 bytes",
    ),
    "a broken spreadsheet": ("a.xlsx", zipped({"xl/workbook.xml": "<workbook"}), "cannot be read as a spreadsheet"),
    "an empty spreadsheet": ("a.xlsx", spreadsheet([]), "is empty; a checklist needs a line of headings"),
    "a spreadsheet without names": ("a.xlsx", spreadsheet([["id", "b"], ["1", "2"]]), "has no column of names; its"),
    "old Excel that is none": ("a.xls", b"\xd0\xcf\x11\xe0" * 200, "cannot be read as a spreadsheet"),
    "a broken gzip": ("a.csv.gz", gzip.compress(TEXT.encode())[:-12], "is a damaged gzip file"),
    "Parquet cut short": ("a.parquet", parquet_bytes(TABLE)[:-20], "is a damaged Parquet file"),
    "Parquet without names": ("a.parquet", parquet_bytes(pa.table({"a": [1]})), "has no column of names; its"),
    "an archive without its core": (
        "a.zip",
        zipped({k: v for k, v in archive([{"id": "1", "scientificName": "Poa annua"}]).items() if k != "taxon.txt"}),
        "its meta.xml promises taxon.txt, which is not in it; download it again.",
    ),
    "an archive that is no XML": ("a.zip", zipped({"meta.xml": "<archive"}), "its meta.xml cannot be followed"),
    "an archive that defines entities": (
        "a.zip",
        zipped({"meta.xml": '<!DOCTYPE a [<!ENTITY b "c">]><archive/>', "taxon.txt": "x"}),
        "its meta.xml defines entities of its own",
    ),
    "an archive that reaches out of itself": (
        "a.zip",
        zipped({"meta.xml": "<archive><core><files><location>../etc</location></files></core></archive>"}),
        "meta.xml cannot be followed (no file in core)",
    ),
    "an archive of records": (
        "a.zip",
        zipped(
            {
                "meta.xml": '<archive><core rowType="http://rs.tdwg.org/dwc/terms/Occurrence"><files><location>o.txt'
                '</location></files><id index="0"/></core></archive>',
                "o.txt": "1\n",
            }
        ),
        "is an archive of occurrence rows, not of names; a checklist has Taxon rows.",
    ),
}


@pytest.mark.parametrize(("name", "data", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_is_told_of_a_bad_file(
    tmp_path: Path, name: str, data: str | bytes | Callable[[], bytes], sentence: str
) -> None:
    path = write(tmp_path, data() if callable(data) else data, name)
    with pytest.raises(Fault) as fault:
        read_checklists([path], ChecklistOptions())
    assert sentence in str(fault.value)
    assert name in str(fault.value) and "\n" not in str(fault.value)


def test_what_is_told_of_no_file_and_of_folders(tmp_path: Path) -> None:
    said: list[tuple[Path, str, dict[str, Any]]] = [
        (tmp_path / "absent.csv", "no such file; correct the path of a checklist", {}),
        (tmp_path, "is a folder without a meta.xml, so no Darwin Core archive; name the file in it.", {}),
        (
            write(tmp_path, TEXT),
            "has no column 'nom'; its columns are: id, Scientific Name, Author, note. Say which",
            {"name_column": "nom"},
        ),
        (write(tmp_path, TEXT), "has no column 'von'; its columns are: id, Sci", {"author_column": "von"}),
    ]
    for path, sentence, knobs in said:
        with pytest.raises(Fault) as fault:
            read_checklists([path], ChecklistOptions(**knobs))
        assert sentence in str(fault.value)
    with pytest.raises(Fault, match=r"Say which one with --name-column, and check the delimiter\."):
        read_name_list(write(tmp_path, "id,value\n1,2\n"))


def test_no_more_is_unpacked_than_a_list_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, gzip.compress(b"name\n" + b"Poa annua\n" * 1000), "a.csv.gz")
    with pytest.raises(Fault, match="unpacks to more than 999 bytes, which no list of names does"):
        packed.read_unpacked(path, "a checklist", most=999)
    plain = write(tmp_path, "name\nPoa annua\n" * 100)
    with pytest.raises(Fault, match="has 1,500 bytes; a checklist has at most 999"):
        packed.read_unpacked(plain, "a checklist", most=999)
    pack = packed.open_pack(write(tmp_path, zipped({"a.csv": "x" * 1000}, zipfile.ZIP_STORED), "a.zip"))
    assert pack is not None
    with pytest.raises(Fault, match="unpacks to more than 999 bytes"):
        pack.read("a.csv", most=999)
    monkeypatch.setattr(packed, "MOST_BYTES_OF_A_LIST", 999)
    with pytest.raises(Fault, match="unpacks to more than 999 bytes"):
        packed.check_spreadsheet(spreadsheet([["name"], *[["Poa annua"]] * 99]), Path("a.xlsx"))
