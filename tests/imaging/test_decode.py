"""A zoo of images, made in memory, each with the verdict that is expected."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from naflora_etl.imaging.decode import decode_image, kind_of
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.issues import ISSUES

WIDTH, HEIGHT = 96, 128
RED, GREEN, BLUE, WHITE = (200, 40, 40), (40, 160, 40), (40, 40, 200), (255, 255, 255)


def sheet() -> Image.Image:
    """White, with a corner each of red (top left), green (top right) and blue (bottom left)."""
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    pixels[:48, :32], pixels[:48, -32:], pixels[-48:, :32] = RED, GREEN, BLUE
    return Image.fromarray(pixels)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    return saved(image or sheet(), "JPEG", quality=95, **options)


def oriented(orientation: int, kind: str = "JPEG") -> bytes:
    """The sheet stored turned, with the EXIF tag that says how to turn it back."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # numbers of Pillow's transpositions
    image = sheet() if orientation == 1 else sheet().transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, kind, exif=exif)


def with_size(body: bytes, width: int, height: int) -> bytes:
    """The JPEG with a frame header that lies."""
    place = body.index(b"\xff\xc0")
    return body[: place + 5] + struct.pack(">HH", height, width) + body[place + 9 :]


def png_bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, one bit each, in few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side // 8 + 1) * 64)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def palette(**options: Any) -> bytes:
    return saved(sheet().quantize(8), "PNG", **options)


def see_through() -> bytes:
    pixels = np.dstack([np.asarray(sheet()), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    pixels[48:-48, :, :] = (0, 0, 0, 0)  # black where nobody sees it
    return saved(Image.fromarray(pixels), "PNG")


def deep_colour() -> bytes:
    return cv2.imencode(".png", np.asarray(sheet())[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes()


def animated() -> bytes:
    return saved(sheet(), "GIF", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT), "black")])


GOOD: dict[str, Callable[[], bytes]] = {
    "JPEG": jpeg,
    "JPEG, 4:4:4": lambda: jpeg(subsampling=0),
    "JPEG, progressive": lambda: jpeg(progressive=True),
    "JPEG, CMYK": lambda: jpeg(sheet().convert("CMYK")),
    "JPEG with bytes after its end": lambda: jpeg() + b"\x00" * 50,
    "JPEG with an EXIF that is rubbish": lambda: jpeg(exif=b"Exif\x00\x00II*\x00rubbish"),
    "JPEG with an orientation of 99": lambda: jpeg(exif=_exif_of(99)),
    "PNG": lambda: saved(sheet(), "PNG"),
    "PNG, palette": palette,
    "PNG, alpha, on white": see_through,
    "PNG, 16 bits a channel": deep_colour,
    "TIFF": lambda: saved(sheet(), "TIFF"),
    "TIFF, LZW": lambda: saved(sheet(), "TIFF", compression="tiff_lzw"),
    "TIFF, CMYK": lambda: saved(sheet().convert("CMYK"), "TIFF"),
    "WebP": lambda: saved(sheet(), "WEBP", lossless=True),
    "BMP": lambda: saved(sheet(), "BMP"),
    "GIF, the first of its frames": animated,
    "JPEG 2000": lambda: saved(sheet(), "JPEG2000"),
    **{f"JPEG, EXIF orientation {way}": lambda way=way: oriented(way) for way in range(1, 9)},
    "PNG, EXIF orientation 6": lambda: oriented(6, "PNG"),
    "TIFF, EXIF orientation 8": lambda: oriented(8, "TIFF"),
}


def _exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD.keys())
def test_good_images_come_upright_in_their_colours(make: Callable[[], bytes]) -> None:
    decoded = decode_image(make(), need_px=HEIGHT, max_pixels=10**6)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == (HEIGHT, WIDTH, 3)
    assert (decoded.source_width_px, decoded.source_height_px, decoded.scale) == (WIDTH, HEIGHT, 1.0)
    for place, colour in (((8, 8), RED), ((8, -8), GREEN), ((-8, 8), BLUE), ((64, 48), WHITE)):
        assert np.abs(decoded.pixels[place].astype(int) - colour).max() < 16, place


GREY: dict[str, Callable[[], bytes]] = {
    "JPEG, grey": lambda: jpeg(Image.fromarray(ramp(255).astype(np.uint8))),
    "PNG, 16 bits grey": lambda: saved(Image.fromarray(ramp(65535).astype(np.uint16)), "PNG"),
    "TIFF, 16 bits grey": lambda: saved(Image.fromarray(ramp(65535).astype(np.uint16)), "TIFF"),
    "TIFF, 32 bits float": lambda: saved(Image.fromarray(ramp(65535).astype(np.float32)), "TIFF"),
}


def ramp(top: int) -> np.ndarray:
    return np.linspace(0, top, WIDTH)[np.newaxis].repeat(HEIGHT, axis=0)


