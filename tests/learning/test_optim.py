"""Optimisers and the learning rate, against gold values, torch and timm."""

import math

import pytest
import torch

from naflora_etl.learning.optim import highest_rate, make_optimiser, rate_at
from naflora_etl.learning.options import OptimiserOptions, ScheduleOptions
from naflora_etl.learning.zoo import import_timm

NAFLORA_STEPS = 98_460


class OneWeight(torch.nn.Module):
    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(value)


def take_steps(options: OptimiserOptions, steps: int = 3) -> float:
    model = OneWeight(torch.ones(1, dtype=torch.float64))
    optimiser = make_optimiser(options, model)
    for _ in range(steps):
        model.weight.grad = torch.full((1,), 0.5, dtype=torch.float64)
        optimiser.step()
    return model.weight.item()


@pytest.mark.parametrize(
    ("decay", "mode", "expected"),
    [
        pytest.param(0.01, "lr", 0.594878404, id="timm's: times the rate"),
        pytest.param(0.001, "absolute", 0.594878404, id="TensorFlow Addons': as it is"),
        pytest.param(0.01, "absolute", 0.5710945, id="ten times the decay"),
    ],
)
def test_sgdw_in_both_meanings(decay: float, mode: str, expected: float):
    options = OptimiserOptions(lr=0.1, weight_decay=decay, weight_decay_mode=mode)
    assert take_steps(options) == pytest.approx(expected, abs=1e-8)


def test_sgdw_by_the_rate_is_timms():
    import_timm()
    from timm.optim import SGDW

    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    timms = SGDW([weight], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    for _ in range(3):
        weight.grad = torch.full((1,), 0.5, dtype=torch.float64)
        timms.step()
    ours = take_steps(OptimiserOptions(lr=0.1, weight_decay=0.01, weight_decay_mode="lr"))
    assert ours == pytest.approx(weight.item(), abs=1e-12)


@pytest.mark.parametrize(
    ("decay_all", "expected"),
    [pytest.param(True, 0.9, id="all"), pytest.param(False, 1.0, id="matrices only")],
)
@pytest.mark.parametrize("name", ["sgdw", "adamw"])
def test_norms_and_biases_decay_only_when_asked(name: str, decay_all: bool, expected: float):
    model = torch.nn.Linear(2, 2)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.ones_(model.bias)
    options = OptimiserOptions(name=name, lr=1.0, weight_decay=0.1, decay_all=decay_all)
    optimiser = make_optimiser(options, model)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    assert model.weight.detach().flatten().tolist() == pytest.approx([0.9] * 4)
    assert model.bias.detach().tolist() == pytest.approx([expected] * 2)


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 0.007), (0.1, 0.3535), (0.2, 0.7), (0.6, 0.350035), (1, 7e-5)], ids="{}".format
)
def test_one_cycle_of_the_published_script(share: float, expected: float):
    rate = rate_at(round(share * NAFLORA_STEPS), NAFLORA_STEPS, 0.7, ScheduleOptions())
    assert rate == pytest.approx(expected, abs=1e-9)


def test_ten_to_the_minus_five_shrinks_weights_unlike_in_both_meanings():
    """Over the paper's 60 epochs to .374 as TensorFlow Addons takes it, to .708 times the rate: not one decay."""
    rates = [rate_at(step, NAFLORA_STEPS, 0.7, ScheduleOptions()) for step in range(NAFLORA_STEPS)]
    assert pytest.approx(0.374, abs=5e-4) == (1 - 1e-5) ** NAFLORA_STEPS
    assert math.prod(1 - rate * 1e-5 for rate in rates) == pytest.approx(0.708, abs=5e-4)
    assert math.prod(1 - rate * 2.85e-5 for rate in rates) == pytest.approx(0.374, abs=5e-4)


def test_one_cycle_is_torchs_within_a_step():
    weight = torch.nn.Parameter(torch.ones(1))
    optimiser = torch.optim.SGD([weight], lr=0.7)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.7, total_steps=1000, pct_start=0.2, div_factor=100, final_div_factor=100, cycle_momentum=False
    )
    farthest = 0.0
    for step in range(1000):
        farthest = max(farthest, abs(torchs.get_last_lr()[0] - rate_at(step, 1000, 0.7, ScheduleOptions())))
        optimiser.step()
        if step < 999:
            torchs.step()
    assert farthest == pytest.approx(0.0032, abs=1e-4)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, 0.1), (29, 0.1), (30, 0.01), (59, 0.01), (60, 0.001), (89, 0.001), (90, 0.001)],
    ids="{}".format,
)
def test_a_tenth_each_thirty_of_ninety_epochs(epoch: int, expected: float):
    assert rate_at(epoch * 7, 90 * 7, 0.1, ScheduleOptions(name="step")) == pytest.approx(expected)


def test_cosine_goes_up_by_a_line_and_down_by_half_a_cosine():
    options = ScheduleOptions(name="cosine", warmup_share=0.2, start_divisor=100, end_divisor=100)
    rates = [rate_at(step, 100, 1.0, options) for step in (0, 10, 20, 60, 100)]
    assert rates == pytest.approx([0.01, 0.505, 1.0, 0.505, 0.01])


def test_plain_sgd_has_its_decay_in_the_gradient():
    ours = take_steps(OptimiserOptions(lr=0.1, nesterov=False, weight_decay=0.01, weight_decay_mode="coupled"))
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    torchs = torch.optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        weight.grad = torch.full((1,), 0.5, dtype=torch.float64)
        torchs.step()
    assert ours == weight.item()


def test_a_constant_rate():
    assert {rate_at(step, 10, 0.1, ScheduleOptions(name="constant")) for step in range(11)} == {0.1}


@pytest.mark.parametrize(("batch", "lr_batch", "expected"), [(512, 512, 0.7), (256, 512, 0.35), (64, 0, 0.7)])
def test_the_rate_grows_with_the_batch(batch: int, lr_batch: int, expected: float):
    assert highest_rate(OptimiserOptions(lr=0.7, lr_batch=lr_batch), batch) == pytest.approx(expected)
