"""Seeded, stable sampling: each key draws a number for itself, whatever neighbours come and go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault
from naflora_etl.selecting.keys import Integers, Text, encode_keys, first_of_runs


@dataclass(frozen=True)
class Draw:
    """What each key drew; both arrays follow the order of the keys."""

    place: Integers
    """Place in the order of the sha256 hex texts, 0 first."""
    share: NDArray[np.float64]
    """The first 13 hex digits as a number from 0 up to, but not including, 1."""


def draw_keys(keys: Text, *, salt: str, seed: int) -> Draw:
    """Draw for each key by sha256("<salt>|<seed>|<key>"), UTF-8, in hex.

    Any language gives the same bytes, and their hex text sorts the same everywhere; equal digests mean equal keys, so
    no other tie-break is needed. Two uses of the same keys must differ in `salt`: images drawn first by the one would
    else all be drawn first by the other (the cap's own draw once put half of all images into the test part).
    """
    start = hashlib.sha256(f"{salt}|{seed}|".encode())
    digests = []
    for key in keys.to_pylist():
        digest = start.copy()
        digest.update(key.encode())
        digests.append(digest.digest())
    raw = b"".join(digests)
    # Bytes sort as their hex text does.
    order = np.argsort(np.frombuffer(raw, dtype="S32"), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    first_word = np.frombuffer(raw, dtype=">u8").reshape(-1, 4)[:, 0].astype(np.uint64)
    return Draw(place, (first_word >> np.uint64(12)).astype(np.float64) / 2.0**52)


def rank_images(
    taxa: Text, specimens: Text, images: Text, *, seed: int, spread: Text | None = None
) -> Integers:
    """Rank the images within each taxon, 1 first: by smallest draw (salt "cap"), one image of each specimen first.

    Second views of specimens follow when every specimen had its turn, then third views. An image without a specimen
    counts as a specimen of its own. A rank depends only on the images of its own taxon; images that stay keep their
    order when others come and go. With `spread` (an institution, a region, a year; null is a value too) the values of a
    taxon take turns, one image each, within the first views, then within the second ones: even, but a newcomer in a
    value shifts the ranks of the others more. Raises Fault when an image stands twice.
    """
    if pc.count_distinct(images).as_py() < len(images):
        raise Fault("An image stands twice among those to rank; images must be unique before they are drawn.")
    place = draw_keys(images, salt="cap", seed=seed).place
    taxon, specimen = encode_keys(taxa), encode_keys(specimens)
    alone = specimen < 0
    specimen[alone] = -1 - np.flatnonzero(alone)
    view = _place_within((taxon, specimen), place)
    if spread is None:
        return _place_within((taxon,), view * len(place) + place) + 1
    turn = _place_within((taxon, view, encode_keys(spread)), place)
    order = np.lexsort((place, turn, view))
    by_turn = np.empty(len(order), dtype=np.int64)
    by_turn[order] = np.arange(len(order))
    return _place_within((taxon,), by_turn) + 1


def _place_within(group: tuple[Integers, ...], order_by: Integers) -> Integers:
    """Return each row's place within its group, 0 first, in the order of `order_by`."""
    order = np.lexsort((order_by, *group))
    counted = np.arange(len(order))
    starts = first_of_runs(*(column[order] for column in group))
    within = np.empty(len(order), dtype=np.int64)
    within[order] = counted - np.maximum.accumulate(np.where(starts, counted, 0))
    return within