@pytest.mark.parametrize("make", GREY.values(), ids=GREY.keys())
def test_grey_images_keep_their_shades(make: Callable[[], bytes]) -> None:
    pixels = decode_image(make(), need_px=HEIGHT, max_pixels=10**6).pixels
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(pixels.astype(int) - ramp(255)[:, :, np.newaxis]).max() <= 4


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "NOT_AN_IMAGE"),
    "zero bytes": (lambda: bytes(5000), "NOT_AN_IMAGE"),
    "HTML": (lambda: b"<!DOCTYPE html><html><img src='sheet.jpg'></html>", "NOT_AN_IMAGE"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900"></svg>', "NOT_AN_IMAGE"),
    "SVG after an XML line": (lambda: b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg></svg>', "NOT_AN_IMAGE"),
    "JSON": (lambda: b'{"error": "no such image"}', "NOT_AN_IMAGE"),
    "PDF": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "NOT_AN_IMAGE"),
    "the first two bytes of a JPEG": (lambda: jpeg()[:2], "NOT_AN_IMAGE"),
    "the first 20 bytes of a JPEG": (lambda: jpeg()[:20], "IMAGE_DAMAGED"),
    "half a JPEG": (lambda: jpeg()[: len(jpeg()) // 2], "IMAGE_DAMAGED"),
    "a JPEG that lacks its end": (lambda: jpeg()[:-40], "IMAGE_DAMAGED"),
    "half a progressive JPEG": (lambda: jpeg(progressive=True)[:-400], "IMAGE_DAMAGED"),
    "a JPEG with zeros in its middle": (
        lambda: jpeg()[: len(jpeg()) // 2] + bytes(200) + jpeg()[len(jpeg()) // 2 + 200 :],
        "IMAGE_DAMAGED",
    ),
    "a JPEG resumed from its start": (lambda: jpeg()[: len(jpeg()) // 2] + jpeg(), "IMAGE_DAMAGED"),
    "half a PNG": (lambda: saved(sheet(), "PNG")[:-40], "IMAGE_DAMAGED"),
    "a PNG with a flipped bit": (lambda: _flip(saved(sheet(), "PNG"), 60), "IMAGE_DAMAGED"),
    "half a TIFF": (lambda: saved(sheet(), "TIFF")[:300], "IMAGE_DAMAGED"),
    "the start of a WebP": (lambda: saved(sheet(), "WEBP")[:40], "IMAGE_DAMAGED"),
    "a GIF of its first bytes": (lambda: b"GIF89a", "IMAGE_DAMAGED"),
    "a JPEG that says 65000 x 65000": (lambda: with_size(jpeg(), 65000, 65000), "IMAGE_TOO_LARGE"),
    "a JPEG that says more than it has": (lambda: with_size(jpeg(), 900, 900), "IMAGE_DAMAGED"),
    "a PNG bomb": (lambda: png_bomb(60_000), "IMAGE_TOO_LARGE"),
    "a progressive JPEG over half the limit": (
        lambda: jpeg(sheet().resize((800, 640)), progressive=True),
        "IMAGE_TOO_LARGE",
    ),
    "one pixel": (lambda: jpeg(Image.new("RGB", (1, 1))), "IMAGE_TOO_SMALL"),
    "a strip of 3000 x 2": (lambda: saved(Image.new("RGB", (3000, 2)), "PNG"), "IMAGE_TOO_SMALL"),
}


def _flip(body: bytes, place: int) -> bytes:
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


@pytest.mark.parametrize(("make", "issue"), BAD.values(), ids=BAD.keys())
def test_bad_images_are_refused_with_their_reason(make: Callable[[], bytes], issue: str) -> None:
    with pytest.raises(ImageFault) as fault:
        decode_image(make(), need_px=HEIGHT, max_pixels=10**6, min_side_px=50)
    assert fault.value.issue == issue
    assert issue in ISSUES
    assert str(fault.value).endswith(".")


def test_bombs_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("simplejpeg.decode_jpeg", explode)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", explode)
    for body, allowed in ((with_size(jpeg(), 65000, 65000), 1_000_000), (png_bomb(60_000), 500_000)):
        with pytest.raises(ImageFault, match=rf"are more than the {allowed} allowed\.$"):
            decode_image(body, need_px=HEIGHT, max_pixels=10**6)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "This is empty, not an image."),
        (b"\n <HTML><body>404", "This is HTML, not an image."),
        (b"not found", "This is text, not an image."),
        (b"\x00\x01\x02\xff", "This is of an unknown kind, not an image."),
        (b"\x00\x00\x00\x18abcd\x00\x00", "This is of an unknown kind, not an image."),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "This is HEIF, AVIF or a film, not an image."),
    ],
    ids=["empty", "html", "text", "binary", "zeros within", "heif"],
)
def test_what_is_no_image_is_named(body: bytes, sentence: str) -> None:
    with pytest.raises(ImageFault) as fault:
        kind_of(body)
    assert str(fault.value) == sentence


@pytest.mark.parametrize(
    ("need_px", "width", "height"),
    [
        (1, 75, 100),
        (100, 75, 100),
        (101, 150, 200),
        (200, 150, 200),
        (400, 300, 400),
        (401, 599, 799),
        (5000, 599, 799),
    ],
)
def test_jpeg_comes_at_the_least_scale_that_keeps_what_is_needed(need_px: int, width: int, height: int) -> None:
    decoded = decode_image(jpeg(sheet().resize((599, 799))), need_px=need_px, max_pixels=10**6)
    assert decoded.pixels.shape == (height, width, 3)
    assert (decoded.source_width_px, decoded.source_height_px) == (599, 799)
    assert decoded.scale == height / 799


def test_a_turned_jpeg_is_turned_back_at_a_reduced_scale() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = sheet().resize((768, 1024)).transpose(Image.Transpose.ROTATE_90)
    decoded = decode_image(jpeg(turned, exif=exif), need_px=256, max_pixels=10**6)
    assert decoded.pixels.shape == (256, 192, 3)
    assert (decoded.source_width_px, decoded.source_height_px) == (768, 1024)
    assert np.abs(decoded.pixels[8, 8].astype(int) - RED).max() < 16
