"""The promises of a shard: every sample where the manifest says, with its bytes, and nothing in it but pixels."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from naflora_etl.publishing.findings import BUILD_ANEW, TAKE_ANEW, Finding
from naflora_etl.publishing.jpeg import read_jpeg

BLOCK_BYTES = 1 << 20


class Counted:
    """A stream that keeps the sha256 of all that was read from it, and tells of it."""

    def __init__(self, stream: IO[bytes], tell: Callable[[int], None]) -> None:
        self.stream = stream
        self.tell = tell
        self.digest = hashlib.sha256()

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        """Return up to `size` bytes."""
        block = self.stream.read(size)
        self.digest.update(block)
        self.tell(len(block))
        return block

    def drain(self) -> None:
        """Read what is left."""
        while self.read():
            pass


def check_shard(name: str, stream: Counted, rows: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Read a shard once, from its beginning to its end; yield what is wrong with its samples.

    `rows` are the manifest's rows of this shard by image_key.
    """
    seen: list[str] = []
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK_BYTES) as tar:  # type: ignore[call-overload]
            for member in tar:
                key, _, kind = member.name.partition(".")
                file = tar.extractfile(member)
                data = file.read() if file is not None else b""
                if key not in rows:
                    yield Finding(f"{name}/{member.name}", "the manifest does not know it")
                elif kind == "jpg":
                    seen.append(key)
                    yield from _check_image(f"{name}/{member.name}", data, member.offset_data, rows[key])
                elif kind not in ("json", "cls") or seen[-1:] != [key]:
                    yield Finding(f"{name}/{member.name}", "it does not stand right after its image")
                else:
                    yield from _check_label(f"{name}/{member.name}", data, rows[key])
    except (tarfile.TarError, EOFError, OSError) as error:
        yield Finding(name, f"it cannot be read as a tar ({error})", TAKE_ANEW)
    stream.drain()
    missing = sorted(set(rows) - set(seen))
    if missing:
        yield Finding(name, f"{len(missing)} images of the manifest are not in it, first {missing[0]}", TAKE_ANEW)
    if len(seen) != len(set(seen)):
        yield Finding(name, "a key stands in it more than once")


def _check_image(where: str, data: bytes, offset: int, row: dict[str, Any]) -> Iterator[Finding]:
    if (offset, len(data)) != (row["offset"], row["length_bytes"]):
        promised = f"{row['length_bytes']} bytes at {row['offset']}"
        yield Finding(where, f"{len(data)} bytes at {offset}, while the manifest says {promised}")
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        yield Finding(where, "its bytes are not those of the manifest's sha256", TAKE_ANEW)
        return
    try:
        facts = read_jpeg(data)
    except ValueError as error:
        yield Finding(where, f"it is no sound JPEG: {error}")
        return
    if facts.extras:
        yield Finding(where, f"it holds more than pixels: {', '.join(facts.extras)}", f"strip it, and {BUILD_ANEW}")
    if (facts.width_px, facts.height_px) != (row["width_px"], row["height_px"]):
        promised = f"{row['width_px']} x {row['height_px']}"
        yield Finding(where, f"it has {facts.width_px} x {facts.height_px} pixels, while the manifest says {promised}")


def _check_label(where: str, data: bytes, row: dict[str, Any]) -> Iterator[Finding]:
    try:
        label = json.loads(data)
        if where.endswith(".cls"):
            label = {"class_id": label} | {name: row[name] for name in ("taxon_name", "specimen_key")}
        wrong = [name for name in ("class_id", "taxon_name", "specimen_key") if label[name] != row[name]]
    except (ValueError, KeyError, TypeError):
        yield Finding(where, "it is not the label of a sample")
        return
    if wrong:
        yield Finding(where, f"its {wrong[0]} is {label[wrong[0]]}, while the manifest says {row[wrong[0]]}")
