"""`naflora audit --text`: a release whose label can still be read fails, wherever it lies; a clean one passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from small_world import draw_jpeg, make_world

from naflora_etl.cli import main
from naflora_etl.imaging import tesseract
from naflora_etl.publishing.bundle import write_tarballs
from naflora_etl.publishing.samples import draw_rows

pytestmark = pytest.mark.skipif(
    not tesseract.has_tesseract(), reason=f"no {tesseract.PROGRAM} here: {tesseract.INSTALL}"
)


def draw_labelled(text: str) -> bytes:
    """Return a JPEG of 48 x 64 px times eight with a line of print on it."""
    sheet = np.full((512, 384, 3), 226, np.uint8)
    cv2.putText(sheet, text, (20, 300), cv2.FONT_HERSHEY_COMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return bytes(cv2.imencode(".jpg", sheet)[1].tobytes())


def make_release(folder: Path, jpegs: dict[int, bytes] | None = None) -> Path:
    world = make_world(folder, jpegs or {number: draw_jpeg(number) for number in range(10)})
    world.pack_shards()
    world.write_release()
    return world.release


def audit(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of ten, on one of which the label was overlooked."""
    jpegs = {number: draw_jpeg(number) for number in range(10)} | {0: draw_labelled("Acer rubrum, swamps")}
    return make_release(tmp_path_factory.mktemp("leaky"), jpegs)


def test_a_word_of_the_label_fails_the_audit_and_is_shown(leaky: Path, tmp_path: Path) -> None:
    done = audit(leaky, "--text", "--all", "--out", tmp_path / "crops")
    assert done.exit_code == 1
    assert "rubrum (species) as rubrum" in done.output and "read 10 of 10 images" in done.output
    assert "on 1 of 10 images a word of the label can still be read" in done.output
    assert [path for path in (tmp_path / "crops").iterdir() if "own-species-rubrum" in path.name]


def test_a_release_without_words_passes(tmp_path: Path) -> None:
    done = audit(make_release(tmp_path), "--text", "--all")
    assert done.exit_code == 0, done.output
    assert "0 of the labels' own words, 0.00 confident words a sheet." in done.output


def test_the_answer_is_the_same_in_a_tarball_and_as_json(leaky: Path, tmp_path: Path) -> None:
    *parts, _ = write_tarballs(leaky, tmp_path, name="small-0.1.0", part_size_bytes=9_999)
    done = audit(parts[-1], "--text", "--all", "--json")
    assert done.exit_code == 1
    told: dict[str, Any] = json.loads(done.stdout)
    assert {"sheets": 10, "of": 10, "sheets_with_own_words": 1}.items() <= told.items()
    assert {word["kind"] for image in told["images"] for word in image["own_words"]} >= {"species"}


def test_a_sample_is_drawn_by_the_keys_alone() -> None:
    keys = [f"{number:020x}" for number in range(40)]
    table = pa.table({"image_key": keys, "shard": ["a.tar"] * 40, "offset": list(range(40))})
    five = {row["image_key"] for row in draw_rows(table, 5, purpose="audit")}
    assert five == {row["image_key"] for row in draw_rows(table.take(list(range(39, -1, -1))), 5, purpose="audit")}
    assert five < {row["image_key"] for row in draw_rows(table, 6, purpose="audit")}
    assert five != {row["image_key"] for row in draw_rows(table, 5, purpose="other")}
    assert len(draw_rows(table, None, purpose="audit")) == 40


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--all",), "--all, --sample and --out go with --text."),
        (("--text", "--all", "--sample", "3"), "--all and --sample exclude each other."),
        (("--text", "--sample", "0"), "0 is not in the range x>=1"),
    ],
)
def test_what_was_not_said_rightly_is_told(leaky: Path, arguments: tuple[str, ...], told: str) -> None:
    done = audit(leaky, *arguments)
    assert done.exit_code == 2 and told in done.output


def test_what_is_no_whole_release_is_told(leaky: Path, tmp_path: Path) -> None:
    assert "no such release" in audit(tmp_path / "nowhere", "--text").output
    broken = make_release(tmp_path / "broken")
    shard = next(broken.glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:2000])
    done = audit(broken, "--text", "--all")
    assert done.exit_code == 1 and "naflora verify" in done.output and "Traceback" not in done.output


def test_without_tesseract_nothing_is_called_clean(leaky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "PROGRAM", "no-such-reader")
    tesseract.tesseract_version.cache_clear()
    done = audit(leaky, "--text")
    assert done.exit_code == 1 and "apt-get install tesseract-ocr" in done.output
