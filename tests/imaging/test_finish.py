"""Hashing and encoding of finished pixels."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from naflora_etl.imaging.encode import encode_jpeg
from naflora_etl.imaging.quality import difference_hash
from naflora_etl.imaging.resize import shrink_image


def leaf() -> np.ndarray:
    sheet = np.full((1000, 700, 3), (240, 235, 220), np.uint8)
    cv2.ellipse(sheet, (300, 400), (120, 300), 20, 0, 360, (60, 110, 50), -1)
    return sheet


def test_jpeg_is_420_without_metadata_and_always_the_same() -> None:
    body = encode_jpeg(leaf(), 92)
    assert body == encode_jpeg(leaf(), 92)
    with Image.open(io.BytesIO(body)) as image:
        assert image.format == "JPEG" and image.size == (700, 1000) and image.mode == "RGB"
        assert image.layer[0][1:3] == (2, 2), "not 4:2:0"
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not image.getexif()
        assert np.abs(np.asarray(image).astype(int) - leaf()).mean() < 2


def test_quality_costs_bytes() -> None:
    assert len(encode_jpeg(leaf(), 50)) < len(encode_jpeg(leaf(), 92))


def test_hash_knows_a_sheet_again_and_tells_others_apart() -> None:
    def distance(one: str, other: str) -> int:
        return (int(one, 16) ^ int(other, 16)).bit_count()

    hashed = difference_hash(leaf())
    assert len(hashed) == 16
    assert distance(hashed, difference_hash(shrink_image(leaf(), 500))) <= 3
    assert distance(hashed, difference_hash((leaf() * 0.9).astype(np.uint8))) <= 6
    assert distance(hashed, difference_hash(leaf()[::-1].copy())) > 8


def test_hash_is_that_of_a_picture_worked_by_hand() -> None:
    stairs = np.repeat(np.arange(0, 252, 28, dtype=np.uint8)[np.newaxis, :, np.newaxis].repeat(8, axis=0), 3, axis=2)
    assert difference_hash(stairs) == "f" * 16
    assert difference_hash(stairs[:, ::-1].copy()) == "0" * 16
