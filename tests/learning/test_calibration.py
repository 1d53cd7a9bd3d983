"""Temperatures and conformal sets, against formulas by hand, known draws, and real digits."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from naflora_etl.learning.cabinet.calibration import (
    calibrate,
    calibration_error,
    fit_temperature,
    fit_threshold,
    in_sets,
    soften,
)


def draw(sheets: int, classes: int = 12, too_sure: float = 1.0, seed: int = 1):
    """Logits of a model that is `too_sure` times as sure as it should be, and labels drawn as it should have said."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (sheets, classes))
    truth = np.array([random.choice(classes, p=row) for row in softmax(logits, axis=1)])
    return logits * too_sure, truth


def test_softening_probabilities_is_softening_logits():
    logits, _ = draw(50)
    for temperature in (0.5, 1.0, 3.0):
        np.testing.assert_allclose(soften(softmax(logits, axis=1), temperature), softmax(logits / temperature, axis=1))


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 2.5])
def test_the_temperature_is_what_the_draw_hid_and_what_scipy_finds(too_sure: float):
    logits, truth = draw(4000, too_sure=too_sure)
    found = fit_temperature(softmax(logits, axis=1), truth)
    rows = np.arange(len(truth))
    oracle = minimize_scalar(
        lambda log_t: -log_softmax(logits / math.exp(log_t), axis=1)[rows, truth].mean(),
        bounds=(-3, 3),
        method="bounded",
    )
    assert found == pytest.approx(math.exp(oracle.x), rel=1e-4)
    assert found == pytest.approx(too_sure, rel=0.06)


def test_a_threshold_by_hand():
    # scores 1 - p(true): .1, .2, .3, .4 and .5; ceil(6 * .6) = 4, so the fourth of them
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.5, 0.5]])
    truth = np.zeros(5, np.int64)
    assert fit_threshold(probabilities, truth, 0.6) == pytest.approx(0.6)
    assert fit_threshold(probabilities, truth, 0.9) == 0.0  # ceil(6 * .9) = 6 of 5: all species stand in every set


def test_a_set_is_never_empty():
    held = in_sets(np.array([[0.4, 0.3, 0.3], [0.8, 0.1, 0.1]]), 0.6)
    assert held.tolist() == [[True, False, False], [True, False, False]]


def test_leaving_species_out_loses_no_true_one():
    logits, truth = draw(500)
    told = softmax(logits, axis=1)
    before = in_sets(told, 0.2)
    masked = told.copy()
    masked[:, 6:] = 0
    masked /= masked.sum(axis=1, keepdims=True)
    among = truth < 6
    rows = np.arange(len(truth))
    assert not (before[rows, truth] & ~in_sets(masked, 0.2)[rows, truth])[among].any()


def test_sets_hold_what_they_promise():
    """Over many fits on 200 and looks at 200 others, the mean coverage is what was asked for."""
    found = {0.8: [], 0.9: [], 0.95: []}
    for seed in range(40):
        logits, truth = draw(400, seed=seed)
        told = softmax(logits, axis=1)
        for coverage, shares in found.items():
            held = told[200:] >= fit_threshold(told[:200], truth[:200], coverage)
            shares.append(held[np.arange(200), truth[200:]].mean())
    for coverage, shares in found.items():
        assert np.mean(shares) == pytest.approx(coverage, abs=0.012)


def test_calibration_error_by_hand():
    # two sheets said .9 and one of them right: |.5 - .9|; two said .6 and both right: |1 - .6|
    told = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert calibration_error(told, np.array([0, 1, 0, 0])) == pytest.approx(0.4)


def test_digits_of_real_hands():
    """scikit-learn's digits, a model that is too sure of them: the fit mends it, and 90 % means 90 %."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    images, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(truth))
    images, truth = images[order], truth[order]
    model = LogisticRegression(max_iter=50, tol=1.0, C=10).fit(images[:150], truth[:150])
    told = model.predict_proba(images[150:])
    half = np.arange(len(told)) % 2 == 0
    fitted = calibrate(told, truth[150:].astype(np.int64), half)
    assert fitted.measured["0.9"]["coverage"] == pytest.approx(0.9, abs=0.02)
    assert fitted.ece_after < fitted.ece_before
    assert fitted.temperature > 1
