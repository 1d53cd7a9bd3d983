"""Losses against values computed by hand and by another formula."""

import numpy as np
import pytest
import torch

from naflora_etl.learning.losses import class_balanced_weights, make_loss
from naflora_etl.learning.recipe import LossOptions

CPU = torch.device("cpu")


@pytest.mark.parametrize(("smoothing", "expected"), [(0.1, 0.391311), (0.0, 0.241311)])
def test_label_smoothing(smoothing: float, expected: float):
    loss = make_loss(LossOptions(smoothing=smoothing), np.array([1, 1, 1]), CPU)
    assert loss(torch.tensor([[2, 0.5, -1]]), torch.tensor([0])).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("beta", "decimals", "expected"),
    [
        pytest.param(0.9, None, [1.417953, 0.842134, 0.739912], id="beta .9"),
        pytest.param(0.99, None, [2.005293, 0.748128, 0.246579], id="beta .99"),
        pytest.param(0.999, None, [2.078989, 0.732383, 0.188627], id="beta .999"),
        pytest.param(0.9, 2, [1.42, 0.84, 0.74], id="as the published script rounds"),
        pytest.param(0.0, None, [1.0, 1.0, 1.0], id="beta 0: no balancing"),
    ],
)
def test_class_balanced_weights(beta: float, decimals: int | None, expected: list[float]):
    assert class_balanced_weights(np.array([7, 20, 80]), beta, decimals) == pytest.approx(expected, abs=1e-6)


def test_class_balancing_weighs_samples_as_keras_does_not_as_torch_does():
    logits, labels = torch.tensor([[2, 0.5, -1], [0.1, 0.2, 0.3]]), torch.tensor([0, 2])
    counts, weights = np.array([7, 20, 80]), torch.tensor([1.42, 0.84, 0.74])
    loss = make_loss(LossOptions(name="class_balanced", weight_decimals=2), counts, CPU)(logits, labels)
    by_hand = 0.0
    for row, label in zip(logits.double(), labels.tolist(), strict=True):
        log_shares = row - row.exp().sum().log()
        targets = torch.full((3,), 0.1 / 3, dtype=torch.float64)
        targets[label] += 0.9
        by_hand += float(weights[label]) * -float((targets * log_shares).sum()) / 2
    torchs = torch.nn.functional.cross_entropy(logits, labels, weights, label_smoothing=0.1)
    assert loss.item() == pytest.approx(by_hand, abs=1e-6)
    assert abs(loss.item() - torchs.item()) > 0.01


def test_the_loss_is_float32_even_of_half_precision_logits():
    for name in ("ce", "class_balanced"):
        loss = make_loss(LossOptions(name=name), np.array([3, 4]), CPU)
        assert loss(torch.zeros((2, 2), dtype=torch.bfloat16), torch.tensor([0, 1])).dtype == torch.float32
