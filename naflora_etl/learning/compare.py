"""What one model gains over another, on the same test sheets: by species, family, genus, and by support elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.bootstrap import Difference, accuracy, compare_paired, macro_f1
from naflora_etl.learning.predictions import Predictions, read_predictions
from naflora_etl.learning.releases import Rank, Release

MANY = 40


@dataclass(frozen=True)
class Gain:
    """Accuracy of B less that of A within a group."""

    group: str
    family: str
    species: int
    images: int
    a: float
    b: float
    gain: float
    support: int
    """Images that the pretraining had of the group; training images where nothing else is told."""
    mark: str
    """none, some or many (40 and more), by support."""


@dataclass(frozen=True)
class Comparison:
    """B against A: how sure the difference is, and where it lies."""

    a: str
    b: str
    images: int
    differences: tuple[Difference, ...]
    gains: tuple[Gain, ...]
    correlation: float | None
    """Spearman's, of gain and support; None where either is the same everywhere."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.b} against {self.a}, {self.images} images:"]
        for row in self.differences:
            lines.append(f"  {row}; {'sure' if row.is_sure else 'may be chance'}")
        ordered = sorted(self.gains, key=lambda row: -row.gain)
        ends = ordered if len(ordered) <= 6 else [*ordered[:3], *ordered[-3:]]
        lines += [
            f"  {row.gain:+.3f} {row.group} ({row.images} images, support {row.support}: {row.mark})" for row in ends
        ]
        if self.correlation is not None:
            lines.append(f"  gain and support: Spearman's correlation {self.correlation:+.2f}")
        return "\n".join(lines)


def compare_predictions(
    a: Path,
    b: Path,
    release: Release,
    *,
    by: Rank = "species",
    support: Mapping[str, int] | None = None,
    rounds: int = 1000,
) -> Comparison:
    """Compare two runs (their predictions.parquet) or files of predictions on the test part of `release`.

    `support` tells the images of each species that the pretraining saw; without it those of the training part are
    taken. Raises Fault where either cannot be used.
    """
    part, classes = release.part("test"), release.classes
    ours, theirs = (_find(path).of(part, classes).class_ids[:, 0] for path in (a, b))
    truth = part.class_ids
    measures = (("macro-F1", macro_f1), ("top-1", accuracy))
    differences = tuple(
        compare_paired(truth, ours, theirs, measure=measure, name=name, rounds=rounds) for name, measure in measures
    )
    counts = np.bincount(release.part("train").class_ids, minlength=len(classes))
    if support is not None:
        counts = np.array([support.get(name, 0) for name in classes.species])
    gains = tuple(_gains(release, by, ours == truth, theirs == truth, counts))
    return Comparison(str(a), str(b), len(part), differences, gains, _correlate(gains))


def write_gains(comparison: Comparison, path: Path) -> None:
    """Write the gains as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field for field in Gain.__dataclass_fields__], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in comparison.gains)
    Workspace(str(path.parent)).write(path.name, text.getvalue().encode())


def read_support(path: Path) -> dict[str, int]:
    """Read how many images the pretraining had of each species: a CSV taxon_name,images. Raises Fault."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return {row["taxon_name"]: int(row["images"]) for row in csv.DictReader(stream)}
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; give a CSV taxon_name,images.") from None
    except (KeyError, ValueError, TypeError, OSError, csv.Error):
        raise Fault(f"{path} cannot be read as a CSV taxon_name,images with whole numbers.") from None


def _find(path: Path) -> Predictions:
    if path.is_dir():
        if not (path / "predictions.parquet").is_file():
            raise Fault(f"{path} has no predictions yet; run `naflora evaluate {path} RELEASE` first.")
        path = path / "predictions.parquet"
    return read_predictions(path)


def _gains(release: Release, by: Rank, a: Any, b: Any, counts: Any) -> list[Gain]:
    classes, truth = release.classes, release.part("test").class_ids
    groups, names = classes.groups(by), getattr(classes, by)
    gains = []
    for group in range(int(groups.max()) + 1):
        members = np.flatnonzero(groups == group)
        here = np.isin(truth, members)
        if here.any():
            support = int(counts[members].sum())
            mark = "none" if not support else "many" if support >= MANY * len(members) else "some"
            before, after = float(a[here].mean()), float(b[here].mean())
            first = members[0]
            gains.append(
                Gain(names[first], classes.family[first], len(members), int(here.sum()), before, after, after - before,
                     support, mark)
            )  # fmt: skip
    return gains


def _correlate(gains: tuple[Gain, ...]) -> float | None:
    from scipy.stats import spearmanr

    gain, support = [row.gain for row in gains], [row.support for row in gains]
    if len(set(gain)) < 2 or len(set(support)) < 2:
        return None
    return float(spearmanr(gain, support).statistic)
