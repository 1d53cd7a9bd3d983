"""Images that look the same, by their difference hash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naflora_etl.engine.nearness import near_pairs, read_words
from naflora_etl.selecting.keys import Integers, Text

FEWEST_BITS = 6
"""A hash with fewer bits set, or fewer not set, is of a blank picture; those of 187 real sheets have 12 to 41."""
CROWD = 8
"""A hash that more images have tells of a layout or a placeholder, and binds none of different species."""


def link_alike(hashes: Text, taxa: Integers, most: int) -> tuple[Integers, Integers]:
    """Return the places of images that are to be taken for one picture, as pairs; not all pairs, but enough to join.

    Images of one species do when at most `most` of the 64 bits differ, images of different species when none does and
    no more than CROWD have the hash. Hashes that are null or blank link nothing.
    """
    words, known = read_words(hashes.to_pylist())
    bits = np.bitwise_count(words)
    rows = np.flatnonzero(known & (bits >= FEWEST_BITS) & (bits <= 64 - FEWEST_BITS))
    order = rows[np.lexsort((rows, taxa[rows], words[rows]))]
    same_word = words[order][1:] == words[order][:-1]
    same_taxon = taxa[order][1:] == taxa[order][:-1]
    # chains of equal hashes: within a species always, between species where few have it
    run = np.cumsum(np.concatenate([[True], ~same_word])[: len(order)])
    few = np.bincount(run, minlength=1)[run] <= CROWD
    chained = same_word & (same_taxon | few[1:])
    first = np.ones(len(order), np.bool_)
    first[1:] = ~(same_word & same_taxon)
    ones = order[first]
    left, right, _ = near_pairs(words[ones], most, taxa[ones])
    return np.concatenate([order[:-1][chained], ones[left]]), np.concatenate([order[1:][chained], ones[right]])


def no_links() -> tuple[Integers, Integers]:
    """Return no pairs at all."""
    nothing: NDArray[np.int64] = np.zeros(0, np.int64)
    return nothing, nothing
