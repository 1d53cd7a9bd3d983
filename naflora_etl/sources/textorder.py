"""Texts in order: by eight letters of each as one number, and by all letters where these do not tell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources.bytewise import words_from


def sort_texts(texts: pa.StringArray, then: pa.Array) -> np.ndarray:
    """Return the order of texts, none of them null, byte by byte; equal ones by their number in `then`.

    Letters with which all texts begin tell nothing, so that those behind them are taken. Numbers are sorted in a third
    of the time that texts take.
    """
    if len(texts) < 2:
        return np.arange(len(texts))
    words = words_from(texts, _shared_letters(texts))
    order = np.argsort(words)
    ranked = words[order]
    is_same = np.concatenate(([False], ranked[1:] == ranked[:-1], [False]))
    tied = np.flatnonzero(is_same[1:] | is_same[:-1])
    if len(tied):
        rows = order[tied]
        some = pa.table({"text": texts.take(pa.array(rows)), "then": then.take(pa.array(rows))})
        order[tied] = rows[pc.sort_indices(some, [("text", "ascending"), ("then", "ascending")]).to_numpy()]
    return order


def _shared_letters(texts: pa.StringArray) -> int:
    """Return how many bytes all texts begin with."""
    ends = pc.min_max(texts)
    first, last = (ends[name].as_py().encode() for name in ("min", "max"))
    pairs = zip(first, last, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))
