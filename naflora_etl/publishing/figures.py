"""Figures of the report, as SVG that comes out the same every time."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

TRAIN, TEST, INK, RULE = "#5b7f4f", "#c98b2b", "#2a2f26", "#d9d5c8"
FEW_CLASSES = 40
"""Up to so many species each gets a named bar; more are drawn as the outline of a long tail."""
MOST_STEPS = 1000
STYLE: Any = {
    "svg.hashsalt": "naflora",
    "svg.fonttype": "none",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,
}

Integers = npt.NDArray[np.int64]


def draw_long_tail(classes: pa.Table) -> str:
    """Return an SVG of the images of each species, train and test stacked, most first."""
    rows = classes.to_pylist()
    rows.sort(key=lambda row: (-row["images_train"] - row["images_test"], row["taxon_name"]))
    train = np.array([row["images_train"] for row in rows], np.int64)
    test = np.array([row["images_test"] for row in rows], np.int64)
    with matplotlib.rc_context(STYLE):
        if len(rows) <= FEW_CLASSES:
            figure = Figure(figsize=(8.2, 0.7 + 0.24 * max(3, len(rows))), layout="constrained")
            _draw_bars(figure.subplots(), [row["taxon_name"] for row in rows], train, test)
        else:
            figure = Figure(figsize=(8.2, 3.2), layout="constrained")
            _draw_outline(figure.subplots(), train, test)
        return as_svg(figure)


def _draw_bars(axes: Axes, names: list[str], train: Integers, test: Integers) -> None:
    places = np.arange(len(names))
    axes.barh(places, train, 0.68, color=TRAIN, label="train")
    axes.barh(places, test, 0.68, left=train, color=TEST, label="test")
    axes.set_yticks(places, names, style="italic")
    axes.invert_yaxis()
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("images")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    _finish(axes)


def _draw_outline(axes: Axes, train: Integers, test: Integers) -> None:
    total = train + test
    shown = np.unique(np.linspace(0, len(total) - 1, min(len(total), MOST_STEPS)).astype(np.int64))
    places, widest = shown + 1, len(total)
    axes.fill_between(places, 0, train[shown], step="mid", color=TRAIN, linewidth=0, label="train")
    axes.fill_between(places, train[shown], total[shown], step="mid", color=TEST, linewidth=0, label="test")
    axes.set_xlim(0.5, widest + 0.5)
    axes.set_ylim(0, None)
    axes.set_xlabel("species, from most to fewest images")
    axes.set_ylabel("images")
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
    axes.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def as_svg(figure: Figure) -> str:
    stream = io.StringIO()
    FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
