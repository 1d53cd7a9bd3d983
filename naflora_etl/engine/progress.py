"""One moving line for whatever takes over two seconds; silent where nobody watches."""

from __future__ import annotations

import sys
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

    def begin(self, title: str) -> None:
        self.end()
        self.title, self.started = title, time.monotonic()
        self._show()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        if self.bar is None and time.monotonic() - self.started > PATIENCE_S:
            self._show()
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total or None, note=note)

    def end(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=5,
        )
        self.task = self.bar.add_task(self.title, total=None, note="")
        self.bar.start()


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
