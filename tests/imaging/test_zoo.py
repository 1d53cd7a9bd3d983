"""The zoo: bad and odd bodies of every kind, made in memory, each with the verdict that it must have.

`ok` means that the picture comes out right; else the issue under which it is set aside.
"""

from __future__ import annotations

import io
import resource
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from profiles import broken_profiles, swapped_profile

from naflora_etl.imaging.decode import decode_image, working_bytes
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.prepare import prepare_image
from naflora_etl.issues import ISSUES
from naflora_etl.recipe import ImagesOptions

OPTIONS = ImagesOptions(redact="none", size_px=200)
WIDTH, HEIGHT = 300, 400


@cache
def sheet() -> Image.Image:
    """Paper with a plant, a little grain on it so that it packs as photographs do."""
    pixels = np.full((HEIGHT, WIDTH, 3), (236, 230, 214), np.uint8)
    cv2.ellipse(pixels, (140, 200), (60, 150), 20, 0, 360, (70, 100, 50), -1)
    grain = np.random.default_rng(1).integers(-5, 6, pixels.shape)
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def jpeg(**options: Any) -> bytes:
    return saved(sheet(), "JPEG", quality=90, **options)


@cache
def png() -> bytes:
    return saved(sheet(), "PNG")


def middle(body: bytes, fill: bytes) -> bytes:
    """The body with `fill` over its middle."""
    half = len(body) // 2
    return body[:half] + fill + body[half + len(fill) :]


def rubbish(count: int) -> bytes:
    return np.random.default_rng(7).integers(0, 256, count, np.uint8).tobytes()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@cache
