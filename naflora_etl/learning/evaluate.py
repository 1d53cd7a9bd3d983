"""Evaluate a run, or predictions, on a part of a release."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.breakdown import Variance, analyse_variance, score_counts, score_groups, score_places
from naflora_etl.learning.calibration import CalibrationBin, calibration_bins, calibration_error
from naflora_etl.learning.distances import class_distances
from naflora_etl.learning.metrics import Score, score_predictions
from naflora_etl.learning.predictions import Predictions
from naflora_etl.learning.releases import Integers, Part, Release, open_release


@dataclass(frozen=True)
class Evaluation(Score):
    """The score of a run; evaluation.json holds the same, its `ranks` are rows under schemas/evaluation.json."""

    top_k: int
    """As asked for, or the number of classes where that is less."""
    top_k_accuracy: float
    """Share of test images whose class is among the k likeliest."""
    balanced_accuracy: float
    """Mean of the accuracies of the classes that have test images."""
    calibration_error: float
    """Expected, over 15 bins of equal width."""
    log_loss: float
    """Mean of minus the logarithm of the true class's odds; a class that was not kept counts the least kept odds."""
    error_distance: float | None
    """Mean distance of the genera of wrong answers from the true ones; None when all are right."""
    variance: tuple[Variance, ...]
    """Of the species' accuracies, by family and by genus."""

    def __str__(self) -> str:
        lines = [
            super().__str__(),
            f"species  among the {self.top_k} likeliest: {self.top_k_accuracy:.2%}; balanced accuracy "
            f"{self.balanced_accuracy:.2%}",
            f"calibration error {self.calibration_error:.4f}, log loss {self.log_loss:.4f}",
        ]
        for row in self.variance:
            f = "without bound" if row.f is None else f"= {row.f:.2f}"
            lines.append(
                f"by {row.of}: F {f}, p = {row.p:.2g}, eta squared {row.eta_squared:.3f} "
                f"({row.groups} groups, {row.species} species)"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Breakdown:
    """The tables behind an evaluation, by name of their file."""

    tables: dict[str, list[dict[str, Any]]]

    def write(self, folder: Path) -> None:
        """Write each table as CSV."""
        for name, rows in self.tables.items():
            text = io.StringIO()
            writer = csv.DictWriter(text, rows[0].keys() if rows else [], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            Workspace(str(folder)).write(f"{name}.csv", text.getvalue().encode())


def evaluate_run(
    run: Path,
    release: Path,
    *,
    out: Path | None = None,
    top_k: int = 5,
    tta: str = "none",
    distances: str = "taxonomy",
    progress: Progress | None = None,
) -> Evaluation:
    """Predict the test part of `release` with the last checkpoint of `run`, and score it.

    Writes predictions.parquet, evaluation.json, submission.csv (`Id,Predicted`: image_id, class_id) and the tables
    into `out`, or into the run. Raises Fault for a run or a release that cannot be used, and where they do not have
    the same classes.
    """
    from naflora_etl.learning.predict import predict_run  # torch

    predictions = predict_run(run, release, tta=tta, progress=progress)
    target = Path(out or run)
    predictions.write(target / "predictions.parquet")
    opened = open_release(release, need_images=False)
    return evaluate_predictions(predictions, opened, out=target, top_k=top_k, distances=distances)


def evaluate_predictions(
    predictions: Predictions, release: Release, *, out: Path | None, top_k: int = 5, distances: str = "taxonomy"
) -> Evaluation:
    """Score predictions of the test part; writes evaluation.json, submission.csv and the tables into `out`."""
    part = release.part("test")
    if not len(part):
        raise Fault(f"{release.folder} has no test images, so there is nothing to evaluate on.")
    predictions = predictions.of(part, release.classes)
    answers, odds = predictions.class_ids[:, 0], np.exp(predictions.log_odds[:, 0])
    right, classes = answers == part.class_ids, release.classes
    bins = calibration_bins(odds, right)
    score = score_predictions(part.class_ids, answers, classes)
    kept = predictions.class_ids[:, : max(1, top_k)]
    apart = class_distances(distances, classes)[part.class_ids, answers][~right]
    by = [analyse_variance(part.class_ids, right, getattr(classes, rank), rank) for rank in ("family", "genus")]
    evaluation = Evaluation(
        images=score.images,
        top1=score.top1,
        chance=score.chance,
        ranks=score.ranks,
        top_k=kept.shape[1],
        top_k_accuracy=float((kept == part.class_ids[:, None]).any(axis=1).mean()),
        balanced_accuracy=_balanced(part.class_ids, right),
        calibration_error=calibration_error(bins),
        log_loss=_log_loss(predictions, part.class_ids),
        error_distance=float(apart.mean()) if len(apart) else None,
        variance=tuple(row for row in by if row),
    )
    if out is not None:
        Workspace(str(out)).write("submission.csv", _submission(part, answers))
        Workspace(str(out)).write("evaluation.json", (json.dumps(evaluation.as_dict(), indent=2) + "\n").encode())
        _break_down(release, part, right, bins).write(out)
    return evaluation


def _break_down(release: Release, part: Part, right: Any, bins: list[CalibrationBin]) -> Breakdown:
    classes, truth = release.classes, part.class_ids
    counts = np.bincount(release.part("train").class_ids, minlength=len(classes))
    accuracy = list(_species_rows(classes.species, classes.genus, classes.family, counts, truth, right))
    tables = {
        "by_species": accuracy,
        "by_family": [asdict(row) for row in score_groups(truth, right, classes.family)],
        "by_genus": [asdict(row) for row in score_groups(truth, right, classes.genus)],
        "by_train_count": [asdict(row) for row in score_counts(truth, right, counts)],
        "calibration": [asdict(row) for row in bins],
    }
    if part.institutions is not None:
        tables["by_institution"] = [asdict(row) for row in score_places(right, part.institutions, truth)]
    return Breakdown(tables)


def _species_rows(
    species: tuple[str, ...],
    genus: tuple[str, ...],
    family: tuple[str, ...],
    counts: Integers,
    truth: Integers,
    right: Any,
) -> Iterator[dict[str, Any]]:
    images = np.bincount(truth, minlength=len(species))
    hits = np.bincount(truth, weights=right, minlength=len(species))
    for number, name in enumerate(species):
        yield {
            "class_id": number,
            "species": name,
            "genus": genus[number],
            "family": family[number],
            "train_images": int(counts[number]),
            "test_images": int(images[number]),
            "accuracy": float(hits[number] / images[number]) if images[number] else None,
        }


def _balanced(truth: Integers, right: Any) -> float:
    images = np.bincount(truth)
    return float((np.bincount(truth, weights=right)[images > 0] / images[images > 0]).mean())


def _log_loss(predictions: Predictions, truth: Integers) -> float:
    is_true = predictions.class_ids == truth[:, None]
    own = np.where(is_true, predictions.log_odds, 0).sum(1)
    return float(-np.where(is_true.any(1), own, predictions.log_odds[:, -1]).mean())


def _submission(part: Part, predicted: Integers) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Id", "Predicted"])
    writer.writerows(zip(part.image_ids, predicted.tolist(), strict=True))
    return text.getvalue().encode()
