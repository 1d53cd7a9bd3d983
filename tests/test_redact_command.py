"""naflora redact: images on disk, outside any build."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from naflora_etl.cli import main
from naflora_etl.engine.interruptions import Interruptions
from naflora_etl.imaging.detect import TextBox
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.recipe import ImagesOptions


class MarkFinder:
    """Finds the black mark in the pixels that it is given."""

    name = "mark:000000000000"

    def find(self, rgb: np.ndarray) -> list[TextBox]:
        rows, columns = np.nonzero(rgb.max(axis=2) < 60)
        if not len(rows):
            return []
        left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        return [TextBox(points, 0.9)]


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that finds black marks, whichever is asked for."""
    monkeypatch.setattr(
        "naflora_etl.imaging.files.open_detector",
        lambda options, threads: None if options.redact == "none" else MarkFinder(),
    )


def sheet(mark: tuple[int, int, int, int] = (300, 500, 480, 540)) -> Image.Image:
    image = Image.new("RGB", (600, 800), (236, 230, 214))
    ImageDraw.Draw(image).rectangle(mark, fill=(0, 0, 0))
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "b.png", "c.tif"):
        sheet().save(tmp_path / "in" / name)
    return tmp_path


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["redact", *map(str, arguments)], catch_exceptions=False)


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "JPEG"
        return np.asarray(image)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WAYS: dict[str, tuple[Callable[[Path], list[Any]], list[str]]] = {
    "a file": (lambda at: [at / "in/a.jpg"], ["a.jpg"]),
    "files": (lambda at: [at / "in/a.jpg", at / "in/b.png"], ["a.jpg", "b.jpg"]),
    "a folder": (lambda at: [at / "in"], ["a.jpg", "b.jpg", "c.jpg"]),
    "a folder of folders": (lambda at: [at], ["a.jpg", "b.jpg", "c.jpg"]),
    "a pattern": (lambda at: [at / "in/*.[jp]*g"], ["a.jpg", "b.jpg"]),
    "the same file twice": (lambda at: [at / "in/a.jpg", at / "in"], ["a.jpg", "b.jpg", "c.jpg"]),
    "one file by two names": (lambda at: [at / "in/a.jpg", at / "in/../in/a.jpg"], ["a.jpg"]),
}


@pytest.mark.parametrize(("given", "made"), WAYS.values(), ids=WAYS.keys())
def test_images_are_files_folders_or_patterns(folder: Path, marks: None, given: Any, made: list[str]) -> None:
    result = run(*given(folder), "--out", folder / "out")
    assert result.exit_code == 0, result.output
    assert names(folder / "out") == made
    n = len(made)
    assert result.output == f"{n} of {n} images redacted into {folder / 'out'}, {n} pieces of text covered.\n"
    for name in made:
        pixels = opened(folder / "out" / name)
        assert pixels.shape == (800, 600, 3) and pixels.min() > 100


