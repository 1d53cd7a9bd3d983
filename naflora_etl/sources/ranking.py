"""Millions of hashes in order: their last bits and the rows' numbers in one number each, which is sorted."""

from __future__ import annotations

import numpy as np


class Ranked:
    """Rows in the order of their hashes (uint64), so that equal ones lie together, the first row in front.

    Numbers are sorted in a sixth of the time that it takes to sort rows by them, so the row stands within the number.
    Of 16 million rows 40 bits of each hash are left, so that some 100 pairs of hashes that differ are taken for equal
    ones: whoever asks must bear that.
    """

    def __init__(self, hashes: np.ndarray) -> None:
        bits = np.uint64(max(1, len(hashes).bit_length()))
        packed = (hashes << bits) | np.arange(len(hashes), dtype=np.uint64)
        packed.sort()
        left = packed >> bits
        is_first = np.ones(len(packed), bool)
        is_first[1:] = left[1:] != left[:-1]
        self.starts = np.flatnonzero(is_first)
        """Where each group of rows with one hash begins."""
        packed &= (np.uint64(1) << bits) - np.uint64(1)
        self.order = packed.view(np.int64)

    def __len__(self) -> int:
        return len(self.order)

    @property
    def lengths(self) -> np.ndarray:
        """How many rows each group has."""
        return np.diff(np.append(self.starts, len(self)))

    def sort(self, values: np.ndarray) -> np.ndarray:
        """Return a value of each row in this order."""
        return np.asarray(values[self.order])

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return a value of each group for each row, in the order that the rows had."""
        spread = np.empty(len(self), values.dtype)
        spread[self.order] = np.repeat(values, self.lengths)
        return spread
