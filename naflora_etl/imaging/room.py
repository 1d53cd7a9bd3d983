"""Room in memory for the few images that need much of it: they wait for each other, the many others for nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

FREE_BYTES = 128_000_000
"""An image that needs no more is never kept waiting; a common sheet of 20 megapixels needs 30 MB."""
ROOM_BYTES = 1_500_000_000
"""What all larger ones of a process may need together; one that alone needs more is let in alone."""


class Room:
    """So many bytes, shared by threads."""

    def __init__(self, room_bytes: int = ROOM_BYTES, free_bytes: int = FREE_BYTES) -> None:
        self.room_bytes = room_bytes
        self.free_bytes = free_bytes
        self.taken_bytes = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, need_bytes: int) -> Iterator[None]:
        """Wait until `need_bytes` are free and hold them while the block lasts."""
        if need_bytes <= self.free_bytes:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self.taken_bytes or self.taken_bytes + need_bytes <= self.room_bytes)
            self.taken_bytes += need_bytes
        try:
            yield
        finally:
            with self._changed:
                self.taken_bytes -= need_bytes
                self._changed.notify_all()


ROOM = Room()
"""The room of this process."""
