"""The contact sheet: a few images before and after the redaction, as data URIs."""

from __future__ import annotations

import base64
import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from PIL import Image

from naflora_etl.engine.packs import PackDamaged
from naflora_etl.engine.tables import query_tables

MEMORY = "1GB"
"""What the join of all images that have a thumbnail may hold before it spills."""
THUMBNAIL_QUALITY = 82
AFTER_PX = 440
"""Long side of the picture from after the redaction: it is in the release in full, so it may be seen better."""


class Reader(Protocol):
    """What hands out bytes of packs."""

    def read(self, pack: str, offset: int, length: int) -> bytes: ...


@dataclass(frozen=True)
class Pair:
    """One image before and after, both as data URIs; the width and height are those of the one from after."""

    image_key: str
    taxon_name: str
    institution: str
    boxes: int
    width_px: int
    height_px: int
    before: str
    after: str


def make_contact_sheet(images: pa.Table, manifest: pa.Table, packs: Reader, count: int, size_px: int) -> list[Pair]:
    """Return up to `count` pairs: released images with a thumbnail from before, a species once if possible.

    Which ones is decided by a hash of their keys, so none was picked for its looks. The one from before is `size_px`
    long at most, so that no word on it can be read.
    """
    rows = query_tables(
        """select i.image_key, i.pack, i."offset", i.size_bytes, i.before_offset, i.before_length_bytes, i.text_boxes,
                m.taxon_name, coalesce(m.institutionCode, m.collectionCode, '') as institution
            from images i join manifest m using (image_key) where i.before_offset is not null order by i.image_key""",
        memory_limit=MEMORY,
        images=images,
        manifest=manifest.select(["image_key", "taxon_name", "institutionCode", "collectionCode"]),
    )
    pairs: list[Pair] = []
    for row in _species_in_turn(rows):
        if len(pairs) == count:
            break
        try:
            before = packs.read(row["pack"], row["before_offset"], row["before_length_bytes"])
            after = packs.read(row["pack"], row["offset"], row["size_bytes"])
            pairs.append(_pair(row, before, after, size_px))
        except (PackDamaged, OSError):  # shards has told of a damaged pack already
            continue
    return sorted(pairs, key=lambda pair: (pair.taxon_name, pair.image_key))


def _species_in_turn(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows one by one, since few of them are wanted: one of each species by the hash of its key, then another."""
    keys = rows["image_key"].to_pylist()
    order = sorted(range(len(keys)), key=lambda at: hashlib.sha256(f"contact|{keys[at]}".encode()).digest())
    names = rows["taxon_name"].to_pylist()
    seen: Counter[str] = Counter()
    turns = np.zeros(len(order), np.int64)
    for place, at in enumerate(order):
        turns[place] = seen[names[at]]
        seen[names[at]] += 1
    for place in np.argsort(turns, kind="stable"):
        yield rows.slice(order[place], 1).to_pylist()[0]


def _pair(row: dict[str, Any], before: bytes, after: bytes, size_px: int) -> Pair:
    with Image.open(io.BytesIO(before)) as thumbnail:
        if max(thumbnail.size) > size_px:
            before = _reduce(thumbnail, _fit(thumbnail.size, size_px))
    with Image.open(io.BytesIO(after)) as finished:
        size = _fit(finished.size, AFTER_PX)
        reduced = _reduce(finished, size)
    return Pair(
        image_key=row["image_key"],
        taxon_name=row["taxon_name"],
        institution=row["institution"],
        boxes=row["text_boxes"] or 0,
        width_px=size[0],
        height_px=size[1],
        before=_data_uri(before),
        after=_data_uri(reduced),
    )


def _fit(size: tuple[int, int], size_px: int) -> tuple[int, int]:
    scale = min(1.0, size_px / max(size))
    width_px, height_px = (max(1, round(side * scale)) for side in size)
    return width_px, height_px


def _reduce(image: Image.Image, size: tuple[int, int]) -> bytes:
    image.draft("RGB", size)
    stream = io.BytesIO()
    image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(stream, "JPEG", quality=THUMBNAIL_QUALITY)
    return stream.getvalue()


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
