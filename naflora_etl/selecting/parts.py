"""Train or test: whole groups, a quota per class, by a draw that is not the cap's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.draw import Draw
from naflora_etl.selecting.keys import Integers, first_of_runs


@dataclass(frozen=True)
class Parts:
    """The verdict on each image; both arrays follow the order of the rows."""

    is_test: NDArray[np.bool_]
    is_feasible: NDArray[np.bool_]
    """False for all images of a class that its groups cannot split as the recipe wants."""


@dataclass(frozen=True)
class Groups:
    """The groups of images, in the order of their draw; a group's draw is the smallest of its members."""

    number: Integers
    """The group of each image, as a place in the arrays below."""
    share: NDArray[np.float64]
    size: Integers
    taxon: Integers
    """The class of the group, -1 when it holds several."""


def assign_parts(
    taxa: Integers, groups: Integers, draw: Draw, *, options: SplitOptions, settled: Integers | None = None
) -> Parts:
    """Assign each image to train or test, never two images of a group to different parts.

    `taxa` and `groups` number the class and the group of each image. A group of several classes is decided first and
    for itself: test when its draw lies below `test_share`. Each class then takes groups of its own into the test part,
    in the order of their draw, as far as they fit into its quota, max(min_test, round(test_share * images)). Where that
    leaves too few, the groups are taken that come nearest to the quota. A class that has no min_test or no min_train
    images then cannot be split; its images are marked, and nothing else changes for their sake. With `infeasible =
    "train"` such a class keeps for training whatever is not bound to test images of others, if that is enough.

    `settled` says where an earlier release has put an image: 0 train, 1 test, -1 nowhere. Those stay, and count.
    """
    fixed = settled if settled is not None else np.full(len(taxa), -1)
    own = order_groups(taxa, groups * 3 + fixed + 1, draw)
    settled_of = np.full(len(own.taxon), -1)
    settled_of[own.number] = fixed
    free = settled_of < 0
    is_test = np.where(free, (own.share < options.test_share) & (own.taxon < 0), settled_of == 1)
    images = np.bincount(taxa)
    tested = np.bincount(taxa[is_test[own.number]], minlength=len(images))
    most = images - options.min_train
    quota = np.rint(options.test_share * images).astype(np.int64)
    quota = np.minimum(np.maximum(quota, options.min_test), most)

    candidates = np.flatnonzero((own.taxon >= 0) & free)
    candidates = candidates[np.argsort(own.taxon[candidates], kind="stable")]
    starts = np.flatnonzero(first_of_runs(own.taxon[candidates]))
    for members in np.split(candidates, starts[1:]) if len(candidates) else []:
        taxon, sizes = own.taxon[members[0]], own.size[members].tolist()
        room = int(quota[taxon] - tested[taxon])
        chosen = _first_fit(sizes, room)
        if tested[taxon] + sum(sizes[i] for i in chosen) < options.min_test:
            bounds = (options.min_test - int(tested[taxon]), int(most[taxon] - tested[taxon]))
            chosen = _nearest_sum(sizes, room, bounds) or chosen
        is_test[members[chosen]] = True

    tested = np.bincount(taxa[is_test[own.number]], minlength=len(images))
    feasible = (tested >= options.min_test) & (tested <= most)
    is_feasible = feasible[taxa]
    if options.infeasible == "train":
        is_test[candidates[~feasible[own.taxon[candidates]]]] = False
        trained = ~is_feasible & ~is_test[own.number]
        enough = np.bincount(taxa[trained], minlength=len(images)) >= max(options.minimum, options.min_train)
        is_feasible |= trained & enough[taxa]
    return Parts(is_test[own.number], is_feasible)


def deal_folds(taxa: Integers, groups: Integers, draw: Draw, folds: int) -> Integers:
    """Return the fold of each image, 0 to folds - 1, never two images of a group in different folds.

    Each class deals its groups in the order of their draw, so that its folds differ by one group at most; a group of
    several classes goes where its own draw says.
    """
    own = order_groups(taxa, groups, draw)
    by_taxon = np.argsort(own.taxon, kind="stable")
    counted = np.arange(len(by_taxon))
    starts = first_of_runs(own.taxon[by_taxon])
    place = np.empty_like(by_taxon)
    place[by_taxon] = counted - np.maximum.accumulate(np.where(starts, counted, 0))
    fold = np.where(own.taxon < 0, (own.share * folds).astype(np.int64), place % folds)
    return np.asarray(fold[own.number], np.int64)


def order_groups(taxa: Integers, groups: Integers, draw: Draw) -> Groups:
    """Number the groups by their smallest draw, so that the order of the rows has no say."""
    _, number = np.unique(groups, return_inverse=True)
    by_draw = np.argsort(draw.place, kind="stable")
    _, first = np.unique(number[by_draw], return_index=True)
    smallest = by_draw[first]
    order = np.argsort(draw.place[smallest], kind="stable")
    renumbered = np.empty_like(order)
    renumbered[order] = np.arange(len(order))
    number = renumbered[number]
    taxon = taxa[smallest[order]]
    mixed = np.zeros(len(order), dtype=bool)
    mixed[number[taxa != taxon[number]]] = True
    return Groups(number, draw.share[smallest[order]], np.bincount(number), np.where(mixed, -1, taxon))


def _first_fit(sizes: list[int], room: int) -> list[int]:
    """Return the places of the groups that are taken, one after another, while they fit."""
    chosen = []
    for place, size in enumerate(sizes):
        if size <= room:
            chosen.append(place)
            room -= size
        if not room:
            break
    return chosen


def _nearest_sum(sizes: list[int], wanted: int, bounds: tuple[int, int]) -> list[int]:
    """Return the places of groups whose sizes add up nearest to `wanted` within `bounds`; empty when none do.

    Of two sums as near, the smaller. Exact: bit s of reach[i] says whether groups from place i on can add up to s.
    """
    reach = [1]
    for size in reversed(sizes):
        reach.append(reach[-1] | reach[-1] << size)
    reach.reverse()
    sums = [s for s in range(max(bounds[0], 0), bounds[1] + 1) if reach[0] >> s & 1]
    if not sums:
        return []
    left, chosen = min(sums, key=lambda s: (abs(s - wanted), s)), []
    for place, size in enumerate(sizes):
        if size <= left and reach[place + 1] >> (left - size) & 1:
            chosen.append(place)
            left -= size
    return chosen
