"""Every set of a few servers, weighed: the best set of each size, ties and all, with nothing left to prove."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from naflora_etl.selecting.coverage import BLOCK_CELLS, Coverage
from naflora_etl.selecting.keys import Integers

Hosts = frozenset[int]
QUICK, AT_MOST = 2e10, 1e12
"""Sets x species that are weighed without further ado, and at most; 1e10 take about a second."""
MOST_HOSTS = 30
LOW = 15
"""Hosts whose sets are weighed all at once, fewer where species are many."""
LOW_CELLS = 6.4e7


def cells_of(coverage: Coverage) -> float:
    """Return sets x species: the work of weighing every set."""
    count = len(coverage.hosts)
    return float(max(1, coverage.reachable_species)) * 2.0**count if count <= MOST_HOSTS else float("inf")


@dataclass
class _Best:
    """The most species that a set of each size covers, and the sets that do, as bits."""

    species: Integers
    sets: dict[int, list[Integers]] = field(default_factory=dict)

    def take(self, size: int, species: int, sets: Integers) -> None:
        if species > self.species[size]:
            self.species[size], self.sets[size] = species, []
        # sets that cover nothing are no better or worse than any other: the first names will do
        if species == 0:
            self.sets[size] = [sets[:0]]
        elif species == self.species[size]:
            self.sets[size].append(sets)


def best_of_all(
    coverage: Coverage, fixed: Hosts, sizes: Collection[int], until: float = float("inf")
) -> dict[int, Hosts]:
    """Return the best set of each of `sizes` that holds `fixed`, by Coverage.score_of, from all sets there are.

    The sets of the first hosts are weighed all at once, species by species, for each set of the others; such a set is
    left out when even the first hosts' best, species by species, would not make it the best of its size. Nothing comes
    back when the time is up: half of the sets prove nothing.
    """
    count, threshold = len(coverage.hosts), coverage.threshold
    # hosts that cover much are in the outer sets, so that the poor ones among those are left out early
    order = sorted(range(count), key=lambda host: coverage.potential_of(coverage.by_host[host].astype(np.int64)))
    at_once = max(1, min(LOW, count, int(math.log2(LOW_CELLS / max(1, coverage.reachable_species)))))
    low_hosts, high_hosts = order[:at_once], order[at_once:]
    low, low_sets, starts = _low_totals(coverage, low_hosts)
    reach = np.stack([low[:, a:b].max(axis=1) for a, b in zip(starts, [*starts[1:], low.shape[1]], strict=True)])
    high, high_sets = _totals(coverage, high_hosts)
    by_size = np.argsort([-int(members).bit_count() for members in high_sets.tolist()], kind="stable")
    must, wanted = sum(1 << host for host in fixed), np.isin(np.arange(count + 1), list(sizes))
    best = _Best(np.full(count + 1, -1))
    allowed = {bits: (low_sets & bits) == bits for bits in {must & ~int(members) for members in high_sets.tolist()}}
    for place in by_size.tolist():
        members = int(high_sets[place])
        needed = np.clip(threshold - high[:, place].astype(np.int64), 0, threshold)
        within = members.bit_count() + np.arange(len(starts))
        promise = np.count_nonzero(reach >= needed, axis=1)
        worth = wanted[within] & (promise >= best.species[within])
        if not worth.any():
            continue
        if time.monotonic() > until:
            return {}
        species = _species(low, needed, reach[-1])
        species[~allowed[must & ~members]] = -2
        most = np.maximum.reduceat(species, starts)
        for part in np.flatnonzero(worth & (most >= best.species[within]) & (most >= 0)).tolist():
            end = starts[part + 1] if part + 1 < len(starts) else len(species)
            found = np.flatnonzero(species[starts[part] : end] == most[part]) + starts[part]
            best.take(int(within[part]), int(most[part]), low_sets[found] | members)
    return {
        size: _best(coverage, np.concatenate(sets), fixed, size) for size, sets in sorted(best.sets.items()) if size
    }


def _species(low: NDArray[np.uint8], needed: Integers, reach: NDArray[np.uint8]) -> Integers:
    """Return for each low set how many species have all they need."""
    covered = np.full(low.shape[1], np.count_nonzero(needed == 0), dtype=np.int64)
    count, met = np.zeros(low.shape[1], dtype=np.uint8), np.empty(low.shape[1], dtype=np.bool_)
    open_species = np.flatnonzero((needed > 0) & (needed <= reach))
    for turn, species in enumerate(open_species.tolist(), start=1):
        np.greater_equal(low[species], needed[species].astype(low.dtype), out=met)
        np.add(count, met.view(np.uint8), out=count)
        if turn % 255 == 0 or turn == len(open_species):
            covered += count
            count[:] = 0
    return covered


def _low_totals(coverage: Coverage, hosts: list[int]) -> tuple[NDArray[np.uint8], Integers, list[int]]:
    """Return species x sets, the smallest sets first: images up to the threshold; the sets; where each size starts."""
    total, sets = _totals(coverage, hosts)
    sizes = np.array([int(members).bit_count() for members in sets.tolist()])
    order = np.argsort(sizes, kind="stable")
    starts = np.searchsorted(sizes[order], np.arange(len(hosts) + 1)).tolist()
    return np.ascontiguousarray(total[:, order]), sets[order], starts


def _totals(coverage: Coverage, hosts: list[int]) -> tuple[NDArray[np.uint8], Integers]:
    """Return for every set of some hosts the images of each species, up to the threshold, and the set as bits."""
    kind = np.uint8 if coverage.threshold < 128 else np.int64
    total = np.zeros((coverage.reachable_species, 1), dtype=kind)
    sets = np.zeros(1, dtype=np.int64)
    for host in hosts:
        images = np.minimum(coverage.by_host[host], coverage.threshold).astype(kind)[:, None]
        total = np.concatenate([total, np.minimum(total + images, coverage.threshold).astype(kind)], axis=1)
        sets = np.concatenate([sets, sets | (1 << host)])
    return total, sets


def _best(coverage: Coverage, sets: Integers, fixed: Hosts, size: int) -> Hosts:
    """Return the best of sets that cover equally many species; there may be hundreds of thousands, or none named."""
    if not len(sets):
        others = [host for host in range(len(coverage.hosts)) if host not in fixed]
        return fixed | frozenset(others[: size - len(fixed)])
    bits = sets[:, None] >> np.arange(len(coverage.hosts)) & 1
    images = np.empty(len(bits), dtype=np.int64)
    rows = max(1, BLOCK_CELLS // max(1, coverage.reachable_species))
    for start in range(0, len(bits), rows):
        total = bits[start : start + rows].astype(np.float64) @ coverage.by_host
        capped = np.where(total >= coverage.threshold, np.minimum(total, coverage.cap), 0)
        images[start : start + rows] = capped.sum(axis=1)
    bits = bits[images == images.max()]
    if coverage.costs.any():
        return max((_hosts(row) for row in bits), key=coverage.score_of)
    # of two sets that one has the first names that holds the first host in which they differ
    return _hosts(bits[np.lexsort(-bits.T[::-1])[0]])


def _hosts(bits: Integers) -> Hosts:
    return frozenset(np.flatnonzero(bits).tolist())
