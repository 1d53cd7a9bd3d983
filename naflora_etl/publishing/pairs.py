"""Image-text pairs of a release: tars that WebDataset and open_clip read, an image and its texts under one key."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.publishing.samples import ReleaseImages
from naflora_etl.publishing.tar import plain_member

Texts = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""From a row of the manifest to its texts by the ending of their file: {"txt": "A photo of ..."}."""


def write_pairs(
    release: ReleaseImages,
    lists: Mapping[str, Sequence[str]],
    texts: Texts,
    out: Path,
    *,
    progress: Callable[..., None] = lambda done, total, note="": None,
) -> int:
    """Write a tar for each list of image keys, `<name>.tar`, in that order; return how many pairs.

    A sample is `<key>.jpg` and a `<key>.<ending>` for each of its texts. The same release and lists give the same
    bytes. Raises Fault for a folder that holds something, and for a damaged image.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Fault(f"{out} is there already and not empty; name a new folder.")
    rows = {row["image_key"]: row for row in release.manifest.to_pylist()}
    target, done, total = Workspace(str(out)), 0, sum(map(len, lists.values()))
    for name, keys in lists.items():
        with (
            target.writing(f"{name}.tar") as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for row, image in release.read([rows[key] for key in keys]):
                _add(tar, row["image_key"], [("jpg", image), *_encoded(texts(row))])
                done += 1
                progress(done, total)
    return done


def _encoded(texts: Mapping[str, str]) -> Iterable[tuple[str, bytes]]:
    return ((ending, text.encode()) for ending, text in texts.items())


def _add(tar: tarfile.TarFile, key: str, files: Iterable[tuple[str, bytes]]) -> None:
    for ending, data in files:
        tar.addfile(plain_member(f"{key}.{ending}", len(data)), io.BytesIO(data))
