"""Which spellings are one Latin word."""

import pytest

from naflora_etl.names.spelling import fold_word, is_one_genitive, is_one_man, plain_letters, stem_epithet

ONE_WORD = {
    "gender": "peltatum peltata peltatus",
    "gender in -is": "vitiensis vitiense",
    "gender in -er": "asper aspera asperum",
    "gender in -er, shortened": "niger nigra nigrum",
    "-ster": "campester campestris campestre",
    "comparatives": "major majus",
    "-fer": "prolifer proliferus",
    "persons, -ii and -i": "benthamii benthami",
    "persons, men and women": "garrawayi garrawayae",
    "persons, -iae and -ae": "eastwoodiae eastwoodae",
    "persons, -ianus and -anus": "schusteriana schusterana",
    "joining vowels": "endiviifolia endiviaefolia endivifolia",
    "joining o and i": "ciliatisepala ciliatosepala",
    "ae and e": "caespitosa cespitosa",
    "k, c and h": "unalaschkensis unalaskensis unalascensis",
    "doubled letters": "nuttallii nutalii",
    "y": "silvatica sylvatica",
    "w": "semenowii semenovii",
}
TWO_WORDS = ("alba alpina", "major minor", "gracilis gracilior", "parviflora parvifolia", "stricta striata")


@pytest.mark.parametrize("words", ONE_WORD.values(), ids=ONE_WORD)
def test_one_word(words: str) -> None:
    assert len({stem_epithet(word) for word in words.split()}) == 1


@pytest.mark.parametrize("words", TWO_WORDS)
def test_two_words(words: str) -> None:
    assert len({stem_epithet(word) for word in words.split()}) == 2


def test_persons_in_the_genitive() -> None:
    assert is_one_genitive("cordieri", "cordierorum")
    assert is_one_genitive("clemensiae", "clemensiarum")
    assert not is_one_genitive("decora", "decorum")
    assert is_one_man("catati", "catatii")
    assert not is_one_man("garrawayi", "garrawayae")


def test_letters_as_the_code_has_them() -> None:
    assert plain_letters("Döringia Isoëtes O'Kane") == "Doeringia Isoetes O'Kane"
    assert fold_word("Adiantum-Nigrum") == "adiantumnigrum"


def test_cyrillic_letters_in_a_latin_word_are_what_they_look_like() -> None:
    assert fold_word("caespitos\u0430") == "caespitosa"
    assert fold_word("\u0430\u043b\u044c\u0431\u0430") == ""
