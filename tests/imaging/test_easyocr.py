"""EasyOCR behind the same contract, with a stand-in for its package."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging import weights
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.recipe import ImagesOptions

OPTIONS = ImagesOptions(redact="easyocr", detect_px=640, barcodes=False)


class Reader:
    """Takes what easyocr.Reader takes, and answers as its `detect` does: level boxes as x, x, y, y, and free quads."""

    made_with: dict[str, Any]

    def __init__(self, languages: list[str], **settings: Any) -> None:
        Reader.made_with = settings

    def detect(self, image: np.ndarray, canvas_size: int) -> tuple[list[Any], list[Any]]:
        assert image.dtype == np.uint8 and canvas_size == 640
        return [[[10, 60, 20, 40]]], [[[[100, 100], [150, 110], [148, 130], [98, 120]]]]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / weights.ORIGINAL_FILE).write_bytes(b"original")
    monkeypatch.setattr(weights, "ORIGINAL_MD5", hashlib.md5(b"original").hexdigest())
    monkeypatch.setenv("NAFLORA_MODELS", str(tmp_path))
    return tmp_path


def test_its_boxes_become_ours(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = types.ModuleType("easyocr")
    package.Reader = Reader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "easyocr", package)
    detector = open_detector(OPTIONS)
    assert detector is not None
    level, free = detector.find(np.zeros((1000, 1280, 3), np.uint8))
    assert level.points.tolist() == [[10, 20], [60, 20], [60, 40], [10, 40]]
    assert free.points.tolist() == [[100, 100], [150, 110], [148, 130], [98, 120]]
    assert {level.detector, free.detector} == {"easyocr"} and detector.name.startswith("easyocr:")
    assert Reader.made_with["download_enabled"] is False and Reader.made_with["recognizer"] is False
    assert Reader.made_with["model_storage_directory"] == str(models)


def test_without_the_package_the_extra_is_named(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "easyocr", None)
    with pytest.raises(Fault, match=r"pip install 'naflora-etl\[easyocr\]'"):
        open_detector(OPTIONS)


def test_without_the_original_weights_it_is_said_where_they_go(models: Path) -> None:
    (models / weights.ORIGINAL_FILE).write_bytes(b"another")
    with pytest.raises(Fault, match="not there, or not the original; get EasyOCR's and run `naflora models add FILE`"):
        open_detector(OPTIONS)
