"""Identify sheets with an exported model: the likeliest species, genera and families, and a set that climbs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.cabinet.calibration import Floats, in_sets
from naflora_etl.learning.cabinet.exported import Label
from naflora_etl.learning.cabinet.inference import Classifier, read_sheet
from naflora_etl.learning.cabinet.masks import Flags

BATCH = 16
TOLD = {
    "NOT_AN_IMAGE": "this is not an image; give sheets as JPEG, PNG or TIFF.",
    "IMAGE_DAMAGED": "the image is cut short or cannot be decoded; take it anew.",
    "IMAGE_TOO_LARGE": "the image has more pixels than can be decoded safely; make it smaller.",
}
"""What issues.py says of images from servers, said of one's own files."""


@dataclass(frozen=True)
class Candidate:
    """A species that may be it, with what its genus and family have together."""

    label: Label
    probability: float
    genus_probability: float
    family_probability: float


@dataclass(frozen=True)
class Identification:
    """What one file was found to be."""

    path: Path
    issue: str | None
    """A name of issues.py, when the file could not be looked at; everything below is then empty."""
    top: tuple[Candidate, ...] = ()
    """The likeliest species, the likeliest first."""
    candidates: tuple[Label, ...] = ()
    """The conformal set, the likeliest first; empty where the model was not calibrated."""
    rank: str | None = None
    """The lowest rank at which all candidates agree: species, genus, family; None when they do not."""
    name: str | None = None
    """What they agree on."""

    def finding(self) -> str:
        """Return it in a few words, as on a slip: "Carex, 4 candidates"."""
        if self.issue:
            return TOLD[self.issue]
        if not self.candidates:
            return f"{self.top[0].label.taxon_name}?"
        if self.rank == "species":
            return str(self.name)
        families = len({label.family for label in self.candidates})
        return f"{self.name or f'{families} families'}, {len(self.candidates)} candidates"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self) | {"path": str(self.path), "finding": self.finding()}


def find_files(path: Path, *, leave: Path | None = None) -> list[Path]:
    """Return the file, or every file under a folder, sorted; hidden ones and `leave` are left. Fault for none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Fault(f"{path}: no such file or folder; give a sheet, or a folder of sheets.")
    found = sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and (leave is None or file.resolve() != leave.resolve())
    )
    if not found:
        raise Fault(f"{path} holds no files; give a folder of sheets.")
    return found


def identify(
    paths: Sequence[Path],
    classifier: Classifier,
    *,
    top: int = 5,
    coverage: float = 0.9,
    among: Flags | None = None,
    progress: Progress | None = None,
) -> Iterator[Identification]:
    """Yield an identification for every path, in order; a file that is no sheet comes back with its issue.

    `top` beyond the classes gives all of them. `among` leaves the other classes out: their probability goes to the
    rest, in proportion. Raises Fault for a coverage that the model was not calibrated for.
    """
    exported = classifier.exported
    threshold = None
    if exported.calibration:
        thresholds = exported.calibration.thresholds
        if f"{coverage:g}" not in thresholds:
            raise Fault(f"--coverage {coverage:g}: the model was calibrated for {', '.join(thresholds)}.")
        threshold = thresholds[f"{coverage:g}"]
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        seen = [read_sheet(path, exported.data) for path in batch]
        sheets = [sheet for sheet in seen if not isinstance(sheet, str)]
        told = iter(_masked(classifier.calibrated(sheets), among) if sheets else ())
        for path, sheet in zip(batch, seen, strict=True):
            if isinstance(sheet, str):
                yield Identification(path, sheet)
            else:
                yield _identification(path, next(told), exported.labels, top, threshold)
        if progress:
            progress(start + len(batch), len(paths), batch[-1].name)


def sum_by(values: Floats, names: Sequence[str]) -> dict[str, float]:
    """Return what species have together, by genus or family."""
    sums: dict[str, float] = {}
    for name, value in zip(names, values.tolist(), strict=True):
        sums[name] = sums.get(name, 0.0) + value
    return sums


def agree(labels: Sequence[Label]) -> tuple[str | None, str | None]:
    """Return the lowest rank at which the labels agree, and the name; (None, None) for several families."""
    for rank, column in (("species", "taxon_name"), ("genus", "genus"), ("family", "family")):
        names = {getattr(label, column) for label in labels}
        if len(names) == 1:
            return rank, names.pop()
    return None, None


def _masked(told: Floats, among: Flags | None) -> Floats:
    if among is None:
        return told
    # a class that is asked for keeps a trace, so that a sheet of none of them is still divided
    left = np.where(among, np.maximum(told, 1e-12), 0.0)
    return np.asarray(left / left.sum(axis=1, keepdims=True))


def _identification(
    path: Path, told: Floats, labels: tuple[Label, ...], top: int, threshold: float | None
) -> Identification:
    order = [number for number in np.argsort(-told, kind="stable").tolist() if told[number] > 0]
    genera = sum_by(told, [label.genus for label in labels])
    families = sum_by(told, [label.family for label in labels])
    likeliest = tuple(
        Candidate(labels[number], float(told[number]), genera[labels[number].genus], families[labels[number].family])
        for number in order[: max(1, top)]
    )
    if threshold is None:
        return Identification(path, None, likeliest)
    held = in_sets(told[None], threshold)[0]
    candidates = tuple(labels[number] for number in order if held[number])
    rank, name = agree(candidates)
    return Identification(path, None, likeliest, candidates, rank, name)
