"""What pretraining on ever more classes is worth: runs fine-tuned from it as a curve, two curves beside each other."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.bootstrap import accuracy, macro_f1
from naflora_etl.learning.predictions import read_predictions
from naflora_etl.learning.releases import Release

COLUMNS = ("curve", "run", "classes", "x", "macro_f1", "top1")


@dataclass(frozen=True)
class Point:
    """One run, on the test part of a release."""

    curve: str
    run: str
    classes: int
    """That it was pretrained on; 0 from scratch."""
    x: float
    """The classes, times the scale of its curve."""
    macro_f1: float
    top1: float


@dataclass(frozen=True)
class Gap:
    """Where both curves reach: top-1 of A's runs, and of B between its nearest points."""

    x: float
    a: float
    b: float


@dataclass(frozen=True)
class Curves:
    """Two curves over the number of classes pretrained on."""

    a: str
    b: str
    images: int
    scale_x: float
    """Of B: what share of its classes counts."""
    points: tuple[Point, ...]
    gaps: tuple[Gap, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"top-1 on {self.images} images by classes pretrained on, those of {self.b} times {self.scale_x:g}:"]
        lines += [
            f"  {point.x:g}: {point.top1:.3f}, macro-F1 {point.macro_f1:.3f} ({point.run}, {point.classes} classes)"
            for point in self.points
        ]
        if not self.gaps:
            return "\n".join([*lines, "  the curves share no stretch, so nothing is told of which lies higher"])
        return "\n".join(
            [*lines, *(f"  at {gap.x:g}: {self.b} {gap.b - gap.a:+.3f} against {self.a}" for gap in self.gaps)]
        )


def is_curve(folder: Path) -> bool:
    """Whether the folder holds runs in folders of its own, and is none itself."""
    return folder.is_dir() and not (folder / "run.json").exists() and bool(_runs(folder))


def compare_curves(a: Path, b: Path, release: Release, *, scale_x: float = 1.0) -> Curves:
    """Set the runs in folder `a` against those in folder `b`, by the classes that each was pretrained on.

    The classes of B are multiplied by `scale_x`: of 1000 classes drawn at random 398 are animals, so that curve is
    drawn at .398 of them beside one of animals alone. Raises Fault for a run that was not evaluated on this release,
    and for one whose pretraining is not known.
    """
    points = (*_points(a, release, 1.0), *_points(b, release, scale_x))
    ours, theirs = (_means([point for point in points if point.curve == str(curve)]) for curve in (a, b))
    reach = min(theirs), max(theirs)
    gaps = tuple(
        Gap(x, top1, float(np.interp(x, list(theirs), list(theirs.values()))))
        for x, top1 in ours.items()
        if reach[0] <= x <= reach[1]
    )
    return Curves(str(a), str(b), len(release.part("test")), scale_x, points, gaps)


def write_curves(curves: Curves, path: Path) -> None:
    """Write the points as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(point) for point in curves.points)
    Workspace(str(path.parent)).write(path.name, text.getvalue().encode())


def pretrained_classes(weights: str) -> int | None:
    """Return the classes of the run that a weights file lies in; 0 for none, None where no run tells them."""
    if weights == "none":
        return 0
    try:
        return int(json.loads((Path(weights).parent / "run.json").read_text(encoding="utf-8"))["classes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/run.json"))


def _points(folder: Path, release: Release, scale: float) -> list[Point]:
    part, classes = release.part("test"), release.classes
    points = []
    for run in _runs(folder):
        seen = json.loads((run / "run.json").read_text(encoding="utf-8")).get("pretrained_classes")
        if seen is None:
            raise Fault(
                f"{run} does not tell on how many classes it was pretrained; fine-tune with "
                "--set model.weights=RUN/last.pt of a run of `naflora train`, or from none."
            )
        if not (run / "predictions.parquet").is_file():
            raise Fault(f"{run} has no predictions yet; run `naflora evaluate {run} RELEASE` first.")
        answers = read_predictions(run / "predictions.parquet").of(part, classes).class_ids[:, 0]
        scores = (float(measure(part.class_ids, answers)) for measure in (macro_f1, accuracy))
        points.append(Point(str(folder), str(run), seen, seen * scale, *scores))
    return sorted(points, key=lambda point: (point.x, point.run))


def _means(points: Sequence[Point]) -> dict[float, float]:
    """Return the mean top-1 of the runs at each x: seeds of one setting are one point of its curve."""
    return {x: float(np.mean([point.top1 for point in points if point.x == x])) for x in sorted({p.x for p in points})}