def test_boxes_are_those_that_were_blanked(folder: Path, marks: None) -> None:
    run(folder / "in/b.png", "--out", folder / "out", "--boxes", folder / "boxes.json", "--size", 0, "--grow", 0.25)
    written = json.loads((folder / "boxes.json").read_text())
    assert set(written) == {"b"} and set(written["b"]) == {"width", "height", "quads"}
    assert (written["b"]["width"], written["b"]["height"]) == (600, 800)
    (quad,) = written["b"]["quads"]
    assert quad["score"] == 0.9 and quad["detector"] == MarkFinder.name
    mark = np.array([[300, 500], [481, 500], [481, 541], [300, 541]])
    outwards = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    assert np.array(quad["points"]) == pytest.approx(mark + 0.25 * 41 * outwards, abs=0.01)
    inside = mask_quads((800, 600), [np.array(quad["points"], np.float32)], grow=0).astype(bool)
    changed = np.abs(opened(folder / "out/b.jpg").astype(int) - np.asarray(sheet()).astype(int)).max(axis=2) > 6
    assert changed[inside].mean() > 0.8 and changed[~inside].mean() < 0.01


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_boxes_are_in_pixels_of_the_upright_original(folder: Path, marks: None, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    sheet().transpose(back).save(folder / "turned.jpg", quality=95, exif=exif)
    run(folder / "turned.jpg", "--out", folder / "out", "--boxes", folder / "boxes.json", "--size", 200, "--grow", 0)
    written = json.loads((folder / "boxes.json").read_text())["turned"]
    assert (written["width"], written["height"]) == (600, 800)
    assert np.array(written["quads"][0]["points"]) == pytest.approx(
        np.array([[300, 500], [481, 500], [481, 541], [300, 541]]), abs=2
    )
    assert opened(folder / "out/turned.jpg").shape == (200, 150, 3)


@pytest.mark.parametrize(("size", "shape"), [(0, (800, 600)), (400, (400, 300)), (1000, (800, 600))])
def test_size_is_the_long_side_and_never_enlarges(folder: Path, marks: None, size: int, shape: tuple[int, int]) -> None:
    run(folder / "in/a.jpg", "--out", folder / "out", "--size", size)
    assert opened(folder / "out/a.jpg").shape[:2] == shape


def test_one_bad_image_among_many(folder: Path, marks: None) -> None:
    (folder / "in/bad.jpg").write_bytes((folder / "in/a.jpg").read_bytes()[:2000])
    (folder / "in/page.jpg").write_bytes(b"<html>404</html>")
    (folder / "in/empty.png").write_bytes(b"")
    result = run(folder / "in", "--out", folder / "out", "--boxes", folder / "boxes.json")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert f"{folder}/in/page.jpg: This is HTML, not an image.\n" in result.stderr
    assert f"{folder}/in/bad.jpg: The image cannot be decoded: " in result.stderr
    assert f"{folder}/in/empty.png: This is empty, not an image.\n" in result.stderr
    assert result.stdout.startswith("3 of 6 images redacted")
    assert names(folder / "out") == ["a.jpg", "b.jpg", "c.jpg"]
    assert set(json.loads((folder / "boxes.json").read_text())) == {"a", "b", "c"}


def test_as_json(folder: Path, marks: None) -> None:
    (folder / "in/bad.jpg").write_bytes(b"\xff\xd8\xff")
    result = run(folder / "in", "--out", folder / "out", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1 and result.stderr == ""
    assert [entry["issue"] for entry in told] == [None, None, "IMAGE_DAMAGED", None]
    assert told[0]["out"] == f"{folder}/out/a.jpg" and told[0]["text_boxes"] == 1
    assert told[2]["out"] is None and told[2]["sentence"].startswith(f"{folder}/in/bad.jpg: ")


def test_the_same_again_is_the_same(folder: Path, marks: None) -> None:
    boxes = folder / "boxes.json"
    run(folder / "in", "--out", folder / "one", "--boxes", boxes)
    first = boxes.read_bytes()
    run(folder / "in", "--out", folder / "two", "--boxes", boxes)
    assert boxes.read_bytes() == first
    for name in names(folder / "one"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


FAULTS: dict[str, tuple[list[str], str]] = {
    "no such file": (["{at}/nothing.jpg"], "{at}/nothing.jpg: no such file or folder."),
    "no match": (["{at}/in/*.webp"], "{at}/in/*.webp matches no file."),
    "nothing in it": (["{at}/bare"], "{at}/bare holds no image: no file in it ends in one of "),
    "one stem twice": (["{at}/in", "{at}/more"], "{at}/in/a.jpg and {at}/more/A.png would both become A.jpg; "),
    "onto itself": (["{at}/in", "--out", "{at}/in"], "{at}/in/a.jpg is one of the images to redact; "),
    "no such detector": (["{at}/in", "--detector", "eyes"], 'naflora redact: images.redact = "eyes": input should be '),
    "no such fill": (["{at}/in", "--fill", "ink"], 'naflora redact: images.fill = "ink": input should be '),
    "too small": (["{at}/in", "--size", "9"], "naflora redact: images.size_px = 9: give 16 or more, or 0 to keep "),
    "boxes into a folder": (["{at}/in", "--boxes", "{at}/bare"], "{at}/bare is a folder; --boxes takes a file."),
    "boxes onto an image": (["{at}/in", "--boxes", "{at}/in/b.png"], "{at}/in/b.png is one of the images; "),
    "boxes onto a result": (
        ["{at}/in", "--out", "{at}/out", "--boxes", "{at}/out/b.jpg"],
        "{at}/out/b.jpg is one of the images; ",
    ),
    "boxes below a file": (
        ["{at}/in", "--boxes", "{at}/in/a.jpg/boxes.json"],
        "{at}/in/a.jpg: a file stands where a folder is needed; choose another folder with --boxes.",
    ),
    "out is a file": (
        ["{at}/in", "--out", "{at}/more/A.png"],
        "{at}/more/A.png: a file stands where a folder is needed; choose another folder with --out.",
    ),
    "too good": (["{at}/in", "--quality", "101"], "naflora redact: images.jpeg_quality = 101: "),
}


@pytest.mark.parametrize(("arguments", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_a_mistake_is_told_before_anything_is_written(
    folder: Path, marks: None, arguments: list[str], sentence: str
) -> None:
    (folder / "bare").mkdir()
    (folder / "more").mkdir()
    sheet().save(folder / "more/A.png")
    given = [argument.format(at=folder) for argument in arguments]
    result = run(*given, *([] if "--out" in given else ["--out", folder / "out"]))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: " + sentence.format(at=folder)), result.stderr
    assert not (folder / "out").exists()
    assert names(folder / "in") == ["a.jpg", "b.png", "c.tif"]


def test_a_dead_link_in_a_folder_is_told_of(folder: Path, marks: None) -> None:
    (folder / "in/dead.jpg").symlink_to(folder / "nowhere.jpg")
    result = run(folder / "in", "--out", folder / "out")
    assert result.exit_code == 1 and result.stdout.startswith("3 of 4 images redacted")
    assert result.stderr == f"{folder}/in/dead.jpg: It cannot be read: No such file or directory.\n"


def test_an_impatient_end_is_an_orderly_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C three times: what is in hand is finished, nothing half-written stays, and the sentence is true."""

    class Interrupted(MarkFinder):
        def find(self, rgb: np.ndarray) -> list[TextBox]:
            for _ in range(3):
                heard.clear()
                while not heard.wait(0.05):  # Python hears one that comes just before a wait only after that wait
                    os.kill(os.getpid(), signal.SIGINT)
            return super().find(rgb)

    def hear(self: Interruptions, number: int, frame: FrameType | None) -> None:
        self.heard = True
        heard.set()

    heard = threading.Event()
    monkeypatch.setattr(Interruptions, "_hear", hear)

    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0})
    monkeypatch.setattr("naflora_etl.imaging.files.open_detector", lambda options, threads: Interrupted())
    before = signal.getsignal(signal.SIGINT)
    result = run(folder / "in", "--out", folder / "out", "--boxes", folder / "boxes.json")
    assert result.exit_code == 130 and signal.getsignal(signal.SIGINT) is before
    told = f"Stopped. What is finished is in {folder / 'out'}; the same command redacts every image again.\n"
    assert result.output == told
    assert names(folder / "out") == ["a.jpg"] and not (folder / "boxes.json").exists()


def test_the_help_tells_the_defaults() -> None:
    told = " ".join(run("--help").output.split())
    defaults = ImagesOptions()
    detectors = get_args(ImagesOptions.model_fields["redact"].annotation)
    assert all(name in told for name in detectors)
    for name in ("redact", "size_px", "jpeg_quality", "grow", "fill"):
        assert f"[default: {getattr(defaults, name)}" in told, name


def test_no_metadata_gets_through(folder: Path, marks: None) -> None:
    """EXIF with GPS, XMP, IPTC, comments, a thumbnail, a profile with a name, text chunks, bytes behind the end."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = exif[0x8298] = "Carex scoparia"
    exif.get_ifd(0x8825)[29] = "Carex 2020"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">Carex scoparia</x:xmpmeta>'
    stream = io.BytesIO()
    sheet().save(stream, "JPEG", exif=exif, xmp=xmp, comment=b"Carex scoparia", icc_profile=b"Carex scoparia" * 20)
    body = stream.getvalue()
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x13\x1c\x02\x78\x00\x0eCarex scoparia\x00"
    thumbnail = body[2:]  # as a second JPEG in a JFXX segment would hold it
    for marker, data in ((0xED, iptc), (0xE0, b"JFXX\x00\x10" + thumbnail[:60_000])):
        body = body[:2] + bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data + body[2:]
    (folder / "full.jpg").write_bytes(body + b"Carex scoparia")
    png = io.BytesIO()
    texts = PngInfo()
    texts.add_text("Title", "Carex scoparia")
    texts.add_itxt("Description", "Carex scoparia", zip=True)
    sheet().save(png, "PNG", pnginfo=texts)
    (folder / "text.png").write_bytes(png.getvalue())
    assert body.count(b"Carex") > 6
    assert run(folder / "full.jpg", folder / "text.png", "--out", folder / "out").exit_code == 0
    for name in ("full.jpg", "text.jpg"):
        made = (folder / "out" / name).read_bytes()
        assert b"Carex" not in made and b"Exif" not in made and b"xmp" not in made
        assert [marker for marker, _ in segments(made)] == [0xE0, 0xDB, 0xDB, 0xC0, 0xC4, 0xC4, 0xC4, 0xC4, 0xDA]
        assert made.endswith(b"\xff\xd9") and made.count(b"\xff\xd8\xff") == 1


def segments(body: bytes) -> list[tuple[int, bytes]]:
    """The segments of a JPEG up to its first scan."""
    place, found = 2, []
    while not found or found[-1][0] != 0xDA:
        length = int.from_bytes(body[place + 2 : place + 4], "big")
        found.append((body[place + 1], body[place + 4 : place + 2 + length]))
        place += 2 + length
    return found


def test_without_a_detector_nothing_is_covered(folder: Path) -> None:
    result = run(folder / "in/a.jpg", "--out", folder / "out", "--detector", "none", "--boxes", folder / "boxes.json")
    assert result.stdout.endswith("0 pieces of text covered.\n")
    assert opened(folder / "out/a.jpg")[520, 390].max() < 30
    assert json.loads((folder / "boxes.json").read_text()) == {"a": {"width": 600, "height": 800, "quads": []}}


@pytest.mark.parametrize("detector", ["craft", "ppocr", "union"])
def test_words_are_found_by_the_real_detectors(folder: Path, detector: str) -> None:
    image = Image.new("RGB", (500, 640), (240, 236, 222))
    place = (90, 520)
    font = ImageFont.load_default(size=40)
    ImageDraw.Draw(image).text(place, "Carex scoparia", font=font, fill=(20, 20, 20))
    image.save(folder / "label.png")
    result = run(
        folder / "label.png", "--out", folder / "out", "--boxes", folder / "boxes.json", "--detector", detector
    )
    assert result.exit_code == 0, result.output
    left, top, right, bottom = ImageDraw.Draw(image).textbbox(place, "Carex scoparia", font=font)
    quads = json.loads((folder / "boxes.json").read_text())["label"]["quads"]
    mask = mask_quads((640, 500), [np.array(quad["points"], np.float32) for quad in quads], grow=0)
    assert mask[int(top) : int(bottom), int(left) : int(right)].mean() > 0.97
    assert mask.mean() < 0.2
    assert opened(folder / "out/label.jpg")[int(top) : int(bottom), int(left) : int(right)].min() > 90
