"""The figures of an evaluation: accuracy by training images, the best and worst families, calibration."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from naflora_etl.engine.workspace import Workspace

INK, PAPER, PALE = "#2f4b3c", "#c8553d", "#b9c7bd"
SHOWN = 10


def plot_tables(folder: Path) -> list[str]:
    """Draw the figures of the tables that lie in `folder` beside them; return the names of the files."""
    drawn = []
    for name, draw in (("by_train_count", _counts), ("by_family", _families), ("calibration", _calibration)):
        if (folder / f"{name}.csv").is_file():
            with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream))
            _save(folder, f"{name}.png", draw, rows)
            drawn.append(f"{name}.png")
    return drawn


def _save(folder: Path, name: str, draw: Any, rows: list[dict[str, str]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes, rows)
    with Workspace(str(folder)).writing(name) as stream:
        figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})


def _counts(axes: Any, rows: list[dict[str, str]]) -> None:
    accuracy = [100 * float(row["accuracy"]) for row in rows]
    errors = [100 * float(row["error"] or 0) for row in rows]
    axes.errorbar(range(len(rows)), accuracy, errors, color=INK, marker="o", capsize=3)
    axes.set_xticks(range(len(rows)), [f"{row['group']}\n{row['species']}" for row in rows], fontsize=8)
    axes.set_xlabel("training images of a species; species below")
    axes.set_ylabel("top-1 accuracy, mean of species ± SE (%)")


def _families(axes: Any, rows: list[dict[str, str]]) -> None:
    shown = rows if len(rows) <= 2 * SHOWN else [*rows[:SHOWN], *rows[-SHOWN:]]
    accuracy = [100 * float(row["accuracy"]) for row in shown]
    errors = [100 * float(row["error"] or 0) for row in shown]
    most = max(int(row["images"]) for row in rows)
    sizes = [20 + 160 * int(row["images"]) / most for row in shown]
    axes.errorbar(accuracy, range(len(shown)), xerr=errors, fmt="none", ecolor=PALE, capsize=2, zorder=1)
    axes.scatter(accuracy, range(len(shown)), s=sizes, color=INK, zorder=2)
    axes.set_yticks(range(len(shown)), [row["group"] for row in shown], fontsize=8)
    axes.set_xlabel("top-1 accuracy, mean of species ± SE (%); larger: more images")


def _calibration(axes: Any, rows: list[dict[str, str]]) -> None:
    axes.plot([0, 1], [0, 1], color=PALE, linestyle="--")
    axes.plot(
        [float(row["sureness"]) for row in rows], [float(row["accuracy"]) for row in rows], color=PAPER, marker="o"
    )
    axes.set_xlabel("odds of the likeliest class")
    axes.set_ylabel("share that is right")
