"""An event loop whose time jumps to the next timer when nothing is ready: what waits a minute there takes no time here.

A test that runs in it does not depend on the machine's speed: between two timers no time passes, however long the
machine computes.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(JumpingSelector(self))

    def time(self) -> float:
        return self.now_s


class JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for somebody else"
            self.loop.now_s += max(0.0, timeout)
        return ready


def run_at_once(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine as asyncio.run does, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
