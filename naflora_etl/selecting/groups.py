"""Groups of images that belong together, closed transitively."""

from __future__ import annotations

import numpy as np

from naflora_etl.selecting.keys import Integers

Pairs = tuple[Integers, Integers]


def join_groups(*columns: Integers, pairs: Pairs | None = None) -> Integers:
    """Return the group of each row: rows that share a number in any column, or through others, are of one group.

    Each column holds a number per row (see keys.encode_keys); negative numbers join nothing. `pairs` joins rows by
    their places. A group is called after its first row. Connected components in arrays: roots are hooked to smaller
    roots, then paths are cut short, until no edge leads from one root to another (the idea of Shiloach and Vishkin
    1982).
    """
    root = np.arange(len(columns[0]))
    edges = [_edges(column) for column in columns] + ([pairs] if pairs is not None else [])
    left = np.concatenate([edge[0] for edge in edges])
    right = np.concatenate([edge[1] for edge in edges])
    while len(left):
        left, right = root[left], root[right]
        apart = left != right
        left, right = left[apart], right[apart]
        np.minimum.at(root, np.maximum(left, right), np.minimum(left, right))
        while not np.array_equal(above := root[root], root):
            root = above
    return root


def _edges(column: Integers) -> Pairs:
    """Join each row to the first row with the same number."""
    rows = np.flatnonzero(column >= 0)
    _, first, inverse = np.unique(column[rows], return_index=True, return_inverse=True)
    other = rows[first][inverse]
    apart = other != rows
    return rows[apart], other[apart]