def png_bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, a bit each; it is what it says."""
    packer = zlib.compressobj(9)
    line = bytes(side // 8 + 1)
    return png_of(side, side, b"".join(packer.compress(line) for _ in range(side)) + packer.flush())


@cache
def tiff_bomb() -> bytes:
    return saved(Image.new("1", (15_000, 16_000)), "TIFF", compression="group4")


def says(body: bytes, width: int, height: int, mark: bytes = b"\xff\xc0") -> bytes:
    """A JPEG whose frame header says another size."""
    place = body.index(mark)
    return body[: place + 5] + struct.pack(">HH", height, width) + body[place + 9 :]


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def exif_as(kind: int, count: int, value: bytes) -> bytes:
    """An EXIF whose orientation is of the wrong type, count or value."""
    return b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHI", 0x0112, kind, count) + value + bytes(4)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("run.exe", b"MZ" * 500)
    return file.getvalue()


def animated(kind: str, **options: Any) -> bytes:
    return saved(sheet(), kind, save_all=True, append_images=[Image.new("RGB", sheet().size)] * 3, **options)


def segments(body: bytes, marker: int, data: bytes, count: int) -> bytes:
    """A JPEG with `count` more segments before all others."""
    return body[:2] + (struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data) * count + body[2:]


def many_scans() -> bytes:
    """A progressive JPEG whose last scan comes five hundred times."""
    body = jpeg(progressive=True)
    last = body.rindex(b"\xff\xda")
    return body[:-2] + body[last:-2] * 500 + body[-2:]


ZOO: dict[str, tuple[Callable[[], bytes], str]] = {
    # what it should be
    "a JPEG": (jpeg, "ok"),
    "a progressive JPEG": (lambda: jpeg(progressive=True), "ok"),
    "a PNG": (png, "ok"),
    "a JPEG by another name: the name is never asked": (lambda: saved(sheet(), "WEBP", lossless=True), "ok"),
    # nothing, and what is no image
    "nothing": (lambda: b"", "NOT_AN_IMAGE"),
    "one byte": (lambda: b"\xff", "NOT_AN_IMAGE"),
    "zero bytes": (lambda: bytes(100_000), "NOT_AN_IMAGE"),
    "rubbish": (lambda: rubbish(10_000), "NOT_AN_IMAGE"),
    "HTML": (lambda: b"<!DOCTYPE html><html><body><img src=sheet.jpg></body></html>", "NOT_AN_IMAGE"),
    "HTML after blank lines": (lambda: b"\n\n  <html><body>404</body></html>", "NOT_AN_IMAGE"),
    "an HTML page that holds a JPEG": (lambda: b"<html>" + jpeg(), "NOT_AN_IMAGE"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900"/>', "NOT_AN_IMAGE"),
    "SVG that asks for a file": (
        lambda: b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        "NOT_AN_IMAGE",
    ),
    "JSON": (lambda: b'{"error": 404}', "NOT_AN_IMAGE"),
    "PDF": (lambda: b"%PDF-1.7\n" + rubbish(2000), "NOT_AN_IMAGE"),
    "EPS, which Pillow would hand to Ghostscript": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 900 900\n", "NOT_AN_IMAGE",
    ),
    "a ZIP": (zipped, "NOT_AN_IMAGE"),
    "gzip": (lambda: b"\x1f\x8b\x08" + rubbish(500), "NOT_AN_IMAGE"),
    "an MP4 film": (lambda: b"\x00\x00\x00\x20ftypisom" + rubbish(500), "NOT_AN_IMAGE"),
    "an icon": (lambda: saved(sheet(), "ICO"), "NOT_AN_IMAGE"),
    "a PPM": (lambda: saved(sheet(), "PPM"), "NOT_AN_IMAGE"),
    # cut, broken, joined
    "the mark of a JPEG alone": (lambda: jpeg()[:3], "IMAGE_DAMAGED"),
    "the mark of a PNG alone": (lambda: png()[:8], "IMAGE_DAMAGED"),
    "the mark of a TIFF alone": (lambda: b"II*\x00", "IMAGE_DAMAGED"),
    "the mark of a WebP alone": (lambda: b"RIFF\x00\x00\x00\x00WEBP", "IMAGE_DAMAGED"),
    "a JPEG of its header alone": (lambda: jpeg()[: jpeg().index(b"\xff\xda")], "IMAGE_DAMAGED"),
    "a JPEG without its last byte": (lambda: jpeg()[:-1], "IMAGE_DAMAGED"),
    "a PNG without its last chunk": (lambda: png()[:-12], "IMAGE_DAMAGED"),
    "a JPEG with a garbled middle": (lambda: middle(jpeg(), rubbish(300)), "IMAGE_DAMAGED"),
    "a JPEG with a middle of zeros": (lambda: middle(jpeg(), bytes(300)), "IMAGE_DAMAGED"),
    "a JPEG with a middle of 0xFF": (lambda: middle(jpeg(), b"\xff" * 300), "IMAGE_DAMAGED"),
    "a progressive JPEG with a garbled middle": (lambda: middle(jpeg(progressive=True), rubbish(300)), "IMAGE_DAMAGED"),
    "a JPEG with a hole": (lambda: jpeg()[:6000] + jpeg()[9000:], "IMAGE_DAMAGED"),
    "a JPEG resumed from its start (two heads)": (lambda: jpeg()[: len(jpeg()) // 2] + jpeg(), "IMAGE_DAMAGED"),
    "a JPEG after another server's error page": (lambda: b"\xff\xd8\xff<html>502</html>" + jpeg(), "IMAGE_DAMAGED"),
    "a PNG with a garbled middle": (lambda: middle(png(), rubbish(300)), "IMAGE_DAMAGED"),
    "a PNG resumed from its start": (lambda: png()[: len(png()) // 2] + png(), "IMAGE_DAMAGED"),
    "a JPEG without tables": (lambda: b"\xff\xd8" + jpeg()[jpeg().index(b"\xff\xc0") :], "IMAGE_DAMAGED"),
    # bombs and lies
    "a JPEG that says 65000 x 65000": (lambda: says(jpeg(), 65_000, 65_000), "IMAGE_TOO_LARGE"),
    "a JPEG that says twice its height": (lambda: says(jpeg(), WIDTH, 2 * HEIGHT), "IMAGE_DAMAGED"),
    "a JPEG that says 19000 x 19000, which is allowed": (lambda: says(jpeg(), 19_000, 19_000), "IMAGE_DAMAGED"),
    "a progressive JPEG that says 14000 x 14000": (
        lambda: says(jpeg(progressive=True), 14_000, 14_000, b"\xff\xc2"), "IMAGE_DAMAGED",
    ),
    "a progressive JPEG of 500 scans": (many_scans, "IMAGE_TOO_LARGE"),
    "a JPEG with twenty megabytes of fill bytes": (
        lambda: jpeg()[:2] + b"\xff" * 20_000_000 + jpeg()[2:], "IMAGE_TOO_LARGE",
    ),
    "a JPEG of a million empty comments": (lambda: segments(jpeg(), 0xFE, b"", 1_000_000), "IMAGE_TOO_LARGE"),
    "a JPEG of fill bytes alone": (lambda: jpeg()[:2] + b"\xff" * 5_000_000 + b"\x00", "IMAGE_DAMAGED"),
    "a PNG bomb of 400 megapixels": (lambda: png_bomb(20_000), "IMAGE_TOO_LARGE"),
    "a PNG bomb of 100 megapixels": (lambda: png_bomb(10_000), "IMAGE_TOO_LARGE"),
    "a PNG that says 2 000 000 x 2 000 000": (lambda: png_of(2_000_000, 2_000_000, b""), "IMAGE_TOO_LARGE"),
    "a TIFF bomb of 240 megapixels in a few kB": (tiff_bomb, "IMAGE_TOO_LARGE"),
    "a TIFF whose directory leads in a circle": (
        lambda: b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00", "IMAGE_DAMAGED",
    ),
    "a GIF that says 60000 x 60000": (
        lambda: struct.pack("<6s2H4s4H7s", b"GIF89a", *[60_000] * 2, b"\0\0\0,", 0, 0, *[60_000] * 2, b"\0\2\2L\1\0;"),
        "IMAGE_TOO_LARGE",
    ),
    # sizes
    "one pixel": (lambda: saved(Image.new("RGB", (1, 1)), "JPEG"), "IMAGE_TOO_SMALL"),
    "one pixel, the tracking GIF": (lambda: saved(Image.new("P", (1, 1)), "GIF"), "IMAGE_TOO_SMALL"),
    "a strip of 3000 x 2": (lambda: saved(Image.new("RGB", (3000, 2)), "PNG"), "IMAGE_TOO_SMALL"),
    "a thumbnail": (lambda: saved(sheet().resize((150, 200)), "JPEG"), "IMAGE_TOO_SMALL"),
    # two things at once
    "HTML in a JPEG's comment": (lambda: jpeg(comment=b"<html><script>alert(1)</script>"), "ok"),
    "a JPEG with a ZIP behind it": (lambda: jpeg() + zipped(), "ok"),
    "a JPEG with a film behind it, as telephones make it": (lambda: jpeg() + rubbish(8_000_000), "ok"),
    "a JPEG with the marks of 300 scans in a comment": (lambda: segments(jpeg(), 0xFE, b"\xff\xda" * 300, 1), "ok"),
    "a JPEG with twelve megabytes of rubbish in comments": (
        lambda: segments(jpeg(), 0xFE, rubbish(65_000), 190), "ok",
    ),
    "a PNG with a ZIP behind it": (lambda: png() + zipped(), "ok"),
    "a JPEG with another behind it": (lambda: jpeg() + jpeg(), "ok"),
    "a GIF that is a script, too": (lambda: b"GIF89a/*" + rubbish(300) + b"*/=1;alert(1)", "IMAGE_DAMAGED"),
    "a GIF with a script behind it": (lambda: saved(sheet(), "GIF") + b"*/=1;alert(1)", "ok"),
    # several pictures: the first
    "an animated GIF": (lambda: animated("GIF"), "ok"),
    "an animated PNG": (lambda: animated("PNG"), "ok"),
    "an animated WebP": (lambda: animated("WEBP", lossless=True), "ok"),
    "a TIFF of several pages": (lambda: animated("TIFF"), "ok"),
    "an MPO": (lambda: animated("MPO", quality=90), "ok"),
    # metadata
    "an orientation of 0": (lambda: jpeg(exif=exif_of(0)), "ok"),
    "an orientation of 9": (lambda: jpeg(exif=exif_of(9)), "ok"),
    "an orientation of 65535": (lambda: jpeg(exif=exif_of(65535)), "ok"),
    "an orientation that is a word": (lambda: jpeg(exif=exif_as(2, 4, b"up!\x00")), "ok"),
    "an orientation of a billion values": (lambda: jpeg(exif=exif_as(3, 10**9, bytes(4))), "ok"),
    "an orientation that is 6 divided by 0": (lambda: jpeg(exif=exif_as(5, 1, struct.pack("<I", 8))), "ok"),
    "an EXIF of rubbish": (lambda: jpeg(exif=b"Exif\x00\x00" + rubbish(500)), "ok"),
    "an EXIF of nothing": (lambda: jpeg(exif=b"Exif\x00\x00"), "ok"),
    "two thousand empty segments": (lambda: segments(jpeg(), 0xE5, b"", 2000), "ok"),
    "a megabyte of comments": (lambda: segments(jpeg(), 0xFE, bytes(65_000), 16), "ok"),
    **{f"a profile: {name}": (lambda p=p: jpeg(icc_profile=p), "ok") for name, p in broken_profiles().items()},
    "a PNG with a profile of rubbish": (lambda: saved(sheet(), "PNG", icc_profile=rubbish(3000)), "ok"),
    "a PNG with a text of a hundred megabytes": (
        lambda: png()[:33] + chunk(b"zTXt", b"k\x00\x00" + zlib.compress(bytes(100_000_000), 9)) + png()[33:],
        "IMAGE_DAMAGED",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(("make", "verdict"), ZOO.values(), ids=ZOO.keys())
def test_every_animal_has_its_verdict(make: Callable[[], bytes], verdict: str) -> None:
    body = make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        made = prepare_image(body, options=OPTIONS, detector=None, seed_key="zoo")
    except ImageFault as fault:
        assert (fault.issue, verdict) == (verdict, fault.issue), str(fault)
        assert fault.issue in ISSUES and str(fault).endswith(".") and len(str(fault)) < 300
    else:
        assert verdict == "ok"
        seen = np.asarray(Image.open(io.BytesIO(made.jpeg))).astype(int)
        expected = np.asarray(sheet().resize((150, 200), Image.Resampling.BOX)).astype(int)
        assert seen.shape == expected.shape
        assert np.median(np.abs(seen - expected)) < 6, "not the picture that was sent"
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 150, "a small body took much memory"
    assert working_bytes(body, need_px=400) >= 0


FORMATS: dict[str, Callable[[], bytes]] = {
    "JPEG": jpeg,
    "JPEG, progressive": lambda: jpeg(progressive=True),
    "JPEG, 4:4:4": lambda: jpeg(subsampling=0),
    "JPEG, inks": lambda: saved(sheet().convert("CMYK"), "JPEG"),
    "PNG": png,
    "TIFF": lambda: saved(sheet(), "TIFF"),
    "TIFF, LZW": lambda: saved(sheet(), "TIFF", compression="tiff_lzw"),
    "TIFF, deflated": lambda: saved(sheet(), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, JPEG inside": lambda: saved(sheet(), "TIFF", compression="jpeg"),
    "WebP": lambda: saved(sheet(), "WEBP"),
    "WebP, lossless": lambda: saved(sheet(), "WEBP", lossless=True),
    "BMP": lambda: saved(sheet(), "BMP"),
    "JPEG 2000": lambda: saved(sheet(), "JPEG2000"),
    "JPEG 2000, lossy": lambda: saved(sheet(), "JPEG2000", irreversible=True, quality_layers=[20]),
}


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
def test_what_was_cut_anywhere_is_refused(make: Callable[[], bytes]) -> None:
    body = make()
    decode_image(body, need_px=HEIGHT, max_pixels=10**6)
    for end in [*(len(body) * percent // 100 for percent in range(1, 100, 7)), len(body) - 20, len(body) - 1]:
        with pytest.raises(ImageFault) as fault:
            decode_image(body[:end], need_px=HEIGHT, max_pixels=10**6)
        assert fault.value.issue in ("IMAGE_DAMAGED", "NOT_AN_IMAGE"), end


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_profile_of_another_space_is_applied_once(kind: str) -> None:
    how = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    body = saved(sheet(), kind, icc_profile=swapped_profile(), **how)
    leaf = decode_image(body, need_px=HEIGHT, max_pixels=10**6).pixels[150:250, 120:160].mean(axis=(0, 1))
    assert leaf[0] > leaf[1] + 15, "red and green were to be exchanged"
