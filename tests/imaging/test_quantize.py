"""CRAFT in eight bits sees what CRAFT sees, and is the same file each time."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging import weights
from naflora_etl.imaging.craft import CraftNetwork
from naflora_etl.imaging.quantize import quantize_craft
from naflora_etl.imaging.weights import find_eight_bit, quantize_weights


def test_the_file_is_the_same_each_time(craft_weights: Path) -> None:
    data = quantize_craft(craft_weights.read_bytes())
    assert hashlib.sha256(data).hexdigest() == weights.EIGHT_BIT_SHA256
    assert find_eight_bit().read_bytes() == data


def test_it_sees_what_the_floats_see(craft_weights: Path) -> None:
    sheet = np.full((256, 384, 3), (238, 232, 215), np.uint8)
    cv2.putText(sheet, "Carex scoparia", (20, 110), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (25, 25, 25), 2, cv2.LINE_AA)
    cv2.putText(sheet, "Ohio, 1931", (40, 180), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (60, 60, 90), 1, cv2.LINE_AA)
    floats, bytes_ = (CraftNetwork(path).heat(sheet, 1.0)[0] for path in (craft_weights, find_eight_bit()))
    assert np.abs(floats - bytes_).mean() < 0.01
    text, other = floats > 0.4, bytes_ > 0.4
    assert (text & other).sum() / (text | other).sum() > 0.9


def test_making_them_again_changes_nothing(craft_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert quantize_weights() == find_eight_bit()


def test_without_onnx_it_is_named(craft_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(Fault, match="`pip install onnx`"):
        quantize_craft(b"")


def test_another_outcome_is_refused(craft_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / weights.CRAFT_FILE).symlink_to(craft_weights)
    monkeypatch.setattr("naflora_etl.imaging.quantize.quantize_craft", lambda _: b"other bytes")
    with pytest.raises(Fault, match="came out with the digest"):
        quantize_weights(tmp_path)
    assert not (tmp_path / weights.EIGHT_BIT_FILE).exists()
    (tmp_path / weights.EIGHT_BIT_FILE).write_bytes(b"damaged")
    with pytest.raises(Fault, match="its digest differs; `naflora models quantize` puts it right"):
        find_eight_bit(tmp_path)
