"""Images on disk in, redacted images and the boxes that were blanked out: what `naflora redact` does."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.interruptions import Interruptions
from naflora_etl.engine.workspace import Workspace
from naflora_etl.imaging.detect import TextDetector
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.prepare import Prepared, open_detector, prepare_image
from naflora_etl.recipe import ImagesOptions

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp"}
    | {".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"}
)
"""What is taken out of a folder; a file that is named itself is tried whatever it is called."""


@dataclass(frozen=True)
class Redacted:
    """What became of one file."""

    source: Path
    target: Path
    made: Prepared | None
    """Its facts, without the bytes that are on disk now; None when it was refused."""
    issue: str | None
    """A name out of issues.py, or None."""
    sentence: str | None
    """Why it was refused."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        named: dict[str, Any] = {"file": str(self.source), "issue": self.issue, "sentence": self.sentence}
        if self.made is None:
            return named | {"out": None}
        sizes = ("width_px", "height_px", "source_width_px", "source_height_px", "text_boxes", "text_share", "detector")
        return named | {"out": str(self.target)} | {name: getattr(self.made, name) for name in sizes}

    def boxes(self) -> dict[str, Any]:
        """Return its entry in the boxes file: size, and the quads as they were blanked, in upright source pixels."""
        assert self.made is not None
        quads = [
            {
                "points": [[round(float(x), 2), round(float(y), 2)] for x, y in quad],
                "score": round(float(box.score), 4),
                "detector": box.detector or self.made.detector,
            }
            for quad, box in zip(self.made.blanked, self.made.boxes, strict=True)
        ]
        return {"width": self.made.source_width_px, "height": self.made.source_height_px, "quads": quads}


def find_images(names: Sequence[str]) -> list[Path]:
    """Return the files that `names` mean (files, folders with all below them, patterns), each once, in their order.

    Raises Fault for a name that means nothing, and for two files that would become the same `<stem>.jpg`.
    """
    found: dict[Path, Path] = {}
    for name in names:
        for path in _meant_by(name):
            found.setdefault(path.resolve(), path)
    stems: dict[str, Path] = {}
    for path in found.values():
        # two names that differ in case alone are one file on some disks
        other = stems.setdefault(path.stem.casefold(), path)
        if other is not path:
            raise Fault(f"{other} and {path} would both become {path.stem}.jpg; redact them into different folders.")
    return list(found.values())


def _meant_by(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        named = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        files = sorted(file for file in named if file.is_file() or not file.exists())  # a dead link is told of
        if not files:
            raise Fault(f"{name} holds no image: no file in it ends in one of {', '.join(sorted(SUFFIXES))}.")
        return files
    if path.exists():
        return [path]
    if glob.has_magic(name):
        matched = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        if files := sorted(file for file in matched if file.is_file()):
            return files
        raise Fault(f"{name} matches no file.")
    raise Fault(f"{name}: no such file or folder.")


def redact_files(
    files: Sequence[Path], out: Path, options: ImagesOptions, progress: Callable[..., None]
) -> list[Redacted]:
    """Redact each of `files` into `out`/<stem>.jpg, on every core; return what became of them, in their order.

    A file that cannot be used is told of and left out, the others are done. Raises Fault for what stops them all, and
    KeyboardInterrupt for Ctrl-C, once the images in hand are finished.
    """
    own = {path.resolve() for path in files}
    if path := next((path for path in files if (out / f"{path.stem}.jpg").resolve() in own), None):
        raise Fault(f"{out / path.stem}.jpg is one of the images to redact; choose another folder with --out.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    hands = max(1, min(cores, len(files)))
    detector = open_detector(options, threads=max(1, cores // hands))
    folder = Workspace(str(out))
    folder.make()
    done: dict[int, Redacted] = {}

    def take(path: Path) -> Redacted | None:
        return None if interruptions.heard else redact_file(path, folder, options, detector)

    with Interruptions() as interruptions, ThreadPoolExecutor(hands, thread_name_prefix="redact") as pool:
        waiting = {pool.submit(take, path): number for number, path in enumerate(files)}
        try:
            for future in as_completed(waiting):
                if result := future.result():
                    done[waiting[future]] = result
                    progress(len(done), len(files), result.source.name)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [done[number] for number in range(len(files))]


def redact_file(path: Path, folder: Workspace, options: ImagesOptions, detector: TextDetector | None) -> Redacted:
    """Redact one file into `folder`; its noise is seeded by its own bytes."""
    name = f"{path.stem}.jpg"
    target = Path(folder.at(name))
    try:
        body = _read_body(path, options.max_source_bytes)
        seed_key = hashlib.sha256(body).hexdigest()[:20]
        made = prepare_image(body, options=options, detector=detector, seed_key=seed_key, before=False)
    except ImageFault as fault:
        return Redacted(path, target, None, fault.issue, f"{path}: {fault}")
    folder.write(name, made.jpeg)
    return Redacted(path, target, replace(made, jpeg=b""), None, None)


def _read_body(path: Path, max_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ImageFault("IMAGE_TOO_LARGE", f"{size} bytes are more than the {max_bytes} allowed.")
        return path.read_bytes()
    except OSError as error:
        raise ImageFault("NOT_AN_IMAGE", f"It cannot be read: {error.strerror or error}.") from None


def check_boxes(path: Path, files: Sequence[Path], out: Path) -> None:
    """Raise Fault, before any work, when the boxes file cannot lie at `path` or would replace an image."""
    images = {file.resolve() for file in files} | {(out / f"{file.stem}.jpg").resolve() for file in files}
    if path.is_dir():
        raise Fault(f"{path} is a folder; --boxes takes a file.")
    if path.resolve() in images:
        raise Fault(f"{path} is one of the images; choose another file with --boxes.")
    Workspace(str(path.parent)).make()


def write_boxes(path: Path, results: Sequence[Redacted]) -> None:
    """Write the boxes file: a JSON object with an entry per finished file, by its stem, a line each."""
    lines = [
        f"{json.dumps(result.source.stem)}: {json.dumps(result.boxes(), separators=(',', ':'))}"
        for result in results
        if result.made is not None
    ]
    Workspace(str(path.parent)).write(path.name, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
