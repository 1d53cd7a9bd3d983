"""A request to end that waits until what is in hand is finished."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interruptions:
    """Hold back Ctrl-C while the block lasts: `heard` tells of it, and the block's end raises KeyboardInterrupt.

    An exception that is raised wherever the main thread stands can fall between two lines that belong together, a
    second one on the tidying up after the first; a flag cannot, however often it is set. A SIGINT that is ignored
    stays ignored; off the main thread, where no signal can be heard, this does nothing.
    """

    heard = False
    _before: Any = None

    def __enter__(self) -> Interruptions:
        on_main = threading.current_thread() is threading.main_thread()
        if on_main and callable(before := signal.getsignal(signal.SIGINT)):
            self._before = before
            signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self.heard and error is None:
            raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.heard = True
