"""The images of a release once more: smaller, with other labels, or laid otherwise; out of its tars, in one reading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import groupby
from typing import IO, Any

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.layouts import Layout, legal_shard

Read = Callable[[str], AbstractContextManager[IO[bytes]]]
Shrink = Callable[[bytes], tuple[bytes, int, int]]
"""A JPEG in; a smaller one, its width and its height out."""
CHANGED = ("shard", "offset", "length_bytes", "sha256", "width_px", "height_px")
IMAGES_AT_ONCE = 64
"""Held in memory: read, shrunk by the threads, written in their order."""
ROWS_AT_ONCE = 10_000
MEND = "`naflora verify` tells all that is wrong with the release"


def reshard_images(
    manifest: pa.Table,
    read: Read,
    layout: Layout,
    *,
    shrink: Shrink | None = None,
    threads: int = 2,
    progress: Callable[..., None] = lambda done, total, note="": None,
) -> pa.Table:
    """Write every image of `manifest` into `layout`, and return the manifest with where and what each is now.

    `read` opens a shard by name. Without `shrink` the bytes stay as they are. Images keep their shard and their order
    in it, so the same release gives the same bytes. Raises Fault for a shard that is missing or has other bytes.
    """
    ordered = manifest.sort_by([("shard", "ascending"), ("offset", "ascending")])
    changed: dict[str, list[Any]] = {name: [] for name in CHANGED}
    with ThreadPoolExecutor(threads) as pool:
        for shard, rows in groupby(_rows(ordered), key=lambda row: row["shard"]):
            with _opened(read, shard) as stream:
                for some in _batches(rows):
                    bodies = [_read_image(stream, row) for row in some]
                    made = pool.map(_Shrunk(shrink), some, bodies)
                    for row, (jpeg, width_px, height_px) in zip(some, made, strict=True):
                        name, span = layout.add(row, jpeg)
                        sha256 = row["sha256"] if shrink is None else hashlib.sha256(jpeg).hexdigest()
                        facts = (name, span.offset, span.length_bytes, sha256, width_px, height_px)
                        for column, value in zip(CHANGED, facts, strict=True):
                            changed[column].append(value)
                    progress(len(changed["shard"]), manifest.num_rows, shard)
    layout.close()
    for name in CHANGED:
        at = ordered.schema.get_field_index(name)
        field = ordered.schema.field(name)
        ordered = ordered.set_column(at, field, pa.array(changed[name], field.type))
    return ordered.sort_by("image_key").combine_chunks()


class _Shrunk:
    """`shrink`, which says of which image it could make nothing."""

    def __init__(self, shrink: Shrink | None) -> None:
        self.shrink = shrink

    def __call__(self, row: Mapping[str, Any], jpeg: bytes) -> tuple[bytes, int, int]:
        if self.shrink is None:
            return jpeg, row["width_px"], row["height_px"]
        try:
            return self.shrink(jpeg)
        except ValueError as error:
            raise Fault(f"{row['shard']}: image {row['image_key']} cannot be decoded ({error}); {MEND}.") from None


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    some: list[dict[str, Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == IMAGES_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _opened(read: Read, shard: str) -> AbstractContextManager[IO[bytes]]:
    try:
        return read(legal_shard(shard))
    except (FileNotFoundError, KeyError):
        raise Fault(f"{shard[:60]} is missing; {MEND}.") from None


def _read_image(stream: IO[bytes], row: Mapping[str, Any]) -> bytes:
    stream.seek(row["offset"])
    body = stream.read(row["length_bytes"])
    if hashlib.sha256(body).hexdigest() != row["sha256"]:
        raise Fault(f"{row['shard']}: image {row['image_key']} has other bytes than the manifest promises; {MEND}.")
    return body
