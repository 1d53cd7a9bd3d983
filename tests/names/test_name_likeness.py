"""When two spellings are one word, and when they are only near each other."""

import pytest

from naflora_etl.names.likeness import alike, similarity
from naflora_etl.names.spelling import fold_word


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("peltatum", "peltata"),
        ("niger", "nigra"),
        ("gerardi", "gerardii"),
        ("caespitosa", "cespitosa"),
        ("diffusa", "difusa"),
        ("sylvatica", "silvatica"),
        ("languinosa", "lanuginosa"),
        ("alba", "albus"),
    ],
)
def test_a_slip_of_the_pen_or_another_ending(one: str, other: str) -> None:
    assert alike(one, other)
    assert similarity(f"Abies {one}", f"Abies {other}") >= 0.9


@pytest.mark.parametrize(
    ("one", "other"), [("alba", "alpa"), ("major", "minor"), ("villosa", "pilosa"), ("rubra", "nigra")]
)
def test_another_word(one: str, other: str) -> None:
    assert not alike(one, other)


def test_likeness_is_one_less_edits_over_length() -> None:
    assert similarity("Poa annua", "Poa annua") == 1
    assert similarity("Poa annua", "Poa anua") == 1 - 1 / 9
    assert similarity("Poa × nobilis", "Poa nobilis") == 1, "a hybrid mark is no letter"
    assert 0 <= similarity("Poa annua", "Zea") < 0.3


@pytest.mark.parametrize(
    ("written", "folded"),
    {"Novae-Angliae": "novaeangliae", "Isoëtes": "isoetes", "Müllerä": "muellerae", "o'donelli": "odonelli"}.items(),
)
def test_folding(written: str, folded: str) -> None:
    assert fold_word(written) == folded
