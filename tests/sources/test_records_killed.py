"""A kill -9 in the middle of the stage records, wherever it works: the next build gives the bytes of one in one go."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from naflora_etl.sandbox.mass_archive import MassFiles, write_mass

pytestmark = pytest.mark.slow
SMALL_PARTS = """
import sys
from naflora_etl.engine import spool
from naflora_etl.sources import assembly
from naflora_etl import cli
assembly.PART_BYTES, spool.ROOM_BYTES = 9_000_000, 9_000_000
sys.argv[0] = "naflora"
cli.main()
"""
"""The command with small parts, so that there are several, and little room in memory: the scratch disk is used."""


@pytest.fixture(scope="module")
def mass(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MassFiles]:
    files = write_mass(tmp_path_factory.mktemp("killed") / "big", 60_000, species=400)
    command = [sys.executable, "-m", "naflora_etl", "build", str(files.recipe), "--until", "harvest"]
    subprocess.run([*command, "--work", str(files.recipe.parent / "harvested")], check=True, capture_output=True)
    yield files


def start(mass: MassFiles, work: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SMALL_PARTS, "build", str(mass.recipe), "--until", "records", "--work", str(work)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(mass: MassFiles, work: Path) -> dict[str, str]:
    """Build to the end; return the sha256 of each part."""
    with start(mass, work) as process:
        told, _ = process.communicate()
    assert process.returncode == 0, told.decode()
    names = [part.split(":")[0] for part in json.loads((work / "tables/records/receipt.json").read_text())["parts"]]
    assert not list((work / "scratch").glob("*"))
    return {name: sha256((work / "tables/records" / name).read_bytes()).hexdigest() for name in names}


def has_described(work: Path) -> bool:
    return len(list((work / "scratch").glob("specimens-*.arrows"))) >= 1


def has_joined(work: Path) -> bool:
    return len(list((work / "scratch").glob("joined-*.arrows"))) >= 1


def has_written(work: Path) -> bool:
    return len(list((work / "tables/records").glob("*/part-*.parquet"))) >= 2


@pytest.mark.parametrize("is_there", [has_described, has_joined, has_written])
def test_a_kill_leaves_nothing_that_a_second_build_would_not_make_alike(
    mass: MassFiles, tmp_path: Path, is_there: Callable[[Path], bool]
) -> None:
    harvested = mass.recipe.parent / "harvested"
    whole, work = (Path(shutil.copytree(harvested, tmp_path / name)) for name in ("whole", "killed"))
    expected = finish(mass, whole)
    assert len(expected) > 5
    with start(mass, work) as process:
        deadline = time.monotonic() + 120
        while not is_there(work):
            assert process.poll() is None and time.monotonic() < deadline, "it was over before it could be killed"
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -9
    assert not (work / "tables/records/receipt.json").exists()
    assert finish(mass, work) == expected
