"""CRAFT's close looks several at a time, as a GPU wants them; here on the CPU, by the same calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from test_detect import coverage, drawn_sheet

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging.craft import CraftNetwork
from naflora_etl.imaging.detect import Sight
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.search import SheetSearch
from naflora_etl.imaging.weights import find_eight_bit
from naflora_etl.recipe import ImagesOptions


def views() -> list[np.ndarray]:
    """Three of one size once their sides are rounded up, and a larger one without a word."""
    sheet, _ = drawn_sheet()
    return [sheet[580:720, 270:510], sheet[590:720, 280:480], sheet[560:700, 262:512], sheet[:90, :260]]


def alike(one: Sight, other: Sight) -> bool:
    """Whether two sights are one: the sums of a batch may be added in another order."""
    boxes = list(zip(one.boxes, other.boxes, strict=True))
    return bool((one.warm == other.warm).all()) and all(np.allclose(a.points, b.points, atol=0.01) for a, b in boxes)


def test_many_looks_in_a_call_see_what_each_sees_alone(craft_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = CraftNetwork(craft_weights, batch=2)
    alone = [network.look(view, 1.0) for view in views()]
    asked: list[int] = []
    run = network._run
    monkeypatch.setattr(network, "_run", lambda images: (asked.append(len(images)), run(images))[1])
    together = network.look_at_all(views(), 1.0)
    assert sorted(asked) == [1, 1, 2], "three of one size, two in a call at most, and one by itself"
    assert all(alike(*pair) for pair in zip(alone, together, strict=True))
    assert [len(sight.boxes) > 0 for sight in together] == [True] * 3 + [False]


def test_a_search_in_batches_finds_the_words(craft_weights: Path) -> None:
    sheet, places = drawn_sheet()
    network = CraftNetwork(find_eight_bit(), batch=4)
    boxes = SheetSearch([network], scouts=[network], detect_px=768, coarse_px=384).find(sheet)
    assert min(coverage(sheet, boxes, places)) >= 0.9


def test_without_a_cuda_device_it_is_said_what_to_do(craft_weights: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(Fault, match=r"images\.gpu_batch needs ONNX Runtime with CUDA: `pip install onnxruntime-gpu`"):
        open_detector(ImagesOptions(gpu_batch=8))
