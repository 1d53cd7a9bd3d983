"""Colours are what their profile says, and what a broken profile says is nobody's colour."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms
from profiles import ADOBE, ADOBE_GAMMA, SRGB, broken_profiles, grey_profile, rgb_profile, swapped_profile

from naflora_etl.imaging.colour import inks_to_srgb, lab_to_srgb, to_srgb
from naflora_etl.imaging.decode import decode_image
from naflora_etl.imaging.prepare import prepare_image
from naflora_etl.recipe import ImagesOptions

COLOURS = np.array([[[200, 40, 40], [40, 160, 40], [255, 255, 255], [0, 0, 0]]], np.uint8).repeat(600, axis=0)


def saved(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def by_the_book(primaries: Any, gamma: float) -> np.ndarray:
    """COLOURS to light, through the primaries to XYZ, out of sRGB's to light again, and along its curve."""
    light = (COLOURS / 255.0) ** gamma @ np.array(primaries) @ np.linalg.inv(np.array(SRGB))
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255


@pytest.mark.parametrize(
    ("primaries", "gamma"),
    [(SRGB, 1.0), (SRGB, 2.2), (ADOBE, ADOBE_GAMMA), ((SRGB[1], SRGB[0], SRGB[2]), 2.2)],
    ids=["linear light", "a gamma of 2.2", "Adobe RGB", "red and green exchanged"],
)
def test_colours_are_what_the_profile_says(primaries: Any, gamma: float) -> None:
    seen = to_srgb(COLOURS, rgb_profile(primaries, gamma)).astype(float)
    assert np.abs(seen - by_the_book(primaries, gamma)).max() <= 2
    assert np.abs(seen - COLOURS).max() > 2


def test_srgb_costs_nothing() -> None:
    assert to_srgb(COLOURS, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()) is COLOURS
    assert to_srgb(COLOURS, None) is COLOURS


def test_grey_of_another_gamma() -> None:
    grey = np.full((4, 4, 3), 128, np.uint8)
    assert np.abs(to_srgb(grey, grey_profile(1.0)).astype(int) - 188).max() <= 1
    assert np.abs(to_srgb(grey, grey_profile(2.2)).astype(int) - 128).max() <= 1


@pytest.mark.parametrize("profile", broken_profiles().values(), ids=broken_profiles().keys())
def test_a_broken_profile_is_as_good_as_none(profile: bytes) -> None:
    assert to_srgb(COLOURS, profile) is COLOURS
    body = saved(COLOURS.repeat(100, axis=1), "PNG", icc_profile=profile)
    assert (decode_image(body, need_px=600, max_pixels=10**6).pixels == COLOURS.repeat(100, axis=1)).all()


def test_inks_without_a_profile() -> None:
    inks = np.array([[[0, 0, 0, 0], [0, 255, 255, 0], [0, 0, 0, 255], [255, 0, 0, 128]]], np.uint8)
    assert inks_to_srgb(inks, None)[0].tolist() == [[255, 255, 255], [255, 0, 0], [0, 0, 0], [0, 127, 127]]


def test_inks_with_a_profile_are_less_lurid() -> None:
    profile = pyvips.Image.profile_load("cmyk")
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 255, 0], [0, 0, 0, 255]]], np.uint8)
    white, cyan, red, black = inks_to_srgb(inks, profile)[0].astype(int)
    assert white.min() >= 250 and black.max() < 70
    assert cyan[2] > 150 and cyan[0] < 80 and red[0] > 180 and red[1] < 90
    assert (cyan != [0, 255, 255]).any()
    assert (inks_to_srgb(inks, swapped_profile()) == inks_to_srgb(inks, None)).all(), "a profile of lights, on inks"


def test_lab_is_seen() -> None:
    lab = np.array([[[255, 0, 0], [0, 0, 0], [138, 81, 70]]], np.uint8)
    white, black, red = lab_to_srgb(lab)[0].astype(int)
    assert white.min() >= 253 and black.max() <= 2 and red[0] > 200 and red[2] < 40


BODIES = {
    "JPEG": lambda profile: saved(COLOURS.repeat(100, axis=1), "JPEG", quality=95, icc_profile=profile),
    "progressive JPEG": lambda profile: saved(
        COLOURS.repeat(100, axis=1), "JPEG", quality=95, progressive=True, icc_profile=profile
    ),
    "PNG": lambda profile: saved(COLOURS.repeat(100, axis=1), "PNG", icc_profile=profile),
    "TIFF": lambda profile: saved(COLOURS.repeat(100, axis=1), "TIFF", icc_profile=profile),
    "WebP": lambda profile: saved(COLOURS.repeat(100, axis=1), "WEBP", lossless=True, icc_profile=profile),
}


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
def test_every_format_keeps_its_profile_until_it_is_applied(make: Any) -> None:
    body = make(swapped_profile())
    decoded = decode_image(body, need_px=600, max_pixels=10**6)
    assert decoded.profile is None
    assert np.abs(decoded.pixels[300, [50, 150]].astype(int) - [[40, 200, 40], [160, 40, 40]]).max() <= 12
    options = ImagesOptions(redact="none", size_px=0, min_side_px=50)
    made = prepare_image(body, options=options, detector=None, seed_key="a")
    with Image.open(io.BytesIO(made.jpeg)) as image:
        assert "icc_profile" not in image.info
        seen = np.asarray(image)[300, [50, 150]].astype(int)
    assert np.abs(seen - [[40, 200, 40], [160, 40, 40]]).max() <= 14
