"""Figures of the report, as SVG that comes out the same every time."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

TRAIN, TEST, STREAM, ASIDE = "#5b7f4f", "#c98b2b", "#a9bda0", "#cbbba9"
INK, SOFT, RULE, CARD = "#2a2f26", "#66695c", "#d9d5c8", "#fffffe"
THEMED = {
    TRAIN: "green", TEST: "ochre", STREAM: "stream", ASIDE: "aside",
    INK: "ink", SOFT: "soft", RULE: "rule", CARD: "card",
}  # fmt: skip
"""Colours of the figures, and the page's variable that takes the place of each, so that they follow light and dark."""
FEW_CLASSES = 40
"""Up to so many species each gets a named bar; more are drawn as the outline of a long tail."""
MOST_STEPS = 400
MOST_BINS = 60
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


class Look(NamedTuple):
    """How wide a figure is: on a desk, and on a phone, where a wide one would shrink until nobody can read it."""

    name: str
    width_in: float
    font_pt: float

    @property
    def letters(self) -> int:
        """How many letters of a name leave half of the width to what is drawn beside it."""
        return int(0.5 * 72 * self.width_in / (0.55 * self.font_pt))

    @property
    def style(self) -> Any:
        """The settings of a figure of this look."""
        return STYLE | {"font.size": self.font_pt, "svg.hashsalt": f"naflora {self.name}"}


WIDE = Look("wide", 8.2, 9)
NARROW = Look("narrow", 4.3, 9.5)
REFERRED = re.compile(r'(?:href="#|url\(#)([^")]+)')


def draw_both(draw: Callable[[Look], str]) -> Markup:
    """Return a figure in both looks, in the page's colours; the page's style shows the one that fits.

    What was drawn is safe: matplotlib escapes the text itself.
    """
    return Markup("".join(f'<div class="{look.name}">{for_page(draw(look))}</div>' for look in (WIDE, NARROW)))


def for_page(svg: str) -> str:
    """Return an SVG that may stand beside others in a page: the page's colours, and no id that nothing refers to."""
    for colour, name in THEMED.items():
        svg = svg.replace(colour, f"var(--{name})")
    referred = set(REFERRED.findall(svg))
    return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", svg)


def cut_name(name: str, most: int) -> str:
    """Return a name on one line of at most `most` letters; those of East Asia count twice, as wide as they are.

    Controls are no letters: an SVG may not hold them, and some turn the text around.
    """
    plain = " ".join("".join(" " if unicodedata.category(letter)[0] == "C" else letter for letter in name).split())
    widths = accumulate(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in plain)
    fits = sum(width <= most for width in widths)
    return plain if fits == len(plain) else plain[: fits - 1].rstrip() + "…"


def draw_long_tail(classes: pa.Table, look: Look = WIDE) -> str:
    """Return an SVG of the images of each species, train and test stacked, most first."""
    rows = classes.to_pylist()
    rows.sort(key=lambda row: (-row["images_train"] - row["images_test"], row["taxon_name"]))
    train = np.array([row["images_train"] for row in rows], np.int64)
    test = np.array([row["images_test"] for row in rows], np.int64)
    with matplotlib.rc_context(look.style):
        if len(rows) <= FEW_CLASSES:
            figure = Figure(figsize=(look.width_in, 0.7 + 0.24 * max(3, len(rows))), layout="constrained")
            names = [cut_name(row["taxon_name"], look.letters) for row in rows]
            _draw_bars(figure.subplots(), names, train, test)
        else:
            figure = Figure(figsize=(look.width_in, 3.2), layout="constrained")
            _draw_outline(figure.subplots(), train, test)
        return as_svg(figure)


def draw_years(years: Sequence[tuple[int, int, int]], look: Look = WIDE) -> str:
    """Return an SVG of the images gathered in each year, or span of years: (year, to train on, to test on)."""
    year, train, test = (np.array(column, np.int64) for column in zip(*years, strict=True))
    span = next(
        step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if year.max() // step - year.min() // step < MOST_BINS
    )
    bins = year // span - year.min() // span
    starts = (np.arange(bins.max() + 1) + year.min() // span) * span
    train, test = (np.bincount(bins, weights=column, minlength=len(starts)) for column in (train, test))
    with matplotlib.rc_context(look.style):
        figure = Figure(figsize=(look.width_in, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.bar(starts, train, 0.86 * span, align="edge", color=TRAIN, label="train")
        axes.bar(starts, test, 0.86 * span, bottom=train, align="edge", color=TEST, label="test")
        axes.set_xlabel("year of gathering" if span == 1 else f"year of gathering, in spans of {span}")
        axes.set_ylabel("images")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        _finish(axes)
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
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
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
    with warnings.catch_warnings():
        # text stays text, which the reader's own fonts draw: what matplotlib's lacks is measured as a box, no more
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        _print(figure, stream)
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _print(figure: Figure, stream: io.StringIO) -> None:
    FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
