"""Images out of a release where it lies: some, drawn by their keys, or all."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.contracts import check_table, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.publishing.parcel import MANIFEST, Parcel, open_parcel

MEND = "`naflora verify` tells what is wrong with the release"


def draw_rows(manifest: pa.Table, count: int | None, *, purpose: str) -> list[dict[str, Any]]:
    """Return `count` rows of a manifest (all of them for None), in the order they lie in the release.

    Which ones is decided by a hash of their keys and the `purpose` that they are drawn for, so that none is picked and
    every machine draws the same.
    """
    keys = sorted(
        manifest["image_key"].to_pylist(), key=lambda key: hashlib.sha256(f"{purpose}|{key}".encode()).digest()
    )
    drawn = manifest.filter(pc.is_in(manifest["image_key"], pa.array(keys[:count], pa.string())))
    rows: list[dict[str, Any]] = drawn.sort_by([("shard", "ascending"), ("offset", "ascending")]).to_pylist()
    return rows


class ReleaseImages:
    """The rows and the bytes of a release's images; a context, for what is open is closed at its end."""

    def __init__(self, path: Path) -> None:
        """Open the release at `path`: a folder, a tarball, or any part of one. Raises Fault when there is none."""
        self.parcel: Parcel = open_parcel(Path(path))
        if MANIFEST not in self.parcel.sizes:
            raise Fault(f"{path}: {MANIFEST} is missing; {MEND}.")
        with self.parcel.open(MANIFEST) as stream:
            try:
                self.manifest = read_parquet(io.BytesIO(stream.read()))
            except (pa.ArrowException, OSError, ValueError):
                raise Fault(f"{path}: {MANIFEST} cannot be read; {MEND}.") from None
        faults = check_table(self.manifest, read_contract("manifest"))
        if faults:
            raise Fault(f"{path}: {faults[0]} {MEND[0].upper()}{MEND[1:]}.")

    def __enter__(self) -> ReleaseImages:
        return self

    def __exit__(self, *error: object) -> None:
        self.parcel.close()

    def read(self, rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield each row with the bytes of its image; Fault where its shard is missing or too short."""
        for row in rows:
            if row["shard"] not in self.parcel.sizes:
                raise Fault(f"{row['shard']} is missing; {MEND}.")
            with self.parcel.open(row["shard"]) as stream:
                stream.seek(row["offset"])
                body = stream.read(row["length_bytes"])
            if len(body) != row["length_bytes"]:
                raise Fault(f"{row['shard']} is cut short before {row['image_key']}; {MEND}.")
            yield row, body
