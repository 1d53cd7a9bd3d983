"""Which part of the records table a row belongs to: specimens by their order, and media with their specimens.

Batches stay as they came, and a part takes its rows out of them. Archives mostly tell media in the order of their
records, so that a part is made of a few batches that lie together; in any other order it takes from all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from threading import Lock

import numpy as np
import pyarrow as pa

from naflora_etl.engine.spool import Shelf
from naflora_etl.sources.encoded import stack
from naflora_etl.sources.ranking import Ranked


class Batches:
    """Batches of rows with a `stem_hash`, whose rows can be taken by part once they were placed.

    What is said of each row by then comes as a column more, named `mark`.
    """

    def __init__(self, shelf: Shelf, nothing: pa.Table, mark: str) -> None:
        self._shelf = shelf
        self._mark = mark
        self._nothing = self._marked(nothing.drop_columns("stem_hash"), np.zeros(0, bool))
        self._lock = Lock()
        self.hashes: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._marks: list[np.ndarray] = []
        self._waiting: list[int] = []
        self._touched: dict[int, list[int]] = defaultdict(list)

    def add(self, rows: pa.Table) -> None:
        """Put a batch behind the others, without the column that it is placed by."""
        if rows.num_rows:
            self.hashes.append(rows["stem_hash"].to_numpy().copy())  # a view would keep all columns of the batch
            self._shelf.add(rows.drop_columns("stem_hash"))

    def place(self, places: Sequence[np.ndarray], marks: Sequence[np.ndarray]) -> None:
        """Say to which part each row of each batch belongs, and what is to be said of it."""
        self._places, self._marks = list(places), list(marks)
        for batch, found in enumerate(self._places):
            parts = np.flatnonzero(np.bincount(found))
            self._waiting.append(len(parts))
            for part in parts:
                self._touched[int(part)].append(batch)
        self.hashes = []

    def take(self, part: int) -> pa.Table:
        """Return the rows of a part in their order, in one piece, and forget them."""
        return stack([self._rows(batch, part) for batch in self._touched.pop(part, [])] or [self._nothing])

    def _rows(self, batch: int, part: int) -> pa.Table:
        table = self._marked(self._shelf.read(batch), self._marks[batch])
        rows = np.flatnonzero(self._places[batch] == part)
        if len(rows) < table.num_rows:
            is_one_piece = rows[-1] - rows[0] + 1 == len(rows)
            table = table.slice(rows[0], len(rows)) if is_one_piece else table.take(pa.array(rows))
        with self._lock:
            self._waiting[batch] -= 1
            if not self._waiting[batch]:
                self._shelf.drop(batch)
        return table

    def _marked(self, rows: pa.Table, marks: np.ndarray) -> pa.Table:
        return rows.append_column(self._mark, pa.array(marks))


def place_rows(
    specimens: Sequence[np.ndarray], pictures: Sequence[np.ndarray], parts: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the part of each specimen and of each picture, by the hashes of what they hang together by.

    Specimens with one hash are of one part, and so are their pictures, wherever in the order they come.
    """
    batches = [*specimens, *pictures]
    if not batches:
        return [], []
    of_specimens = sum(len(batch) for batch in specimens)
    rows = Ranked(np.concatenate(batches))
    first = rows.order[rows.starts]  # a specimen, if there is one, since they stand before all pictures
    of_pictures = len(rows) - of_specimens
    part = np.where(
        first < of_specimens,
        first * parts // max(1, of_specimens),
        (first - of_specimens) * parts // max(1, of_pictures),  # where its neighbours are likely to be
    )
    placed = rows.spread(part.astype(np.int16))
    ends = np.cumsum([len(batch) for batch in batches])[:-1]
    found = np.split(placed, ends)
    return found[: len(specimens)], found[len(specimens) :]
