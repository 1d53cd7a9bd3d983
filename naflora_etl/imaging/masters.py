"""What an image can be redone from without asking its server again: a master, or the body as it came.

They lie in packs of their own, under a processing name that knows nothing of detector, blur or size: whatever of these
a recipe changes, what was fetched is found again. With masters the image is made from the master from the first build
on, so that it has the same bytes when it is redone. Nothing that is published points at these packs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from naflora_etl.engine.packs import Kept, PackDamaged, Packs
from naflora_etl.engine.receipts import digest_of
from naflora_etl.imaging.colour import to_srgb
from naflora_etl.imaging.decode import decode_image, working_bytes
from naflora_etl.imaging.encode import encode_jpeg
from naflora_etl.imaging.resize import shrink_image
from naflora_etl.imaging.room import ROOM
from naflora_etl.recipe import ImagesOptions

MASTER_QUALITY = 90
HEADROOM = 1.5
PACK_BYTES = 100_000_000
"""A pack is made in memory, so a slice's masters or originals go into several."""
LIMITS = ("max_source_bytes", "max_source_pixels", "min_side_px")
PACKING = frozenset({"pack", "jpg_offset", "jpg_length_bytes", "sha256", "size_bytes", "limits"})
"""Facts about the kept file, which are not the image's."""
LIMITED = frozenset({"IMAGE_TOO_LARGE", "IMAGE_TOO_SMALL"})
"""Failures that hold only as long as the recipe's limits stay."""


@dataclass(frozen=True)
class Source:
    """What is known of one fetched image: its facts, and the body to make it from; None for a failure."""

    facts: dict[str, Any]
    body: bytes | None
    source_px: tuple[int, int] | None
    """Width and height of the upright original, when the body is a master of it."""


def limits_of(issue: str | None, options: ImagesOptions) -> dict[str, Any]:
    """Return what must be kept beside a failure: the limits it broke, where it broke any."""
    return {"limits": [getattr(options, limit) for limit in LIMITS]} if issue in LIMITED else {}


def still_holds(facts: dict[str, Any], options: ImagesOptions) -> bool:
    """Return whether what was found out about an image is true under these limits, too."""
    return facts.get("limits") in (None, [getattr(options, limit) for limit in LIMITS])


class Masters:
    """The masters (or originals) of one slice. Safe to use from several threads, each with its own keys."""

    def __init__(self, packs: Packs, options: ImagesOptions, keys: Collection[str]) -> None:
        self.options = options
        self.kind = options.keep
        shape = [options.master_px, MASTER_QUALITY] if self.kind == "master" else []
        made_by = digest_of(["kept to redo from", self.kind, *shape])[:16]
        self.packs = packs.under(made_by, [name for key in keys for name in self.names_of(key)])
        self.sizes: dict[str, int] = {}
        """Bytes of what lies on the bench, by name, to be packed."""

    def names_of(self, key: str) -> tuple[str, str]:
        """Return the names under which an image's master and its failure are kept; a failure for this snapshot."""
        return f"{key}@{self.kind}", f"{key}@{self.kind}@{self.options.snapshot}"

    def has(self, key: str) -> bool:
        """Return whether anything is known of an image, in a pack or on the bench of an interrupted run."""
        return self._find(key) is not None

    def find(self, key: str) -> Source | None:
        """Return what an image can be made from; None when its server must be asked."""
        found = self._find(key)
        if found is None:
            return None
        name, facts = found
        own = {name: value for name, value in facts.items() if name not in PACKING}
        if facts["issue"] is not None:
            return Source(own, None, None)
        body = self._read(name, facts)
        if body is None:
            return None
        is_master = self.kind == "master"
        return Source(own, body, (facts["source_width_px"], facts["source_height_px"]) if is_master else None)

    def make(self, facts: dict[str, Any], body: bytes) -> Source:
        """Return what an image just fetched is made from; `facts` tell of its fetching. Raises ImageFault."""
        facts = facts | {"source_size_bytes": len(body), "source_sha256": hashlib.sha256(body).hexdigest()}
        if self.kind != "master":
            return Source(facts, body, None)
        master, source_px = make_master(body, self.options)
        return Source(facts | {"source_width_px": source_px[0], "source_height_px": source_px[1]}, master, source_px)

    def keep(self, key: str, source: Source) -> None:
        """Keep, on the bench, what an image was made from."""
        assert source.body is not None
        name, size = self.names_of(key)[0], len(source.body)
        own = {"sha256": hashlib.sha256(source.body).hexdigest(), "size_bytes": size}
        self.packs.put_on_bench(Kept(name, source.facts | own, {"jpg": source.body}))
        self.sizes[name] = size

    def keep_failure(self, key: str, facts: dict[str, Any]) -> None:
        """Keep that an image failed, so that a change of what is made of images asks nobody about it again."""
        name = self.names_of(key)[1]
        self.packs.put_on_bench(Kept(name, facts | limits_of(facts["issue"], self.options), {}))
        self.sizes[name] = 0

    def pack(self, keys: Iterable[str]) -> None:
        """Write what lies on the bench into packs, in the order of `keys`."""
        batch: list[str] = []
        room = PACK_BYTES
        for name in self._benched(keys):
            if batch and self.sizes[name] > room:
                self.packs.pack_bench(batch)
                batch, room = [], PACK_BYTES
            batch.append(name)
            room -= self.sizes[name]
        if batch:
            self.packs.pack_bench(batch)

    def _benched(self, keys: Iterable[str]) -> Iterator[str]:
        for key in keys:
            yield from (name for name in self.names_of(key) if name in self.sizes)

    def _find(self, key: str) -> tuple[str, dict[str, Any]] | None:
        for name in self.names_of(key):
            facts = self.packs.find(name)
            if facts is None and (kept := self.packs.take_from_bench(name)) is not None:
                facts = kept.facts
                self.sizes[name] = facts.get("size_bytes", 0)
            if facts is not None and still_holds(facts, self.options):
                return name, facts
        return None

    def _read(self, name: str, facts: dict[str, Any]) -> bytes | None:
        """Return a kept body; None, and its damage noted, when it is not what it was."""
        if "pack" not in facts:
            kept = self.packs.take_from_bench(name)
            body = kept.files.get("jpg", b"") if kept is not None else b""
        else:
            try:
                body = self.packs.read(facts["pack"], facts["jpg_offset"], facts["jpg_length_bytes"])
            except PackDamaged:
                body = b""
        if hashlib.sha256(body).hexdigest() == facts["sha256"]:
            return body
        if "pack" in facts:
            self.packs.note_damage(facts["pack"], facts["jpg_offset"])
        self.sizes.pop(name, None)
        return None


def make_master(body: bytes, options: ImagesOptions) -> tuple[bytes, tuple[int, int]]:
    """Return a body reduced to the recipe's master_px, as an upright sRGB JPEG without metadata, text and all.

    And the width and height of the upright original. Raises ImageFault.
    """
    need_px = int(HEADROOM * options.master_px)
    with ROOM.take(working_bytes(body, need_px=need_px)):
        decoded = decode_image(
            body,
            need_px=need_px,
            max_pixels=options.max_source_pixels,
            min_side_px=options.min_side_px,
            keep_profile=True,
        )
        shrunk = shrink_image(decoded.pixels, options.master_px, box=decoded.box, decoded_by=decoded.reduced_by)
        small = to_srgb(shrunk, decoded.profile)
    return encode_jpeg(small, MASTER_QUALITY), (decoded.source_width_px, decoded.source_height_px)
