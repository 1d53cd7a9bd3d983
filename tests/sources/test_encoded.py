"""What is worked on by value and by letter is what each row by itself would give."""

from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.sources import darwincore as dwc
from naflora_etl.sources import distinct
from naflora_etl.sources.bytewise import (
    FEW,
    Which,
    count_letters,
    digit,
    fold_ascii,
    no_digit,
    no_number,
    odd_letter,
    years_of_dates,
)
from naflora_etl.sources.distinct import Distinct
from naflora_etl.sources.encoded import ask_distinct, encode, first_encoded, first_of, only_where, stack, told_where

TEXT = pa.string()
ALPHABET = "aZ09 -_.|~!"
DATES = [
    "1986-01-04", "1499-01-01", "1500-01-01", "2099-12-31", "2100-01-01", "1986-1-4", "1986/01/04", "198a-01-04",
    "1986-01-04T12", "", None, "١٩٨٦-0", "9999-99-99",
]  # fmt: skip


def some_texts(random: Random, count: int) -> list[str | None]:
    texts = ["".join(random.choices(ALPHABET, k=random.randint(0, 5))) for _ in range(count)]
    return [text if random.random() < 0.9 else None for text in texts]


@pytest.mark.parametrize("start", [0, 3])
def test_folding_by_letters_is_folding_by_text(start: int) -> None:
    texts = some_texts(Random("fold"), 3000)
    folded = fold_ascii(pa.array(texts, TEXT).slice(start)).to_pylist()
    assert folded == [None if text is None else dwc.fold_text(text) for text in texts[start:]]


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("alphabet", [ALPHABET, "7" + "a" * 4 * FEW], ids=["many digits", "few"])
def test_letters_are_counted(alphabet: str, start: int) -> None:
    random = Random(alphabet)
    texts = [random.choice([None, "".join(random.choices(alphabet, k=random.randint(0, 9)))]) for _ in range(3000)]
    counted = count_letters(pa.array(texts, TEXT).slice(start), digit).tolist()
    assert counted == [sum(c.isdigit() for c in text or "") for text in texts[start:]] and sum(counted) > 50


@pytest.mark.parametrize(
    ("which", "those"),
    [
        (digit, b"0123456789"),
        (no_digit, set(range(256)) - set(b"0123456789")),
        (no_number, set(range(256)) - set(b"0123456789-.")),
        (odd_letter, {*range(32), *range(127, 256)}),
    ],
)
def test_each_letter_is_of_its_kind(which: Which, those: bytes | set[int]) -> None:
    assert set(np.flatnonzero(which(np.arange(256, dtype=np.uint8))).tolist()) == set(those)


@pytest.mark.parametrize("texts", [[], [None], [""], ["-"], ["--", "a"], ["a-", "-b"], [None, "-", None]])
def test_folding_at_the_edges(texts: list[str | None]) -> None:
    folded = fold_ascii(pa.array(texts, TEXT)).to_pylist()
    assert folded == [None if text is None else dwc.fold_text(text) for text in texts]


def test_odd_is_what_is_no_printable_ascii() -> None:
    texts = ["a~ ", "é", "a\tb", "\x7f", None, "١"]
    assert (count_letters(pa.array(texts, TEXT), odd_letter) > 0).tolist() == [False, True, True, True, False, True]


def test_a_year_is_told_of_dates_that_python_reads_alike() -> None:
    for date, year in zip(DATES, years_of_dates(pa.array(DATES, TEXT)), strict=True):
        assert year in (0, dwc.year_of(date)), date
    assert years_of_dates(pa.array(DATES, TEXT)).tolist() == [1986, 0, 1500, 2099, *[0] * 9]


