"""The funnel as a flow picture: a stream of names and a stream of images, and what leaves each on its way."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from naflora_etl.publishing.figures import ASIDE, INK, SOFT, STREAM, TEST, TRAIN, WIDE, Look, as_svg
from naflora_etl.publishing.funnel import Reason, Step

STREAMS = (("checklist", "taxa"), ("records", "selection", "images", "split", "shards"))
"""Stages whose rows are one thing, from one to the next; answers of aggregators lie between and are neither."""
MOST_REASONS = 4
"""Reasons of a stage that have a branch of their own."""
STREAM_SHARE = 0.24
"""Share of the picture's width that the widest stream takes."""
THINNEST_PT = 0.5
STAGE_LETTERS = 11
"""Room for a stage's name, so that what it had in hand stands in one column."""


def draw_flow(funnel: Sequence[Step], train: int, test: int, look: Look = WIDE) -> str:
    """Return an SVG of the funnel, each stream as wide as its rows; at its end stand the released images."""
    streams = [[step for step in funnel if step.stage in stages] for stages in STREAMS]
    with matplotlib.rc_context(look.style):
        height_pt = Flow(look, None).draw(streams, train, test)  # the labels say how much room they need
        figure = Figure(figsize=(look.width_in, height_pt / 72))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, 72 * look.width_in)
        axes.set_ylim(height_pt, 0)
        axes.set_axis_off()
        Flow(look, axes).draw(streams, train, test)
        return as_svg(figure)


class Flow:
    """The drawing, from top to bottom, in points; without axes it only measures."""

    def __init__(self, look: Look, axes: Axes | None) -> None:
        self.axes = axes
        self.width = 72 * look.width_in
        self.widest = STREAM_SHARE * self.width
        self.labels = self.widest + 0.07 * self.width
        self.line = 1.42 * look.font_pt
        self.look = look
        self.letters = int((self.width - self.labels) / (0.56 * look.font_pt))
        self.y = 0.4 * self.line

    def draw(self, streams: Sequence[Sequence[Step]], train: int, test: int) -> float:
        """Draw the streams and return the height."""
        for number, steps in enumerate(streams):
            most = max((step.rows for step in steps), default=0)
            scale = self.widest / most if most else 0.0
            for step in steps:
                self._draw_step(step, scale)
            if steps and number == len(streams) - 1:
                self._draw_end(train * scale, test * scale, train, test)
            self.y += 1.4 * self.line
        return self.y - 0.8 * self.line

    def _draw_step(self, step: Step, scale: float) -> None:
        top = self.y
        self._draw_node(step.rows * scale, f"{step.rows:,} {step.what}", step.stage)
        right = step.rows * scale
        for reason in gather(step.reasons):
            width = max(reason.rows * scale, THINNEST_PT)
            told = self._tell(reason)
            self.y += (room := max(width, len(told) * self.line)) / 2
            self._draw_branch(max(right - reason.rows * scale, 0.0), right, top, self.y - width / 2, width)
            self._write(self.labels + 5, self.y, "\n".join(told), color=SOFT)
            self.y += room / 2 + 0.25 * self.line
            right -= reason.rows * scale
        self.y += 0.75 * self.line
        self._fill(0, top, max(step.clean * scale, THINNEST_PT), self.y - top, STREAM)

    def _tell(self, reason: Reason) -> list[str]:
        return textwrap.wrap(f"{reason.rows:,}  {reason.sentence}", self.letters, subsequent_indent="    ") or [""]

    def _draw_node(self, width: float, text: str, stage: str) -> None:
        """Draw the bar across the stream at which a stage stands, and leave `y` below its label."""
        self._fill(0, self.y - 1, max(width, 1), 2, INK, above=True)
        self._label(stage, text)
        self.y += 0.75 * self.line

    def _label(self, stage: str, text: str) -> None:
        self._write(self.labels, self.y, stage, weight="bold")
        if STAGE_LETTERS + len(text) < self.letters:
            self._write(self.labels + STAGE_LETTERS * 0.6 * self.look.font_pt, self.y, text)
        else:
            self.y += self.line
            self._write(self.labels, self.y, text)

    def _draw_end(self, train_width: float, test_width: float, train: int, test: int) -> None:
        top, height = self.y, 0.9 * self.line
        self._fill(0, top, max(train_width, THINNEST_PT), height, TRAIN)
        self._fill(train_width, top, max(test_width, THINNEST_PT), height, TEST)
        self.y = top + height / 2
        self._label("release", f"{train + test:,} images: {train:,} to train on, {test:,} to test on")

    def _draw_branch(self, left: float, right: float, top: float, y: float, width: float) -> None:
        """Draw what leaves the stream between `left` and `right`: straight down from `top`, then out at `y`."""
        if self.axes is None:
            return
        out, start = self.labels, max(y - 0.9 * self.line, top)
        bend = min(right + 1.2 * self.line, out)
        corners = [
            (Path.MOVETO, (left, top)), (Path.LINETO, (right, top)), (Path.LINETO, (right, start)),
            (Path.CURVE3, (right, y)), (Path.CURVE3, (bend, y)), (Path.LINETO, (out, y)),
            (Path.LINETO, (out, y + width)), (Path.LINETO, (bend, y + width)), (Path.CURVE3, (left, y + width)),
            (Path.CURVE3, (left, start)), (Path.CLOSEPOLY, (left, top)),
        ]  # fmt: skip
        path = Path([point for _, point in corners], [code for code, _ in corners])
        self.axes.add_patch(PathPatch(path, facecolor=ASIDE, edgecolor="none"))

    def _fill(self, x: float, y: float, width: float, height: float, colour: str, above: bool = False) -> None:
        if self.axes is not None:
            place = (x, y), width, height
            self.axes.add_patch(Rectangle(*place, facecolor=colour, edgecolor="none", zorder=3 if above else 1))

    def _write(self, x: float, y: float, text: str, *, weight: str = "normal", color: str = INK) -> None:
        if self.axes is not None:
            self.axes.text(x, y, text, va="center_baseline", weight=weight, color=color, linespacing=1.2)


def gather(reasons: Sequence[Reason], most: int = MOST_REASONS) -> list[Reason]:
    """Return `reasons`, those beyond `most` gathered into one."""
    if len(reasons) <= most:
        return list(reasons)
    rest = reasons[most - 1 :]
    return [*reasons[: most - 1], Reason("", f"for {len(rest)} other reasons.", sum(reason.rows for reason in rest))]
