"""Finished images in plain tars, with an index; and the bench where they wait until their slice is whole.

An image is put on the bench the moment it is finished, so a kill loses no more than what was in hand. When a slice is
done, its images go from the bench into one tar, in planned order: the same slice gives the same bytes however often it
was interrupted. A pack is named after its content and never changes, so a later build points at it instead of asking
any server again.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from naflora_etl.engine.tables import parquet_bytes, read_parquet, sha256_of
from naflora_etl.engine.workspace import Workspace

INDEX = pa.schema([("key", pa.string()), ("made_by", pa.string()), ("facts", pa.string())])


class PackDamaged(Exception):
    """A pack is missing, or does not have the bytes that its index promises."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one key: its facts (JSON values) and, where there are any, its files by suffix."""

    key: str
    facts: dict[str, Any]
    files: dict[str, bytes]


class Packs:
    """The packs of a workspace, and the bench of one slice.

    `made_by` names the processing (a digest of the options that shape an image): what was made otherwise is not found.
    """

    def __init__(self, workspace: Workspace, bench: str, made_by: str = "") -> None:
        self.workspace = workspace
        self.bench = f"bench/{bench}"
        self.made_by = made_by
        self._index: dict[str, dict[str, Any]] | None = None

    def under(self, made_by: str) -> Packs:
        """Return the same packs, seen by a processing."""
        return Packs(self.workspace, self.bench.removeprefix("bench/"), made_by)

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the facts of a key that an earlier slice or build packed, its pack's address among them."""
        if self._index is None:
            self._index = {}
            for name in self.workspace.names("packs"):
                if name.endswith(".parquet"):
                    self._index.update(self._read_index(name))
        return self._index.get(key)

    def _read_index(self, name: str) -> dict[str, dict[str, Any]]:
        with self.workspace.open(f"packs/{name}") as stream:
            rows = read_parquet(stream).to_pylist()
        return {row["key"]: json.loads(row["facts"]) for row in rows if row["made_by"] == self.made_by}

    def put_on_bench(self, kept: Kept) -> None:
        """Keep a finished key until its slice is packed; the facts are written last, as its receipt."""
        for suffix, data in kept.files.items():
            self.workspace.write(f"{self.bench}/{kept.key}.{suffix}", data)
        facts = {"facts": kept.facts, "files": sorted(kept.files)}
        self.workspace.write(f"{self.bench}/{kept.key}.json", json.dumps(facts).encode())

    def take_from_bench(self, key: str) -> Kept | None:
        """Return what an interrupted run of this slice had finished of a key."""
        if not self.workspace.exists(f"{self.bench}/{key}.json"):
            return None
        found = json.loads(self.workspace.read(f"{self.bench}/{key}.json"))
        files = {suffix: self.workspace.read(f"{self.bench}/{key}.{suffix}") for suffix in found["files"]}
        return Kept(key, found["facts"], files)

    def pack_bench(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Write the benched files of `keys`, in that order, into one pack; return their facts with addresses.

        A file `<key>.<suffix>` gets the facts `pack`, and `<suffix>_offset` and `<suffix>_length_bytes`.
        """
        stream = io.BytesIO()
        rows: dict[str, dict[str, Any]] = {}
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for key in keys:
                kept = self.take_from_bench(key)
                if kept is None or not kept.files:
                    continue
                rows[key] = dict(kept.facts)
                for suffix, data in kept.files.items():
                    info = tarfile.TarInfo(f"{key}.{suffix}")
                    info.size, info.mode = len(data), 0o644
                    tar.addfile(info, io.BytesIO(data))
                    rows[key][f"{suffix}_offset"] = tar.offset - _padded(len(data))
                    rows[key][f"{suffix}_length_bytes"] = len(data)
        if not rows:
            return {}
        body = stream.getvalue()
        pack = f"{sha256_of(body)[:20]}.tar"
        for facts in rows.values():
            facts["pack"] = pack
        if not self.workspace.exists(f"packs/{pack}"):
            self.workspace.write(f"packs/{pack}", body)
        index = pa.Table.from_pylist(
            [{"key": key, "made_by": self.made_by, "facts": json.dumps(facts)} for key, facts in rows.items()], INDEX
        )
        self.workspace.write(f"packs/{pack.removesuffix('.tar')}.parquet", parquet_bytes(index))
        return rows

    def clear_bench(self) -> None:
        """Remove the bench; only after the slice's part is written."""
        self.workspace.remove(self.bench)

    def read(self, pack: str, offset: int, length: int) -> bytes:
        """Return a file's bytes from a pack; PackDamaged when they are not there."""
        try:
            data = self.workspace.read_range(f"packs/{pack}", offset, length)
        except OSError as error:
            raise PackDamaged(f"packs/{pack} cannot be read: {error}") from error
        if len(data) != length:
            raise PackDamaged(f"packs/{pack} ends before byte {offset + length}")
        return data


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
