"""Finished images in plain tars, with an index; and the bench where they wait until their slice is whole.

An image is put on the bench the moment it is finished, so a kill loses no more than what was in hand. When a slice is
done, its images go from the bench into one tar, in planned order: the same slice gives the same bytes however often it
was interrupted. A pack is named after its content and never changes, so a later build points at it instead of asking
any server again. What failed for good has no file and stands in the index alone.

An address is lost when its pack is gone or too short, or when whoever read it found other bytes there and noted the
offset in `<pack>.damaged`. Nothing points at a lost address, so the next build asks for that image again.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.tables import parquet_bytes, read_parquet, sha256_of
from naflora_etl.engine.workspace import Workspace

INDEX = pa.schema([("key", pa.string()), ("made_by", pa.string()), ("facts", pa.string())])
ADDRESS = ("pack", "offset", "size_bytes")
"""The columns of a table that points into packs."""


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
    `keys` are those that may be looked for, so that no more is kept in memory; None: all.
    """

    def __init__(
        self, workspace: Workspace, bench: str, made_by: str = "", keys: Collection[str] | None = None
    ) -> None:
        self.workspace = workspace
        self.bench = f"bench/{bench}"
        self.made_by = made_by
        self.keys = keys

    def under(self, made_by: str, keys: Collection[str] | None = None) -> Packs:
        """Return the same packs, seen by a processing."""
        return Packs(self.workspace, self.bench.removeprefix("bench/"), made_by, keys)

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the facts of a key that an earlier slice or build finished, its address in a pack among them."""
        return self._index.get(key)

    @cached_property
    def _index(self) -> dict[str, dict[str, Any]]:
        found = {}
        for name in self._sizes:
            if name.endswith(".parquet"):
                for row in self._read_index(name):
                    facts = json.loads(row["facts"])
                    if not self._is_lost(facts.get("pack"), facts.get("jpg_offset"), facts.get("jpg_length_bytes")):
                        found[row["key"]] = facts
        return found

    def _read_index(self, name: str) -> list[dict[str, Any]]:
        try:
            table = read_parquet(io.BytesIO(self.workspace.read(f"packs/{name}")))
            mask = pc.equal(table["made_by"], self.made_by)
            if self.keys is not None:
                mask = pc.and_(mask, pc.is_in(table["key"], pa.array(self.keys, pa.string())))
            rows: list[dict[str, Any]] = table.filter(mask).to_pylist()
            return rows
        except (pa.ArrowException, KeyError, OSError):
            return []  # a damaged index is as good as none: its images are asked for again

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return self.workspace.sizes("packs")

    @cached_property
    def _damaged(self) -> dict[str, frozenset[int]]:
        notes = [name for name in self._sizes if name.endswith(".damaged")]
        return {name.removesuffix(".damaged"): self._noted(name.removesuffix(".damaged")) for name in notes}

    def _noted(self, pack: str) -> frozenset[int]:
        note = f"packs/{pack}.damaged"
        try:
            return frozenset(json.loads(self.workspace.read(note))) if self.workspace.exists(note) else frozenset()
        except (ValueError, TypeError):
            return frozenset()  # whoever reads the pack will note it again

    def _is_lost(self, pack: str | None, offset: int | None, length: int | None) -> bool:
        if pack is None or offset is None or length is None:
            return False
        return offset + length > self._sizes.get(pack, 0) or offset in self._damaged.get(pack, ())

    def has_lost(self, table: pa.Table) -> bool:
        """Return whether `table`, which has the columns ADDRESS, points at anything that is lost."""
        columns = (table[name].to_pylist() for name in ADDRESS)
        return any(self._is_lost(*address) for address in zip(*columns, strict=True))

    def note_damage(self, pack: str, offset: int) -> None:
        """Note that the file at `offset` is not what it was; the next build asks for it again."""
        if self.workspace.exists(f"packs/{pack}"):
            noted = sorted(self._noted(pack) | {offset})
            self.workspace.write(f"packs/{pack}.damaged", json.dumps(noted).encode())

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
        try:
            found = json.loads(self.workspace.read(f"{self.bench}/{key}.json"))
            files = {suffix: self.workspace.read(f"{self.bench}/{key}.{suffix}") for suffix in found["files"]}
            return Kept(key, found["facts"], files)
        except (ValueError, KeyError, FileNotFoundError):
            return None  # a damaged bench: it is made again

    def pack_bench(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Write the benched files of `keys`, in that order, into one pack; return their facts with addresses.

        A file `<key>.<suffix>` gets the facts `pack`, and `<suffix>_offset` and `<suffix>_length_bytes`. A key without
        files is kept in the index alone.
        """
        stream = io.BytesIO()
        rows: dict[str, dict[str, Any]] = {}
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for key in keys:
                kept = self.take_from_bench(key)
                if kept is None:
                    continue
                rows[key] = dict(kept.facts)
                for suffix, data in kept.files.items():
                    info = tarfile.TarInfo(f"{key}.{suffix}")
                    info.size, info.mode = len(data), 0o644
                    tar.addfile(info, io.BytesIO(data))
                    rows[key][f"{suffix}_offset"] = tar.offset - _padded(len(data))
                    rows[key][f"{suffix}_length_bytes"] = len(data)
            packed = tar.offset > 0
        if not rows:
            return {}
        name = hashlib.sha256("".join(f"{self.made_by}{key}" for key in rows).encode()).hexdigest()[:20]
        if packed:
            name = self._write_pack(stream.getvalue(), rows)
        index = pa.Table.from_pylist(
            [{"key": key, "made_by": self.made_by, "facts": json.dumps(facts)} for key, facts in rows.items()], INDEX
        )
        self.workspace.write(f"packs/{name}.parquet", parquet_bytes(index))
        return rows

    def _write_pack(self, body: bytes, rows: dict[str, dict[str, Any]]) -> str:
        """Write the tar, over a damaged one of its name too, and tell the rows of it; return its name."""
        name = sha256_of(body)[:20]
        for facts in rows.values():
            if "jpg_offset" in facts:
                facts["pack"] = f"{name}.tar"
        self.workspace.write(f"packs/{name}.tar", body)
        self.workspace.remove(f"packs/{name}.tar.damaged")
        return name

    def clear_bench(self) -> None:
        """Remove the bench; only after the slice's part is written."""
        self.workspace.remove(self.bench)

    def read(self, pack: str, offset: int, length: int) -> bytes:
        """Return a file's bytes from a pack; PackDamaged when they are not there.

        Raises Fault where a user can mend it: a disk that fails, a file that may not be read.
        """
        try:
            data = self.workspace.read_range(f"packs/{pack}", offset, length)
        except (OSError, ValueError) as error:
            raise PackDamaged(f"packs/{pack} cannot be read: {error}") from error
        if len(data) != length:
            raise PackDamaged(f"packs/{pack} ends before byte {offset + length}")
        return data


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
