"""Accuracy by groups and training images, analysis of variance, calibration, bootstrap: against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from naflora_etl.learning.bootstrap import accuracy, compare_paired, macro_f1
from naflora_etl.learning.breakdown import analyse_variance, score_counts, score_groups, score_places
from naflora_etl.learning.calibration import calibration_bins, calibration_error

TRUTH = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
RIGHT = np.array([1, 1, 1, 0, 0, 0, 1, 1, 1, 0], bool)
FAMILY = ("X", "X", "Y", "Y", "Y")


def test_a_family_is_the_mean_of_its_species():
    rows = score_groups(TRUTH, RIGHT, FAMILY)
    assert [(row.group, row.species, row.images, row.accuracy) for row in rows] == [("Y", 3, 6, 0.5), ("X", 2, 4, 0.75)]
    assert rows[0].error == pytest.approx(np.std([0, 1, 0.5], ddof=1) / np.sqrt(3))


def test_bins_of_training_images_are_half_open():
    rows = score_counts(TRUTH, RIGHT, np.array([5, 9, 10, 40, 400]))
    assert [(row.group, row.species, row.accuracy) for row in rows] == [
        ("[5, 10)", 2, 0.75),
        ("[10, 20)", 1, 0.0),
        ("[40, 50)", 1, 1.0),
        ("100 and more", 1, 0.5),
    ]
    assert rows[1].error is None


def test_institutions_are_scored_apart():
    rows = score_places(RIGHT, ["NY"] * 4 + [None] * 6, TRUTH)
    assert [(row.group, row.images, row.image_accuracy) for row in rows] == [("NY", 4, 0.75), ("unknown", 6, 0.5)]


def test_the_analysis_of_variance_is_scipys():
    variance = analyse_variance(TRUTH, RIGHT, FAMILY, "family")
    oracle = stats.f_oneway([1, 0.5], [0, 1, 0.5])
    assert (variance.f, variance.p) == (pytest.approx(oracle.statistic), pytest.approx(oracle.pvalue))
    between, total = 2 * (0.75 - 0.6) ** 2 + 3 * (0.5 - 0.6) ** 2, np.var([1, 0.5, 0, 1, 0.5]) * 5
    assert variance.eta_squared == pytest.approx(between / total)


@pytest.mark.parametrize(
    ("right", "names"),
    [
        pytest.param(np.ones(10, bool), FAMILY, id="all right"),
        pytest.param(RIGHT, ("X",) * 5, id="one family"),
        pytest.param(RIGHT, tuple("ABCDE"), id="a family a species"),
    ],
)
def test_where_no_analysis_can_be_done_there_is_none(right: np.ndarray, names: tuple[str, ...]):
    assert analyse_variance(TRUTH, right, names, "family") is None


def test_groups_alike_within_have_no_number_for_f():
    """JSON has no word for infinity, so none is written."""
    right = np.array([True, True, True, True, False, False, False, False, False, False])
    variance = analyse_variance(np.repeat(np.arange(5), 2), right, ("X", "X", "Y", "Y", "Y"), "family")
    assert (variance.f, variance.p, variance.eta_squared) == (None, 0, 1)


def test_calibration_by_hand():
    odds, right = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    rows = calibration_bins(odds, right, bins=10)
    assert [(row.images, row.accuracy) for row in rows] == [(2, 0.5), (2, 1.0)]
    assert calibration_error(rows) == pytest.approx((2 * 0.05 + 2 * 0.05) / 4)
    assert calibration_error(calibration_bins(np.array([1.0, 1.0]), np.array([True, True]))) == 0


def test_a_model_against_itself_differs_by_nothing():
    difference = compare_paired(TRUTH, TRUTH[::-1], TRUTH[::-1], measure=macro_f1, name="macro-F1", rounds=50)
    assert (difference.low, difference.high, difference.is_sure) == (0, 0, False)


def test_a_real_gain_is_sure_and_its_interval_holds_it():
    random = np.random.default_rng(1)
    truth = np.repeat(np.arange(20), 20)
    a, b = (np.where(random.random(400) < share, truth, (truth + 1) % 20) for share in (0.5, 0.8))
    difference = compare_paired(truth, a, b, measure=accuracy, name="top-1", rounds=300)
    assert difference.is_sure and difference.low < difference.b - difference.a < difference.high
    # the paired interval of scipy, over all sheets at once
    oracle = stats.bootstrap(((b == truth) * 1.0 - (a == truth),), np.mean, n_resamples=300, rng=1, method="percentile")
    assert difference.low == pytest.approx(oracle.confidence_interval.low, abs=0.02)
