"""Macro-F1 at three ranks, against scikit-learn."""

import warnings

import numpy as np
import pytest

from naflora_etl.learning.metrics import score_predictions
from naflora_etl.learning.releases import Classes

FOUR = Classes(("A a", "A b", "B a", "C a"), ("A", "A", "B", "C"), ("X", "X", "X", "Y"))


def test_the_class_set_changes_macro_f1_so_both_are_told():
    truth, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 3])
    species = score_predictions(truth, predicted, FOUR).ranks[0]
    assert (species.macro_f1, species.classes) == (pytest.approx(0.433333, abs=1e-6), 3)
    assert (species.macro_f1_seen, species.classes_seen) == (pytest.approx(0.325), 4)


def test_predictions_are_mapped_up():
    score = score_predictions(np.array([0, 1, 2, 3]), np.array([1, 0, 3, 3]), FOUR)
    assert [row.accuracy for row in score.ranks] == [0.25, 0.75, 0.75]
    assert [row.rank for row in score.ranks] == ["species", "genus", "family"]
    assert score.top1 == 0.25 and score.images == 4


@pytest.mark.parametrize("seed", range(3))
def test_against_scikit_learn(seed: int):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sklearn.metrics import f1_score
    random = np.random.default_rng(seed)
    names = tuple(f"G{number // 3} s{number}" for number in range(30))
    genera = tuple(f"G{number // 3}" for number in range(30))
    classes = Classes(names, genera, tuple(f"F{number // 10}" for number in range(30)))
    truth, predicted = random.integers(0, 25, 200), random.integers(3, 30, 200)
    for row in score_predictions(truth, predicted, classes).ranks:
        groups = classes.groups(row.rank)
        yes, said = groups[truth], groups[predicted]
        assert row.macro_f1_seen == pytest.approx(f1_score(yes, said, average="macro", zero_division=0))
        supported = f1_score(yes, said, average="macro", labels=np.unique(yes), zero_division=0)
        assert row.macro_f1 == pytest.approx(supported)


def test_chance_is_the_commonest_class_and_the_sentence_names_the_class_sets():
    score = score_predictions(np.array([0, 0, 0, 2]), np.array([0, 1, 0, 2]), FOUR)
    assert score.chance == 0.75
    assert "over the 2 classes with test images" in str(score) and "over the 3 tested or predicted" in str(score)
