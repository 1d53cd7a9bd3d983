"""The figures of an evaluation: accuracy by training images, the best and worst families, calibration."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.curves import Curves

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


def plot_curves(curves: Curves, path: Path) -> None:
    """Draw both curves over the classes that were pretrained on, seeds as dots and their means as a line."""

    def draw(axes: Any, rows: list[dict[str, float]]) -> None:
        for name, colour in ((curves.a, INK), (curves.b, PAPER)):
            own = [row for row, point in zip(rows, curves.points, strict=True) if point.curve == name]
            places = sorted({row["x"] for row in own})
            axes.scatter([row["x"] for row in own], [100 * row["top1"] for row in own], color=colour, s=16)
            tops = ([row["top1"] for row in own if row["x"] == place] for place in places)
            axes.plot(places, [100 * sum(top) / len(top) for top in tops], color=colour, label=Path(name).name)
        scaled = "" if curves.scale_x == 1 else f" (of {Path(curves.b).name} times {curves.scale_x:g})"
        axes.set_xlabel(f"classes pretrained on{scaled}")
        axes.set_ylabel(f"top-1 accuracy on {curves.images} images (%)")
        axes.legend(frameon=False)

    _save(path.parent, path.name, draw, [{"x": point.x, "top1": point.top1} for point in curves.points])


def _save(folder: Path, name: str, draw: Any, rows: list[Any]) -> None:
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
