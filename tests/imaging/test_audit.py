"""The audit: which words are a label's own, how wrong a reading may be, and that Tesseract finds what was left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging import audit, tesseract
from naflora_etl.imaging.audit import (
    audit_sheets,
    count_readable,
    find_survivors,
    fold,
    is_within_one,
    own_words,
)
from naflora_etl.imaging.redact import cover_text
from naflora_etl.imaging.tesseract import ReadWord, has_tesseract, read_words

needs_tesseract = pytest.mark.skipif(not has_tesseract(), reason=f"no {tesseract.PROGRAM} here: {tesseract.INSTALL}")
ROW = {
    "image_key": "0123456789abcdef0123",
    "taxon_name": "Gaultheria humifusa",
    "genus": "Gaultheria",
    "species": "humifusa",
    "family": "Ericaceae",
    "recordedBy": "F. J. Hermann & A. Díaz",
    "stateProvince": "Colorado",
    "catalogNumber": "COLO-00299636",
}


def test_a_labels_own_words_are_those_of_its_name_collector_place_and_number() -> None:
    assert own_words(ROW) == {
        "gaultheria": "genus",
        "humifusa": "species",
        "ericaceae": "family",
        "hermann": "collector",
        "diaz": "collector",
        "colorado": "place",
        "00299636": "number",
    }


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, set()),
        ({"species": None, "genus": "Aa"}, set()),
        ({"taxon_name": "Viola × odorata var. alba", "genus": "Viola"}, {"viola", "odorata", "alba"}),
        ({"recordedBy": "Collector unknown; with the state"}, set()),
        ({"recordedBy": "Wu, Li|O'Brien"}, {"brien"}),
        ({"catalogNumber": "NY 1234"}, set()),
        ({"stateProvince": "Nuevo León"}, {"nuevo", "leon"}),
    ],
)
def test_words_that_say_nothing_are_no_label(facts: dict[str, Any], words: set[str]) -> None:
    assert set(own_words(facts)) == words


@pytest.mark.parametrize(
    ("read", "confidence", "own"),
    [
        ("humifusa", 95, ["humifusa"]),
        ("HUMIFUSA,", 95, ["humifusa"]),
        ("humilusa", 95, ["humifusa"]),  # one letter wrong
        ("humifusa", 35, ["humifusa"]),  # doubtful, but noise spells no such word
        ("humifusa", 20, []),
        ("humlusas", 95, []),  # two letters wrong
        ("Gaultheriahumifusa", 80, ["humifusa", "gaultheria"]),  # run together
        ("Díaz", 90, ["diaz"]),
        ("Dias", 90, []),  # a short word must be right
        ("diaz", 60, []),  # and sure
        ("Colorada", 75, ["colorado"]),
        ("No.00299636", 50, ["00299636"]),
        ("00299637", 90, []),
        ("plants", 99, []),
        ("", 99, []),
    ],
)
def test_a_word_of_the_label_is_known_to_a_letter(read: str, confidence: float, own: list[str]) -> None:
    found = list(find_survivors([ReadWord(read, confidence, 0, 0, 9, 9)], own_words(ROW)))
    assert [survivor.own for survivor in found] == own


@given(st.text("abcd", max_size=7), st.text("abcd", max_size=7))
def test_is_within_one_is_the_edit_distance_of_at_most_one(one: str, other: str) -> None:
    edits = {one} | {one[:at] + one[at + 1 :] for at in range(len(one))}
    edits |= {one[:at] + letter + one[at:] for at in range(len(one) + 1) for letter in "abcd"}
    edits |= {one[:at] + letter + one[at + 1 :] for at in range(len(one)) for letter in "abcd"}
    assert is_within_one(one, other) == (other in edits) == is_within_one(other, one)


def test_fold_forgets_accents_and_case() -> None:
    assert fold("Müller-Díaz") == "muller-diaz"


TABLE = """level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext
1\t1\t0\t0\t0\t0\t0\t0\t4000\t3000\t-1\t
5\t1\t1\t1\t1\t1\t400\t800\t200\t80\t96.5\tViola
5\t1\t1\t1\t1\t2\t640\t800\t40\t80\t12.0\t \t
"""


def test_tesseracts_table_is_read_in_the_images_own_pixels() -> None:
    assert tesseract._parse(TABLE, 4.0) == [ReadWord("Viola", 96.5, 100, 200, 50, 20)]


def test_without_tesseract_the_fault_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "PROGRAM", "no-such-reader")
    tesseract.tesseract_version.cache_clear()
    with pytest.raises(Fault, match=r"no-such-reader.*not on this machine; `apt-get install tesseract-ocr`"):
        audit_sheets([], of=0)
    assert not has_tesseract()


def draw_label(*lines: str) -> Any:
    """Return a piece of a sheet, uint8 RGB, with lines of print of the size that a label has on a 1000-px sheet."""
    sheet = np.full((260, 330, 3), 226, np.uint8)
    for number, line in enumerate(lines):
        cv2.putText(sheet, line, (20, 60 + 30 * number), cv2.FONT_HERSHEY_COMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return sheet


def encode(pixels: Any) -> bytes:
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes())


@needs_tesseract
def test_tesseract_reads_print_with_its_place() -> None:
    words = {word.text: word for word in read_words(draw_label("Gaultheria humifusa", "Colorado"))}
    assert {"Gaultheria", "Colorado"} <= set(words)
    assert words["Colorado"].confidence > audit.CONFIDENT
    assert abs(words["Colorado"].left - 20) < 6 and abs(words["Colorado"].top + words["Colorado"].height - 90) < 6


@needs_tesseract
def test_what_is_left_of_a_label_is_told_and_what_is_covered_is_not(tmp_path: Path) -> None:
    open_sheet = draw_label("Gaultheria humifusa", "dry slopes", "F. J. Hermann")
    quad = np.array([[5, 30], [325, 30], [325, 140], [5, 140]], np.float32)
    covered = cover_text(open_sheet, [quad], grow=0.1, seed=1)
    told: list[tuple[int, str]] = []
    sheets = [(ROW, encode(open_sheet)), (ROW | {"image_key": "f" * 20}, encode(covered))]
    found = audit_sheets(
        sheets, of=7, crops=tmp_path, progress=lambda done, total, note: told.append((done, note))
    )
    left, clean = found.sheets
    assert {survivor.kind for survivor in left.survivors} == {"genus", "species", "collector"}
    assert {"dry", "slopes"} < {word.text for word in left.words} and len(left.words) == 5
    assert clean.survivors == () and clean.words == ()
    assert found.figures["sheets"] == 2 and found.figures["of"] == 7 and found.figures["sheets_with_own_words"] == 1
    assert found.as_dict()["images"][0]["own_words"][0]["read"]["confidence"] >= 30
    assert "humifusa (species) as humifusa" in str(left) and "read 2 of 7 images" in str(found)
    assert [done for done, _ in told] == [1, 2]
    crops = sorted(path.name for path in tmp_path.iterdir())
    assert {name.partition("-own-")[2] for name in crops if "-own-" in name} == {
        "collector-Hermann.png", "genus-Gaultheria.png", "species-humifusa.png",
    }  # fmt: skip
    crop = cv2.imread(str(tmp_path / crops[0]))
    assert crop is not None and crop.std() > 20, "the picture shows the word"


@needs_tesseract
def test_bytes_that_are_no_image_are_told() -> None:
    with pytest.raises(Fault, match="0123456789abcdef0123: its bytes are no image"):
        audit_sheets([(ROW, b"no image")], of=1)


@needs_tesseract
@pytest.mark.parametrize(
    ("lines", "words"), [(("dry slopes", "common here"), 4), (("slopes of it",), 1), ((), 0)], ids=str
)
def test_the_gates_measure_is_the_number_of_sure_words(lines: tuple[str, ...], words: int) -> None:
    assert count_readable(encode(draw_label(*lines))) == words
