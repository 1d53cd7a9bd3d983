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
    """Read a shard once, from its beginning to its end; yield what is wrong with its samples, each kind once.

    `rows` are the manifest's rows of this shard by image_key.
    """
    seen: list[str] = []
    wrong: dict[str, list[Finding]] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK_BYTES) as tar:  # type: ignore[call-overload]
            for member in tar:
                file = tar.extractfile(member)
                data = file.read() if file is not None else b""
                for kind, finding in _check_member(f"{name}/{member.name}", data, member, rows, seen):
                    wrong.setdefault(kind, []).append(finding)
    except (tarfile.TarError, EOFError, OSError) as error:
        yield Finding(name, f"it cannot be read as a tar ({error})", TAKE_ANEW)
    stream.drain()
    missing = sorted(set(rows) - set(seen))
    if rows and not seen and STRANGE in wrong:
        found = f"it holds {len(wrong[STRANGE])} files of other samples, and none of the manifest's {len(rows)} images"
        yield Finding(name, f"{found}; first {wrong[STRANGE][0].where.removeprefix(name + '/')}", TAKE_ANEW)
        return
    for kind, findings in wrong.items():
        yield _gather(name, kind, findings)
    if missing:
        yield Finding(name, f"{len(missing)} images of the manifest are not in it, first {missing[0]}", TAKE_ANEW)
    if len(seen) != len(set(seen)):
        yield Finding(name, "a key stands in it more than once")


STRANGE = "files that the manifest does not know"
Kinds = Iterator[tuple[str, Finding]]
"""What is wrong with one file, each under the name of its kind."""


def _gather(name: str, kind: str, findings: list[Finding]) -> Finding:
    first = findings[0]
    if len(findings) == 1:
        return first
    found = f"{len(findings)} {kind}, first {first.where.removeprefix(name + '/')}: {first.found}"
    return Finding(name, found, first.mend)


def _check_member(
    where: str, data: bytes, member: tarfile.TarInfo, rows: dict[str, dict[str, Any]], seen: list[str]
) -> Kinds:
    """Yield what is wrong with a file of a shard; the keys of the images so far stand in `seen`."""
    key, _, ending = member.name.partition(".")
    if key not in rows:
        yield STRANGE, Finding(where, "the manifest does not know it")
    elif ending == "jpg":
        seen.append(key)
        yield from _check_image(where, data, member.offset_data, rows[key])
    elif ending not in ("json", "cls") or seen[-1:] != [key]:
        yield (
            "files that do not stand right after their image",
            Finding(where, "it does not stand right after its image"),
        )
    else:
        for finding in _check_label(where, data, rows[key]):
            yield "labels that are not the manifest's", finding


def _check_image(where: str, data: bytes, offset: int, row: dict[str, Any]) -> Kinds:
    if (offset, len(data)) != (row["offset"], row["length_bytes"]):
        promised = f"{row['length_bytes']} bytes at {row['offset']}"
        found = f"{len(data)} bytes at {offset}, while the manifest says {promised}"
        yield "images that lie elsewhere", Finding(where, found)
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        found = "its bytes are not those of the manifest's sha256"
        yield "images with other bytes", Finding(where, found, TAKE_ANEW)
        return
    try:
        facts = read_jpeg(data)
    except ValueError as error:
        yield "images that are no sound JPEG", Finding(where, f"it is no sound JPEG: {error}")
        return
    if facts.extras:
        found = f"it holds more than pixels: {', '.join(facts.extras)}"
        yield "images that hold more than pixels", Finding(where, found, f"strip it, and {BUILD_ANEW}")
    if (facts.width_px, facts.height_px) != (row["width_px"], row["height_px"]):
        promised = f"{row['width_px']} x {row['height_px']}"
        found = f"it has {facts.width_px} x {facts.height_px} pixels, while the manifest says {promised}"
        yield "images of another size", Finding(where, found)


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
