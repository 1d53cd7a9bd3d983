"""Work on a stream in a few threads, some items ahead of whoever takes the results, in the stream's order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
THREADS = 2
"""Arrow, Parquet and DuckDB let go of Python's lock, so two threads keep two cores busy."""


def work_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], ahead: int = THREADS, *, threads: int = THREADS
) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order; at most `ahead` results wait. Raises what `work` raises.

    One of the `threads` more than there are cores keeps these busy while another waits for a disk.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
