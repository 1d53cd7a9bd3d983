"""A build with masters: another detector, fill or size asks no server anything, and no master leaves the house."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from naflora_etl.cli import main
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.tables import sha256_of
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running
from naflora_etl.sandbox.world import GBIF_ADDRESS

PORT = 28941
SANDBOX = {"seed": 7, "species": 4, "specimens_per_species": 10, "port": PORT, "min_sheet_px": 400, "max_sheet_px": 500}
RECIPE = """
name = "masters"
[images]
KNOBS
[selection]
servers = 6
threshold = 3
cap = 4
spares = 2
[split]
minimum = 3
min_test = 1
[http.default]
per_second = 40
[sandbox]
""" + "\n".join(f"{name} = {value}" for name, value in SANDBOX.items())
FIRST = 'keep = "master"\nmaster_px = 450\nredact = "none"\nsize_px = 200'
CHANGES = {
    "a size": 'keep = "master"\nmaster_px = 450\nredact = "none"\nsize_px = 300',
    "a detector, and its fill": (
        'keep = "master"\nmaster_px = 450\nredact = "ppocr"\ncoarse_px = 0\ndetect_px = 450\n'
        'fill = "paper"\nsize_px = 300'
    ),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[None]:
    """One sandbox for all builds, so that its log tells of all of them."""
    with sandbox_running(SandboxOptions.model_validate(SANDBOX)):
        yield


def requests() -> list[str]:
    """What was asked of the image servers, by the sandbox's own log."""
    with urllib.request.urlopen(f"http://{GBIF_ADDRESS}:{PORT}/sandbox/log") as answer:
        told = json.loads(answer.read())
    return [str(entry) for entry in told if "/sheets/" in str(entry) or "robots" in str(entry)]


def build(folder: Path, knobs: str) -> Workspace:
    recipe = folder / "masters.toml"
    recipe.write_text(RECIPE.replace("KNOBS", knobs))
    work = folder / "work"
    result = CliRunner().invoke(main, ["build", str(recipe), "--work", str(work)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return Workspace(str(work))


@pytest.mark.slow
def test_with_masters_nobody_is_asked_again(sandbox: None, tmp_path: Path) -> None:
    workspace = build(tmp_path, FIRST)
    images = Receipts(workspace).table("images").to_pylist()
    done = [row for row in images if row["issue"] is None]
    asked = requests()
    assert len(asked) >= len(done) > 8
    for name, knobs in CHANGES.items():
        build(tmp_path, knobs)
        changed = Receipts(workspace).table("images").to_pylist()
        assert requests() == asked, name
        assert verdicts(changed) == verdicts(images)
        finished = [row for row in changed if row["issue"] is None]
        assert {max(row["width_px"], row["height_px"]) for row in finished} == {300}
        assert {row["fetched_at"] for row in finished} == {row["fetched_at"] for row in done}
    assert any(row["text_boxes"] for row in finished)
    _check_release(workspace)


def verdicts(rows: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(row["image_key"], row["issue"]) for row in rows]


def _check_release(workspace: Workspace) -> None:
    """No file of the release is a master, or holds one; all its images have the recipe's size."""
    masters = []
    for path in (workspace.local("packs")).glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                if "@master" in member.name:
                    masters.append(tar.extractfile(member).read())  # type: ignore[union-attr]
    assert len(masters) > 8
    digests = {sha256_of(master) for master in masters}
    seen = 0
    for path in workspace.local("release").iterdir():
        body = path.read_bytes()
        assert not any(master[100:400] in body for master in masters), path.name
        if path.suffix == ".tar":
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                assert not any("@" in name for name in tar.getnames())
                for member in tar:
                    if member.name.endswith(".jpg"):
                        jpeg = tar.extractfile(member).read()  # type: ignore[union-attr]
                        assert sha256_of(jpeg) not in digests
                        assert max(Image.open(io.BytesIO(jpeg)).size) == 300
                        seen += 1
    assert seen > 8
