"""A variant of a release in a folder of its own: smaller images, or another layout, with what is needed to use it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.publishing.bundle import FULL
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import render_sums, sum_stream
from naflora_etl.publishing.layouts import LayoutName, make_layout
from naflora_etl.publishing.parcel import MANIFEST
from naflora_etl.publishing.reshard import reshard_images
from naflora_etl.publishing.samples import ReleaseImages
from naflora_etl.publishing.tar import LabelKind

NAME = "variant.json"
ATTRIBUTION = "attribution.csv"
COMPETITION = ("train_metadata.json", "test_metadata.json", "sample_submission.csv")
ShrinkTo = Callable[[bytes, int, int], tuple[bytes, int, int]]
"""A JPEG, the long side wanted and the quality in; a smaller JPEG, its width and height out."""


@dataclass(frozen=True)
class Variant:
    """What is asked for."""

    size_px: int | None = None
    layout: LayoutName = "webdataset"
    label: LabelKind = "json"
    quality: int = 92
    threads: int = 2


def write_variant(
    release: Path,
    out: Path,
    variant: Variant,
    shrink: ShrinkTo,
    progress: Callable[..., None] = lambda done, total, note="": None,
) -> dict[str, Any]:
    """Write a variant of the release into a new folder `out`; return what its variant.json tells.

    The folder appears whole at the end; what an interrupted run left beside it is removed. Raises Fault when `out`
    holds something, or the release is damaged.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Fault(f"{out} is there already and not empty; name a new folder.")
    beside = out.absolute().with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with ReleaseImages(release) as images:
            facts = _write(images, beside, variant, shrink, progress)
        if out.exists():
            out.rmdir()
        beside.rename(out)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise Fault(f"{out}: the disk is full; make room, or choose another --out. Nothing is left there.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return facts


def _write(
    images: ReleaseImages, beside: Path, variant: Variant, shrink: ShrinkTo, progress: Callable[..., None]
) -> dict[str, Any]:
    size_px, sums = variant.size_px, dict[str, str]()
    create = _creating(beside, sums)
    manifest = reshard_images(
        images.manifest,
        images.parcel.open,
        make_layout(variant.layout, create, variant.label),
        shrink=None if size_px is None else lambda jpeg: shrink(jpeg, size_px, variant.quality),
        threads=variant.threads,
        progress=progress,
    )
    with images.parcel.open(MANIFEST) as stream:
        source = sum_stream(stream).sha256
    told = {name: value for name, value in asdict(variant).items() if name != "threads"}
    facts = told | {
        "images": manifest.num_rows,
        "size_bytes": pc.sum(manifest["length_bytes"]).as_py() or 0,
        "source_manifest_sha256": source,
    }
    for name, body in _documents(images, manifest, variant.layout):
        with create(name) as out:
            out.write(body)
    with create(NAME) as out:
        out.write((json.dumps(facts, indent=2) + "\n").encode())
    (beside / SUMS).write_bytes(render_sums(sums))
    return facts


def _documents(images: ReleaseImages, manifest: pa.Table, layout: LayoutName) -> Iterator[tuple[str, bytes]]:
    is_competition = layout == "competition"
    for name in (*(COMPETITION if is_competition else ("classes.parquet",)), ATTRIBUTION):
        if name not in images.parcel.sizes:
            continue  # a subset has no documents
        with images.parcel.open(name) as stream:
            yield name, _mix(stream.read()) if is_competition and name == ATTRIBUTION else stream.read()
    if layout != "competition":
        yield MANIFEST, parquet_bytes(manifest)


def _mix(attribution: bytes) -> bytes:
    """Return the attribution without keys, by address: everybody is thanked, and no test image leads to its record."""
    rows = list(csv.DictReader(io.StringIO(attribution.decode())))
    names = [name for name in rows[0] if name != "image_key"] if rows else []
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["url"]))
    return text.getvalue().encode()


def _creating(folder: Path, sums: dict[str, str]) -> Callable[[str], Any]:
    """Return how files are created below `folder`; the sha256 of each is noted in `sums` when it is closed."""

    @contextmanager
    def create(name: str) -> Iterator[IO[bytes]]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            yield stream
        with path.open("rb") as written:
            sums[name] = sum_stream(written).sha256

    return create
