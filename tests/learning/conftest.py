"""A release in miniature: leaves whose outline is their species' own, in real tars, with a true manifest."""

from __future__ import annotations

import hashlib
import io
import itertools
import math
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

# species, genus, family; the number of lobes grows with the species, so that genera look alike
TAXA = (
    ("Acer rubrum", "Acer", "Sapindaceae"),
    ("Acer saccharum", "Acer", "Sapindaceae"),
    ("Carex alba", "Carex", "Cyperaceae"),
    ("Carex flava", "Carex", "Cyperaceae"),
    ("Viola canina", "Viola", "Violaceae"),
    ("Viola odorata", "Viola", "Violaceae"),
)
SHARDS = ("train-000000.tar", "train-000001.tar", "test-000000.tar")
LOBES = ((3, 0.5), (5, 0.5), (0, 0.0), (2, 0.9), (8, 0.3), (12, 0.6))

MakeRelease = Callable[..., Path]


def draw_leaf(class_id: int, number: int, width_px: int = 120, height_px: int = 160) -> bytes:
    random = np.random.default_rng([class_id, number])
    lobes, depth = LOBES[class_id]
    paper = tuple(int(shade) for shade in random.integers(205, 235, 3))
    image = Image.new("RGB", (width_px, height_px), paper)
    centre_x, centre_y = width_px * random.uniform(0.42, 0.58), height_px * random.uniform(0.42, 0.58)
    size, turn = width_px * random.uniform(0.28, 0.36), random.uniform(0, 2 * math.pi)
    outline = []
    for angle in np.linspace(0, 2 * math.pi, 120, endpoint=False):
        radius = size * (1 + depth * math.cos(lobes * angle)) / (1 + depth)
        outline.append((centre_x + radius * math.cos(angle + turn), centre_y + radius * math.sin(angle + turn)))
    green = tuple(int(shade) for shade in random.integers((50, 80, 30), (80, 120, 60)))
    ImageDraw.Draw(image).polygon(outline, fill=green)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def pack_sheet(tar: tarfile.TarFile, shard: str, class_id: int, number: int) -> dict[str, object]:
    """Draw a sheet into the tar; return its row of the manifest."""
    key = hashlib.sha256(f"{class_id}/{number}".encode()).hexdigest()[:20]
    data = draw_leaf(class_id, number)
    member = tarfile.TarInfo(f"{key}.jpg")
    member.size = len(data)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(data))
    species, genus, family = TAXA[class_id]
    return {
        "image_key": key,
        "image_id": f"{number * len(TAXA) + class_id}",
        "part": shard.split("-")[0],
        "class_id": class_id,
        "shard": shard,
        "offset": offset,
        "length_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "taxon_name": species,
        "genus": genus,
        "family": family,
    }


def write_release(folder: Path, *, train: int = 8, test: int = 3, classes: int = 6) -> Path:
    """Write a release of `train` + `test` sheets a class; two shards for training, one for testing."""
    folder.mkdir(parents=True)
    rows = []
    with ExitStack() as open_tars:
        tars = {name: open_tars.enter_context(tarfile.open(folder / name, "w")) for name in SHARDS}
        for number, class_id in itertools.product(range(train + test), range(classes)):
            shard = SHARDS[2] if number >= train else SHARDS[number % 2]
            rows.append(pack_sheet(tars[shard], shard, class_id, number))
    pq.write_table(pa.Table.from_pylist(rows), folder / "manifest.parquet")
    named = [
        {"class_id": number, "taxon_name": species, "genus": genus, "family": family}
        for number, (species, genus, family) in enumerate(TAXA[:classes])
    ]
    pq.write_table(pa.Table.from_pylist(named), folder / "classes.parquet")
    return folder


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole release; do not change it."""
    return write_release(tmp_path_factory.mktemp("release") / "leaves-0.1.0")


@pytest.fixture
def make_release(tmp_path: Path) -> MakeRelease:
    """Write a release of one's own, to be broken."""
    return lambda **options: write_release(tmp_path / "leaves-0.1.0", **options)


@pytest.fixture(scope="session")
def draw_sheet() -> Callable[..., bytes]:
    """Draw a leaf as the release has them: (class_id, number) to the bytes of a JPEG."""
    return draw_leaf


@pytest.fixture(scope="session")
def run_two() -> Callable[..., None]:
    """Run a command of ours as two processes that know of each other as torchrun's do; both must end well."""

    def run(*words: object) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
        command = [sys.executable, "-m", "naflora_etl", *(str(word) for word in words)]
        both = [
            subprocess.Popen(command, env={**os.environ, **world, "RANK": str(rank)}, stdout=subprocess.DEVNULL)
            for rank in (0, 1)
        ]
        assert [process.wait(timeout=300) for process in both] == [0, 0]

    return run


@pytest.fixture(scope="session")
def kill_at_checkpoints() -> Callable[..., None]:
    """Start a program that trains into a folder, and SIGKILL it after a checkpoint, at once and a moment later."""

    def kill(program: str, run: Path, *arguments: object) -> None:
        command = [sys.executable, "-c", program, *(str(word) for word in arguments)]
        for pause_s in (0.0, 0.3):
            with subprocess.Popen(command) as process:
                before = checkpoint_time(run)
                while checkpoint_time(run) == before and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(pause_s)
                process.kill()

    return kill


KILLED_RUN = """
import sys
from pathlib import Path
from naflora_etl.learning.recipe import read_learn_recipe
from naflora_etl.learning.train import train
train(Path(sys.argv[1]), recipe=read_learn_recipe('tiny', sys.argv[3:]), out=Path(sys.argv[2]), resume=True)
"""


@pytest.fixture
def kill_training(kill_at_checkpoints: Callable[..., None]) -> Callable[..., None]:
    """Train a release into a folder by the recipe `tiny` and some knobs, killed twice on the way."""

    def kill(release: Path, run: Path, *knobs: str) -> None:
        kill_at_checkpoints(KILLED_RUN, run, release, run, *knobs)

    return kill


def checkpoint_time(run: Path) -> int:
    return (run / "last.pt").stat().st_mtime_ns if (run / "last.pt").exists() else 0