def test_every_distinct_question_is_asked_once() -> None:
    random = Random("distinct")
    columns = [some_texts(random, 500), some_texts(random, 500), [None] * 500]
    asked: list[tuple[str | None, ...]] = []

    def tell(*texts: str | None) -> tuple[str, int | None]:
        asked.append(texts)
        return repr(texts), len(texts[0]) if texts[0] is not None else None

    function = Distinct(tell, TEXT, pa.int64())
    given = [pa.array(texts, TEXT) for texts in columns]
    told, lengths = function(given[0], encode(given[1]), given[2])
    rows = list(zip(*columns, strict=True))
    assert told.to_pylist() == [repr(row) for row in rows]
    assert lengths.to_pylist() == [None if row[0] is None else len(row[0]) for row in rows]
    function(*given)
    assert len(asked) == len(set(asked)) == len(set(rows))


def test_no_more_answers_are_remembered_than_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "MOST_KNOWN", 10)
    function = Distinct(lambda one, other: (f"{one}{other}",), TEXT)
    for number in range(30):  # each with another constant beside it
        texts = [str(at) for at in range(number, number + 4)]
        told = function(pa.array(texts, TEXT), pa.array([f"c{number}"] * 4, TEXT))[0]
        assert told.to_pylist() == [f"{text}c{number}" for text in texts]
        assert sum(len(known.questions) for known in function._known.values()) <= 10


def test_what_goes_wrong_in_a_function_stops_no_later_question() -> None:
    function = Distinct(lambda text: (str(1 // int(text)),), TEXT)
    with pytest.raises(ZeroDivisionError):
        function(pa.array(["1", "0"], TEXT))
    assert function(pa.array(["1", "1"], TEXT))[0].to_pylist() == ["1", "1"]


def test_what_another_thread_forgot_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    function = Distinct(lambda text: (f"{text}!",), TEXT)
    assert function(pa.array(["a"], TEXT))[0].to_pylist() == ["a!"]
    look_up = distinct._look_up

    def meanwhile(questions: pa.Array, known: distinct.Known) -> np.ndarray:
        function._known = {}  # as where too many answers were known
        return look_up(questions, known)

    monkeypatch.setattr(distinct, "_look_up", meanwhile)
    assert function(pa.array(["a", "b"], TEXT))[0].to_pylist() == ["a!", "b!"]


def test_more_combinations_than_a_number_holds() -> None:
    columns = [pa.array([str(at * step % 99_991) for at in range(20_000)], TEXT) for step in (1, 3, 7, 11, 13)]
    codes, asked = ask_distinct(columns)
    assert [asked[code] for code in codes] == list(zip(*(column.to_pylist() for column in columns), strict=True))


def test_the_first_value_that_is_told_counts() -> None:
    columns = [[None, "a", None, None], [None] * 4, ["b", "c", "a", None]]
    encoded = [encode(pa.array(texts, TEXT)) for texts in columns]
    assert first_encoded(*encoded).to_pylist() == first_of(*encoded).to_pylist() == ["b", "a", "a", None]
    assert set(first_encoded(*encoded).dictionary.to_pylist()) == {"a", "b", "c"}
    assert first_encoded(encoded[1]).to_pylist() == [None] * 4
    is_told = np.array([True, False, True, False])
    assert only_where(is_told, encoded[2]).to_pylist() == ["b", None, "a", None]
    assert told_where(is_told, "x").to_pylist() == ["x", None, "x", None]


def test_tables_are_stacked_whatever_their_codes_say() -> None:
    tables = [pa.table({"a": encode(pa.array(texts, TEXT))}) for texts in ([], ["x", None], ["y", "x"])]
    plain = pa.table({"a": pa.array(["z", "y"], TEXT)})
    assert stack([*tables, plain])["a"].to_pylist() == ["x", None, "y", "x", "z", "y"]
    assert stack([*tables, plain])["a"].num_chunks == 1


def test_where_no_row_is_nothing_is_asked() -> None:
    none = pa.chunked_array([pa.array([], TEXT)])
    codes, asked = ask_distinct([none, none])
    assert (len(codes), asked) == (0, [])
