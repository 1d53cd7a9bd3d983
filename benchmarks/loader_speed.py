"""Images a second on one core: our loader, plain Pillow and webdataset, in turn, over real sheets.

    pip install --no-deps --target /tmp/oracles webdataset braceexpand
    PYTHONPATH=/tmp/oracles python benchmarks/loader_speed.py ../shared/data/images/violaceae_1000px/images

CPU seconds of the process, medians of rounds in which each has its turn. "Turned" adds mirror and rotation, as training
does. The cache is the same sheets at 288 px, quality 90.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from small_release import Sheet, pack_release

from naflora_etl.learning.data import SheetDataset
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.releases import open_release

SIZE, CACHE = 256, 288
STRAIGHT = DataOptions(size_px=SIZE, flip=False, rotation_deg=0)
TURNED = DataOptions(size_px=SIZE)


def plain(data: bytes, turn: bool) -> np.ndarray:
    """What most loaders do: a full decode, then a step for each thing that is wanted."""
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    if turn:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(7.5, Image.Resampling.BILINEAR)
    return np.array(image)


def webdataset_of(tar: Path, turn: bool) -> Callable[[], int]:
    """Return a pass over the tar as webdataset's users write it: decode to Pillow, then the same steps."""
    import webdataset

    def steps(image: Image.Image) -> np.ndarray:
        image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        if turn:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(7.5, Image.Resampling.BILINEAR)
        return np.array(image)

    def run() -> int:
        samples = webdataset.WebDataset(str(tar), shardshuffle=False).decode("pilrgb").to_tuple("jpg", "cls")
        return sum(1 for _ in samples.map_tuple(steps, int))

    return run


def ours_of(dataset: SheetDataset, turn: bool) -> Callable[[], int]:
    """Return a pass of our loader; an epoch gives random views, none the straight one."""

    def run() -> int:
        for index in range(len(dataset)):
            dataset.look(index, seed=1, epoch=0 if turn else None)
        return len(dataset)

    return run


def plain_of(dataset: SheetDataset, turn: bool) -> Callable[[], int]:
    """Return a pass of plain Pillow over the same bytes."""

    def run() -> int:
        for index in range(len(dataset)):
            plain(dataset.read(index), turn)
        return len(dataset)

    return run


def shrunk(data: bytes) -> bytes:
    """Return the sheet at the cache's size, bent to a square."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((CACHE, CACHE), Image.Resampling.LANCZOS).save(
        stream, "JPEG", quality=90
    )
    return stream.getvalue()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("sheets", type=Path)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    paths = sorted(given.sheets.rglob("*.jpg"))
    with tempfile.TemporaryDirectory() as folder:
        sheets = [Sheet(f"V {path.parent.name}", "V", "V", "train", path.read_bytes()) for path in paths]
        full = pack_release(Path(folder) / "full", sheets)
        small = [Sheet(s.species, s.genus, s.family, s.part, shrunk(s.jpeg)) for s in sheets]
        cache = pack_release(Path(folder) / "cache", small)
        ways: dict[str, Callable[[], int]] = {}
        for turn, knobs, word in ((False, STRAIGHT, "straight"), (True, TURNED, "turned")):
            one, other = (SheetDataset(open_release(at).part("train"), knobs) for at in (full, cache))
            ways[f"plain Pillow, {word}"] = plain_of(one, turn)
            ways[f"ours, {word}"] = ours_of(one, turn)
            ways[f"ours from the cache, {word}"] = ours_of(other, turn)
            try:
                ways[f"webdataset, {word}"] = webdataset_of(full / "train-000000.tar", turn)
            except ImportError:
                sys.stderr.write("webdataset is not here; see the head of this file\n")
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(given.rounds):
            for name, way in ways.items():
                began = time.process_time()
                number = way()
                speeds[name].append(number / (time.process_time() - began))
    for word in ("straight", "turned"):
        base = median(speeds[f"plain Pillow, {word}"])
        for name in speeds:
            if name.endswith(word):
                row = {"way": name, "images_per_cpu_second": round(median(speeds[name])),
                       "times_plain": round(median(speeds[name]) / base, 2)}  # fmt: skip
                sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
