"""One moving line for whatever takes over two seconds; silent where nobody watches."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_S = 0.5


class Progress:
    """Takes `progress(done, total, note)` from stages; this one shows nothing."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` are finished."""

    def begin(self, title: str) -> None:
        """Start a new line of work."""

    def end(self) -> None:
        """Take the line away."""


class TerminalProgress(Progress):
    """A moving line on the terminal: what, how much, how fast, how long still."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.title = ""
        self.started = 0.0
        self.timer: threading.Timer | None = None

    def begin(self, title: str) -> None:
        self.end()
        self.title, self.started = title, time.monotonic()
        # a timer, since a stage that tells of no progress is waited for all the same
        self.timer = threading.Timer(PATIENCE_S, self._show)
        self.timer.daemon = True
        self.timer.start()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total or None, note=note)

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer.join()
            self.timer = None
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
        from rich.table import Column
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                speed = task.finished_speed or task.speed
                return Text(f"{speed:,.1f}/s" if speed else "")

        def tight(width: int) -> Column:
            return Column(no_wrap=True, min_width=width)  # else 80 columns squeeze the figures away

        bar = Bar(
            TextColumn("{task.description}", table_column=tight(9)),
            BarColumn(bar_width=14, table_column=tight(14)),
            MofNCompleteColumn(table_column=tight(9)),
            Rate(table_column=tight(7)),
            TimeRemainingColumn(compact=True, table_column=tight(5)),
            TextColumn("left", table_column=tight(4)),
            TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=Console(stderr=True),
            transient=True,
            expand=True,
            refresh_per_second=5,
        )
        self.task = bar.add_task(self.title, total=None, note="")
        bar.start()
        self.bar = bar


_current = Progress()


def current() -> Progress:
    """Return the progress of this process; a silent one unless `shown` is in force."""
    return _current


@contextmanager
def shown(wanted: bool | None = None) -> Iterator[Progress]:
    """Show progress on the terminal inside the block; by default only when a person watches one."""
    global _current
    before = _current
    if wanted if wanted is not None else sys.stderr.isatty():
        _current = TerminalProgress()
    try:
        yield _current
    finally:
        _current.end()
        _current = before
