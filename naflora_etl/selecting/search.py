"""The search for the best set of servers of each size: greedy steps up and down, swaps, and moves of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np

from naflora_etl.selecting.coverage import Coverage

# Pairs of servers that the last search takes out, those first whose loss is least; 15 servers have 105 pairs.
PAIRS_TAKEN_OUT = 105
PAIRS_WHEN_LARGE = 12
SMALL = 10_000_000
"""Species x hosts x hosts up to which swaps of two hosts are tried at every size."""

Hosts = frozenset[int]


def search_sets(coverage: Coverage, size: int, fixed: Hosts = frozenset(), *, last: bool = True) -> Iterator[Hosts]:
    """Yield the best set of hosts found for each size, from `fixed` (or one host) up to `size`; `fixed` stay in all.

    Each size is reached from three sides: one host more than the set before; two more than the set before that, when
    they cover more; and from all hosts together by dropping one after another. Greedy steps alone never see that hosts
    which are useless one by one do much together. Single swaps follow until none is better, and swaps of two hosts: at
    every size where that is cheap, else at the last one, if `last`. The sets need not lie within one another, and
    nothing proves them best.
    """
    before, chosen = None, fixed
    from_above = _drop_one_by_one(coverage, fixed)
    is_small = coverage.images.size * len(coverage.hosts) <= SMALL
    if chosen:
        yield chosen
    while len(chosen) < size:
        reached = add_one(coverage, chosen)
        if before is not None:
            reached = _add_pair(coverage, before, least=coverage.species_of(coverage.total_of(reached)) + 1) or reached
        starts = {reached, from_above[len(reached)]}
        before, chosen = chosen, max((swap_one(coverage, s, fixed) for s in starts), key=coverage.score_of)
        if is_small or (last and len(chosen) == size):
            chosen = swap_pairs(coverage, chosen, fixed)
        yield chosen


def _drop_one_by_one(coverage: Coverage, fixed: Hosts) -> dict[int, Hosts]:
    """Return sets of every size from all hosts down to `fixed`, each without the host that is missed least."""
    kept = frozenset(range(len(coverage.hosts)))
    sets = {len(kept): kept}
    while len(kept) > max(len(fixed), 1):
        kept = drop_one(coverage, kept, fixed)
        sets[len(kept)] = kept
    return sets


def drop_one(coverage: Coverage, kept: Hosts, fixed: Hosts) -> Hosts:
    """Take out the host, none of `fixed`, that is missed least."""
    species = coverage.species_without_each(coverage.total_of(kept))
    species[sorted(fixed | (frozenset(range(len(species))) - kept))] = -1
    return _best_guided(coverage, (kept - {int(host)} for host in np.flatnonzero(species == species.max())))


def add_one(coverage: Coverage, chosen: Hosts) -> Hosts:
    """Add the host that covers most; of equals the one with more potential, more images, then the first by name."""
    total = coverage.total_of(chosen)
    species = coverage.species_with_each(total)
    species[sorted(chosen)] = -1
    return _best_guided(coverage, (chosen | {int(host)} for host in np.flatnonzero(species == species.max())))


def _add_pair(coverage: Coverage, chosen: Hosts, *, least: int) -> Hosts | None:
    """Add the two hosts that cover most together, `least` species or more; None when no pair does."""
    species = coverage.species_with_each_pair(coverage.total_of(chosen))
    taken = sorted(chosen)
    species[taken], species[:, taken] = -1, -1
    species[np.tril_indices(len(species))] = -1
    if species.max() < least:
        return None
    pairs = np.argwhere(species == species.max()).tolist()
    return _best_guided(coverage, (chosen | frozenset(pair) for pair in pairs))


def _best_guided(coverage: Coverage, sets: Iterable[Hosts]) -> Hosts:
    """Return the best of sets that cover equally many species; potential comes first, as it pays at the next size."""

    def worth(hosts: Hosts) -> tuple[int, int, tuple[int, ...]]:
        _, images, _, names = coverage.score_of(hosts)
        return coverage.potential_of(coverage.total_of(hosts)), images, names

    return max(sets, key=worth)


def swap_one(coverage: Coverage, chosen: Hosts, fixed: Hosts) -> Hosts:
    """Swap one host for another, the best swap first, until no swap gives a better set."""
    while True:
        total, score = coverage.total_of(chosen), coverage.score_of(chosen)
        species = np.full((len(coverage.hosts), len(coverage.hosts)), -1, dtype=np.int64)
        for host in sorted(chosen - fixed):
            species[host] = coverage.species_with_each(total - coverage.images[:, host])
        species[:, sorted(chosen)] = -1
        if species.max() < score[0]:
            return chosen
        swaps = np.argwhere(species == species.max()).tolist()
        better = max((chosen - {out} | {into} for out, into in swaps), key=coverage.score_of)
        if coverage.score_of(better) <= score:
            return chosen
        chosen = better


def swap_pairs(coverage: Coverage, chosen: Hosts, fixed: Hosts) -> Hosts:
    """Swap two hosts for two others as long as that covers more species, with single swaps after each."""
    while True:
        score = coverage.score_of(chosen)
        pairs = [chosen - {a, b} for a, b in combinations(sorted(chosen - fixed), 2)]
        pairs.sort(key=coverage.score_of, reverse=True)
        taken = PAIRS_TAKEN_OUT if coverage.images.size * len(coverage.hosts) <= SMALL else PAIRS_WHEN_LARGE
        for kept in pairs[:taken]:
            better = _add_pair(coverage, kept, least=score[0] + 1)
            if better is not None:
                break
        else:
            return chosen
        chosen = swap_one(coverage, better, fixed)
