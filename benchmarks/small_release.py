"""Pack any images into a release folder that learning can open: for measurements, where no build is at hand."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Sheet:
    """An image, what it shows, and on which side of the split it stands."""

    species: str
    genus: str
    family: str
    part: str
    jpeg: bytes


def pack_release(folder: Path, sheets: Iterable[Sheet]) -> Path:
    """Write a tar a part, manifest.parquet and classes.parquet; classes are numbered by the alphabet."""
    folder.mkdir(parents=True)
    sheets = list(sheets)
    taxa = sorted({(sheet.species, sheet.genus, sheet.family) for sheet in sheets})
    numbers = {species: number for number, (species, _, _) in enumerate(taxa)}
    rows = []
    for part in sorted({sheet.part for sheet in sheets}):
        with tarfile.open(folder / f"{part}-000000.tar", "w") as tar:
            for place, sheet in enumerate(sheet for sheet in sheets if sheet.part == part):
                key = hashlib.sha256(f"{part}/{place}".encode() + sheet.jpeg).hexdigest()[:20]
                for suffix, data in ((".jpg", sheet.jpeg), (".cls", str(numbers[sheet.species]).encode())):
                    member = tarfile.TarInfo(key + suffix)
                    member.size = len(data)
                    if suffix == ".jpg":
                        rows.append({
                            "image_key": key, "image_id": f"{part}-{place}", "part": part,
                            "class_id": numbers[sheet.species], "shard": f"{part}-000000.tar",
                            "offset": tar.offset + tarfile.BLOCKSIZE, "length_bytes": len(data),
                            "sha256": hashlib.sha256(data).hexdigest(), "taxon_name": sheet.species,
                            "genus": sheet.genus, "family": sheet.family,
                        })  # fmt: skip
                    tar.addfile(member, io.BytesIO(data))
    pq.write_table(pa.Table.from_pylist(rows), folder / "manifest.parquet")
    classes = [
        {"class_id": number, "taxon_name": species, "genus": genus, "family": family}
        for number, (species, genus, family) in enumerate(taxa)
    ]
    pq.write_table(pa.Table.from_pylist(classes), folder / "classes.parquet")
    return folder
