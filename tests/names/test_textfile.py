"""Text whose encoding and delimiter nobody said: found, told, and no line lost."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naflora_etl.engine.faults import Fault
from naflora_etl.names.checklist import read_checklists
from naflora_etl.names.namelist import read_name_list
from naflora_etl.names.textfile import decode_lines
from naflora_etl.names.textrows import Cutting, read_text_rows
from naflora_etl.recipe import ChecklistOptions

AUTHORS = "Moçiño & Sessé, Hern.-Barón, Müll.Arg., Löve & D.Löve"
ENCODINGS = {
    "UTF-8": (AUTHORS.encode(), "utf-8"),
    "UTF-8 with a mark": (AUTHORS.encode("utf-8-sig"), "utf-8"),
    "UTF-16 with a mark": (AUTHORS.encode("utf-16"), "utf-16"),
    "UTF-16 without a mark": (AUTHORS.encode("utf-16-le"), "utf-16-le"),
    "the other UTF-16": (AUTHORS.encode("utf-16-be"), "utf-16-be"),
    "Windows": (AUTHORS.encode("cp1252"), "cp1252"),
    "an old Macintosh": (AUTHORS.encode("mac_roman"), "mac_roman"),
    "DOS": (AUTHORS.encode("cp850"), "cp850"),
}


@pytest.mark.parametrize(("data", "encoding"), ENCODINGS.values(), ids=ENCODINGS)
def test_encodings_are_found_and_told(data: bytes, encoding: str) -> None:
    assert decode_lines(data, "a.csv") == ([AUTHORS], [encoding])


def test_a_file_pasted_together_of_two_encodings_is_read_line_by_line() -> None:
    data = b"name\r\n" + "Poa Müll.Arg.\r\n".encode() + "Poa Löve\r\n".encode("cp1252")
    lines, encodings = decode_lines(data, "a.csv")
    assert lines == ["name", "Poa Müll.Arg.", "Poa Löve", ""]
    assert encodings == ["utf-8", "utf-8", "cp1252", "utf-8"]


def test_an_encoding_that_is_said_is_taken_at_its_word() -> None:
    assert decode_lines("Černý".encode("cp1250"), "a.csv", "cp1250")[0] == ["Černý"]
    with pytest.raises(Fault, match=r"a\.csv: klingon is no encoding that is known"):
        decode_lines(b"x", "a.csv", "klingon")
    with pytest.raises(Fault, match=r"a\.csv is not ascii text \(line 2\)"):
        decode_lines("x\né".encode(), "a.csv", "ascii")


ROWS = {
    "plain": ("a,b,c", [["a", "b", "c"]]),
    "quoted": ('"a, x",b,"c ""y"""', [["a, x", "b", 'c "y"']]),
    "spaces about the cells": (' a , "b" ,c', [["a", "b", "c"]]),
    "over two lines": ('a,"b\nb",c', [["a", "b\nb", "c"]]),
    "over two lines, the second as wide as a row": ('"a\nb",c,d\ne,f,g', [["a\nb", "c", "d"], ["e", "f", "g"]]),
    "inches": ('a,5" wide,c', [["a", '5" wide', "c"]]),
    "inches in a quoted cell": ('a,"5" wide",c', [["a", '5" wide', "c"]]),
    "too few": ("a,b", [None]),
    "too many": ("a,b,c,d", [None]),
    "empty ones behind": ("a,b,c,,,", [["a", "b", "c"]]),
    "two that never end": ('a,b,"\nc,d,"', [None, None]),
    "never ended": ('a,"b,c\nd,e,f', [None, ["d", "e", "f"]]),
    "blank lines": ("\n \na,b,c\n\n", [["a", "b", "c"]]),
    "strange spaces": ("a,b\x0bb,c\u2028", [["a", "b\x0bb", "c"]]),
}


@pytest.mark.parametrize(("text", "expected"), ROWS.values(), ids=ROWS)
def test_rows_of_commas(text: str, expected: list[list[str] | None]) -> None:
    rows = read_text_rows(text.split("\n"), 0, Cutting(",", 3))
    assert [row.cells if row.fits else None for row in rows] == expected


def test_tabs_and_pipes_take_a_stray_quotation_mark_for_a_letter() -> None:
    (tab,) = read_text_rows(['"Poa"\t"Sp. Pl. [as "938"]"\t""'], 0, Cutting("\t", 3))
    assert tab.cells == ["Poa", 'Sp. Pl. [as "938"]', ""]
    (pipe,) = read_text_rows(['a|Nordic "J. Bot.|c'], 0, Cutting("|", 3))
    assert pipe.cells == ["a", 'Nordic "J. Bot.', "c"]


lines_of_text = st.lists(
    st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=30)
    | st.sampled_from(['Poa annua,L.,"x"', '"open,', 'a,"b ""c"""', ",,", '"', "Poa\tannua", 'x",y,z"']),
    max_size=12,
)


@given(lines_of_text, st.sampled_from([",", "\t", "|", ";", None]))
@settings(max_examples=150, deadline=None)
def test_every_line_that_is_not_blank_is_in_exactly_one_row(lines: list[str], delimiter: str | None) -> None:
    rows = list(read_text_rows(lines, 0, Cutting(delimiter, 3, name_place=1)))
    begun = [row.line for row in rows]
    assert begun == sorted(set(begun)), "no row begins twice"
    holding = [number for number, line in enumerate(lines, 1) if line.strip()]
    for number in holding:
        row = max((row for row in rows if row.line <= number), key=lambda row: row.line)
        inside = "\n".join(row.cells).count("\n")
        assert row.line == number or number - row.line <= inside, "a line within a row is within one of its cells"
    assert all(len(row.cells) == 3 for row in rows if row.fits and delimiter)


any_bytes = st.binary(max_size=300) | st.text(max_size=100).map(str.encode)


@given(any_bytes, st.sampled_from(["", "name,family\n", "name\n"]))
@settings(max_examples=100, deadline=None)
def test_whatever_the_bytes_the_readers_tell_a_fault_or_account_for_every_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, header: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "list.csv"
    path.write_bytes(header.encode() + data)
    try:
        table = read_checklists([path], ChecklistOptions())
    except Fault as fault:
        assert str(path) in str(fault) and len(str(fault)) < 2000
        return
    names = read_name_list(path)
    assert len(names.table) == len(names.names) == len(names.issues) == len(table)
    lines = table["line"].to_pylist()
    assert len(set(lines)) == len(lines)
    assert all(row["scientificName"] for row in table.to_pylist() if row["issue"] is None)


def test_the_folder_of_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="no such file"):
        read_name_list(tmp_path / "absent.csv")
    with pytest.raises(Fault, match="no such file|cannot be read"):  # noqa: RUF043
        read_name_list("list\0.csv")
