"""Words of 64 bits that differ in few bits, found without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]


def read_words(texts: Iterable[str | None]) -> tuple[Words, NDArray[np.bool_]]:
    """Return hex texts of at most 16 digits as words, and which of them were there; others are 0."""
    read = [(int(text, 16), True) if text else (0, False) for text in texts]
    return np.array([word for word, _ in read], np.uint64), np.array([known for _, known in read], np.bool_)


def near_pairs(words: Words, most: int, blocks: Integers | None = None) -> tuple[Integers, Integers, Integers]:
    """Return the places of all pairs of words that differ in at most `most` bits, and in how many they do.

    `blocks` numbers the words: only words of one block are compared. Exact, by pigeonholes: of most + 1 bands of bits
    one at least is equal (the idea of Manku, Jain and Das Sarma 2007). Time grows with the square of the words that
    share a band, so equal words should be given once.
    """
    own = blocks if blocks is not None else np.zeros(len(words), np.int64)
    edges = np.linspace(0, 64, most + 2).astype(int)
    found: list[NDArray[np.int64]] = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        band = (words >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.lexsort((band, own))
        starts = np.ones(len(order), np.bool_)
        starts[1:] = (own[order][1:] != own[order][:-1]) | (band[order][1:] != band[order][:-1])
        run = np.cumsum(starts)
        here, step = np.arange(len(order)), 1
        while len(here := here[here + step < len(order)]):
            here = here[run[here] == run[here + step]]
            left, right = order[here], order[here + step]
            near = np.bitwise_count(words[left] ^ words[right]) <= most
            found.append(np.stack([np.minimum(left, right)[near], np.maximum(left, right)[near]]))
            step += 1
    pairs = np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.int64)
    order = np.lexsort((pairs[1], pairs[0]))
    pairs = pairs[:, order]
    once = np.ones(pairs.shape[1], np.bool_)
    once[1:] = (pairs[0][1:] != pairs[0][:-1]) | (pairs[1][1:] != pairs[1][:-1])
    left, right = pairs[0][once], pairs[1][once]
    return left, right, np.bitwise_count(words[left] ^ words[right]).astype(np.int64)
