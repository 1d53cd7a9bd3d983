"""Bring a release to the place where users find it: resumable, checked, and published by one marker, written last.

Without PUBLISHED.json there is no release at a place, whatever else lies there. The marker can be created and not
written over, so of two who publish at once one is told, and what is published never changes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import sha256_of
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import parse_sums, sum_stream
from naflora_etl.publishing.findings import TAKE_ANEW, Finding
from naflora_etl.publishing.parcel import refuse_inside
from naflora_etl.publishing.targets import FolderTarget, Target

MARKER = "PUBLISHED.json"
PROBE = ".probe-"
Progress = Callable[..., None]


@dataclass(frozen=True)
class Published:
    """What was done."""

    where: str
    files: int
    size_bytes: int
    sent: int
    """Files that went there now; the others had been there."""


def publish_release(
    folder: Path, target: Target, *, single_writer: bool = False, progress: Progress = lambda done, total, note="": None
) -> Published:
    """Bring the files that `folder`'s SHA256SUMS lists to `target`, then write the marker.

    A release folder, or a folder of its tarballs. What is there already is not sent again. Raises Fault when the folder
    is not whole, when something else lies at the target, and when the store lets a marker be written over, unless the
    caller vouches for being the `single_writer`.
    """
    with _telling(target.where):
        if isinstance(target, FolderTarget):
            refuse_inside(target.folder, folder, or_same=True)
        sums = _read_sums(folder)
        sizes = {name: (folder / name).stat().st_size for name in [*sums, SUMS]}
        marker = _render_marker(folder, sizes)
        done = Published(target.where, len(sizes), sum(sizes.values()), 0)
        if _is_published(target, marker):
            return done
        _refuse_strangers(target, sizes)
        if not single_writer:
            _probe(target)
        sent = _send(folder, target, sums, sizes, progress)
        _check_sizes(target, sizes)
        if not target.create(MARKER, marker) and target.read(MARKER) != marker:
            raise Fault(
                f"{target.where}: somebody else published another release there meanwhile; choose another place."
            )
        return Published(target.where, done.files, done.size_bytes, sent)


def _read_sums(folder: Path) -> dict[str, str]:
    if not (folder / SUMS).is_file():
        raise Fault(f"{folder} has no {SUMS}; give a release folder, or the folder that `naflora release` wrote.")
    try:
        sums = parse_sums((folder / SUMS).read_bytes())
    except ValueError as error:
        raise Fault(f"{folder / SUMS} is not as it was written ({error}); run `naflora verify {folder}`.") from None
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {SUMS}
    there -= {MARKER} - sums.keys()  # what was taken from where it was published may be published further
    if missing := sorted(sums.keys() - there):
        raise Fault(f"{folder} lacks {missing[0]}, which {SUMS} lists; run `naflora verify {folder}`.")
    if strangers := sorted(there - sums.keys()):
        raise Fault(f"{folder / strangers[0]} is not listed in {SUMS}, so it is not published; move it elsewhere.")
    return sums


def _render_marker(folder: Path, sizes: dict[str, int]) -> bytes:
    told = {"files": len(sizes), "size_bytes": sum(sizes.values()), SUMS: sha256_of((folder / SUMS).read_bytes())}
    return (json.dumps(told, indent=1) + "\n").encode()


def check_marker(marker: bytes, sums: bytes) -> Iterator[Finding]:
    """Yield what is wrong with the marker that lies beside a release: it must name the release's SHA256SUMS."""
    try:
        promised = json.loads(marker)[SUMS]
    except (ValueError, KeyError, TypeError):
        yield Finding(MARKER, "it is no marker of a published release", "remove it, or take the release anew")
        return
    if promised != sha256_of(sums):
        yield Finding(MARKER, f"it names another {SUMS}, so another release was published", TAKE_ANEW)


def _is_published(target: Target, marker: bytes) -> bool:
    there = target.read(MARKER)
    if there is not None and there != marker:
        raise Fault(
            f"{target.where} holds another release, and what is published stays; publish to a place of its own, such "
            "as one that ends with the version."
        )
    return there is not None


def _refuse_strangers(target: Target, sizes: dict[str, int]) -> None:
    strangers = sorted(name for name in target.sizes().keys() - sizes.keys() if not name.startswith(PROBE))
    if strangers:
        raise Fault(f"{target.where} holds {strangers[0]}, which is no file of this release; name an empty place.")


def _probe(target: Target) -> None:
    """Try whether the store refuses to create what is there: some that speak S3 write over it and say nothing."""
    name = f"{PROBE}{secrets.token_hex(8)}"
    try:
        if not target.create(name, b"1") or target.create(name, b"2"):
            raise Fault(
                f"{target.where}: this store writes over files that it was told to create only, so two who publish at "
                "once would mix; take another store, or say --single-writer if nobody else publishes there."
            )
    finally:
        target.remove(name)


def _send(folder: Path, target: Target, sums: dict[str, str], sizes: dict[str, int], progress: Progress) -> int:
    total, done, sent = sum(sizes.values()), 0, 0
    promised = sums | {SUMS: sha256_of((folder / SUMS).read_bytes())}
    there = target.sizes()

    for name in [*sorted(sums), SUMS]:
        if there.get(name) == sizes[name] and target.holds(name, promised[name]):
            done += sizes[name]
            progress(done, total, name)
            continue
        with (folder / name).open("rb") as stream:
            if sum_stream(stream).sha256 != promised[name]:
                raise Fault(f"{folder / name} has other bytes than {SUMS} promises; nothing is published. Build anew.")
        begun = done

        def tell(size_bytes: int, note: str = name) -> None:
            nonlocal done
            done += size_bytes
            progress(done, total, note)

        target.put(name, folder / name, promised[name], tell)
        done, sent = begun + sizes[name], sent + 1
    return sent


def _check_sizes(target: Target, sizes: dict[str, int]) -> None:
    there = target.sizes()
    wrong = sorted(name for name in sizes if there.get(name) != sizes[name])
    if wrong:
        raise Fault(f"{target.where}: {wrong[0]} is not there as it was sent; run the same command again.")


@contextmanager
def _telling(where: str) -> Iterator[None]:
    """Turn what a store or a disk answers into a sentence; s3fs gives the system's errors for S3's."""
    try:
        yield
    except Fault:
        raise
    except FileNotFoundError as error:
        raise Fault(f"{where}: no such bucket or folder ({_first(error)}); make it first, or name another.") from None
    except PermissionError as error:
        raise Fault(f"{where} may not be written ({_first(error)}); look at your credentials and rights.") from None
    except Exception as error:
        if not isinstance(error, OSError) and not type(error).__module__.startswith(("botocore", "aiobotocore")):
            raise
        raise Fault(
            f"{where} cannot be reached or written ({_first(error)}); nothing is published yet. Run the same command "
            "again: what was sent stays."
        ) from None


def _first(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
