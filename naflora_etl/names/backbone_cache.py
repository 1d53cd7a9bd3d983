"""Backbones that were read before: Parquet in the user's cache folder, under the digest of all that made them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs
import pyarrow as pa

from naflora_etl.engine.tables import read_parquet, write_parquet

READER_VERSION = 1
"""Raised by hand when the same file gives another table."""
LEAST_BYTES = 4 << 20  # what is smaller is read in a moment
MOST_KEPT = 6


def cache_folder() -> Path:
    """Return the folder of read backbones: in NAFLORA_CACHE, else in the user's cache folder."""
    chosen = os.environ.get("NAFLORA_CACHE")
    return (Path(chosen) if chosen else Path(platformdirs.user_cache_dir("naflora"))) / "backbones"


def is_worth_keeping(path: Path) -> bool:
    """Whether a file is large enough that reading it again takes long."""
    return path.is_file() and path.stat().st_size >= LEAST_BYTES


def cache_key(file_digest: str, mapping: Mapping[str, str]) -> str:
    """Return the digest of the file's bytes, the mapping and this reader."""
    said = json.dumps([READER_VERSION, file_digest, sorted(mapping.items())])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def find_cached(key: str) -> pa.Table | None:
    """Return the table that was kept under `key`; None if there is none, or a damaged one."""
    path = cache_folder() / f"{key}.parquet"
    try:
        table = read_parquet(path)
        os.utime(path)
    except (OSError, pa.ArrowException):
        return None
    return table


def keep(key: str, table: pa.Table) -> None:
    """Keep a table, written beside and renamed; the ones that were not asked for longest go. Never raises."""
    folder = cache_folder()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".parquet", delete=False) as stream:
            beside = Path(stream.name)
        try:
            with beside.open("wb") as stream:
                write_parquet(table, stream, dictionary=False)  # nearly every name is its own
            beside.replace(folder / f"{key}.parquet")
        finally:
            beside.unlink(missing_ok=True)
        kept = sorted(folder.glob("[!.]*.parquet"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[MOST_KEPT:]:
            path.unlink(missing_ok=True)
