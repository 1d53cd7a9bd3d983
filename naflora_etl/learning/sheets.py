"""One sheet out of a release's tars, as a recipe looks at it; without torch, so that a process for it starts soon."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import NamedTuple

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.releases import MEND
from naflora_etl.learning.warp import STRAIGHT, Pixels, View, draw_view, warp_sheet


class Wanted(NamedTuple):
    """Where an image lies, and how it is looked at: as `view` shows it, or at random when an epoch is given."""

    key: str
    shard: str
    offset: int
    length: int
    view: View = STRAIGHT
    seed: int = 0
    epoch: int | None = None


class Sheets:
    """The images of a release folder; threads may share it."""

    def __init__(self, folder: Path, options: DataOptions) -> None:
        self.folder = folder
        self.options = options
        self._files: dict[str, int] = {}
        self._lock = threading.Lock()
        self._augment = None
        if options.rand_augment:
            from naflora_etl.learning.augment import RandAugment  # torch

            self._augment = RandAugment(options.rand_augment)

    def look(self, wanted: Wanted) -> Pixels:
        """Return one sheet; raises Fault for a damaged one."""
        view, key = wanted.view, wanted.key
        if wanted.epoch is not None:
            view = draw_view(self.options, seed=wanted.seed, epoch=wanted.epoch, image_key=key)
        try:
            pixels = warp_sheet(self.read(wanted.shard, wanted.offset, wanted.length), self.options, view)
        except (OSError, ValueError, SyntaxError) as error:  # Pillow tells damage in all three
            raise Fault(f"{self.folder / wanted.shard}: image {key} cannot be read ({error}); {MEND}.") from None
        if self._augment is not None and wanted.epoch is not None:
            pixels = self._augment(pixels, [wanted.seed, wanted.epoch, int(key, 16)])
        return pixels

    def read(self, shard: str, offset: int, length: int) -> bytes:
        """Return bytes as they lie in a tar."""
        data = os.pread(self._file(shard), length, offset)
        if len(data) != length:
            raise OSError(f"{len(data)} of {length} bytes")
        return data

    def close(self) -> None:
        """Close the tars."""
        while self._files:
            os.close(self._files.popitem()[1])

    def _file(self, shard: str) -> int:
        with self._lock:
            if shard not in self._files:
                self._files[shard] = os.open(self.folder / shard, os.O_RDONLY)
            return self._files[shard]
