"""Every set of a few servers, weighed: the best set of each size, ties and all, with nothing left to prove."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from naflora_etl.selecting.coverage import BLOCK_CELLS, Coverage
from naflora_etl.selecting.inner_sets import Bools, InnerSets, weigh_inner_sets
from naflora_etl.selecting.keys import Integers
from naflora_etl.selecting.search import swap_one

Hosts = frozenset[int]
AT_MOST = 8e12
"""Sets x species that are weighed; 1e12 take about ten seconds on two cores."""
MOST_HOSTS = 30
MOST_STEPS = 2e7
"""Species x threshold up to which the tables stay small."""
INNER, AT_ONCE = 15, 7
"""Hosts whose sets are weighed all at once, and hosts of the others whose sets share a pass."""
TIE_CELLS = 20_000_000
"""Sets x species up to which ties are settled one by one: 8,000 sets of 2,500 species; of more the first, and swaps."""
MOST_THREADS = 4
FEW = 8
"""Passes after which it can be told how long the others will take."""


def cells_of(coverage: Coverage) -> float:
    """Return sets x species: the work of weighing every set; infinite where it is out of reach."""
    count, species = len(coverage.hosts), max(1, coverage.reachable_species)
    return species * 2.0**count if count <= MOST_HOSTS and species * coverage.threshold <= MOST_STEPS else float("inf")


@dataclass
class _Best:
    """The most species that a set of each size covers, and the sets that do, as bits; of very many ties the first."""

    species: Integers
    most_ties: int
    sets: dict[int, list[Integers]] = field(default_factory=dict)
    ties: dict[int, int] = field(default_factory=dict)

    def take(self, size: int, species: int, sets: Integers) -> None:
        if species > self.species[size]:
            self.species[size], self.sets[size], self.ties[size] = species, [], 0
        # sets that cover nothing are no better or worse than any other: the first names will do
        if species == 0:
            self.sets[size] = [sets[:0]]
        else:
            self.sets[size].append(sets)
            self.ties[size] += len(sets)

    def is_open(self, size: int, species: int) -> bool:
        """Return whether a set with so many species is of use."""
        return species > self.species[size] or (species == self.species[size] and not self.is_full(size))

    def is_full(self, size: int) -> bool:
        """Return whether there are more ties than are settled one by one."""
        return self.ties.get(size, 0) >= self.most_ties


@dataclass(frozen=True)
class _Weighed:
    """What sets cover: the inner sets, by size, with each of some other sets (columns)."""

    covered: Integers
    starts: Integers
    """Where the inner sets of each size start."""
    inner_bits: Integers
    bits: Integers
    size: Integers

    def tell(self, best: _Best, wanted: Bools) -> None:
        """Let `best` take the sets that are as good as the best of their size, or better."""
        for within, (start, end) in enumerate(pairwise([*self.starts.tolist(), len(self.covered)])):
            part, sizes = self.covered[start:end], self.size + within
            most = part.max(axis=0)
            for column in np.flatnonzero(wanted[sizes] & (most >= best.species[sizes])).tolist():
                if best.is_open(int(sizes[column]), int(most[column])):
                    found = self.inner_bits[start:end][part[:, column] == most[column]]
                    best.take(int(sizes[column]), int(most[column]), found | self.bits[column])


class _Sets:
    """The free hosts in three parts: the inner ones, those whose sets share a pass, and the outer ones."""

    def __init__(self, coverage: Coverage, fixed: Hosts) -> None:
        self.needed = np.maximum(coverage.threshold - coverage.total_of(fixed), 0)
        free = np.array(sorted(set(range(len(coverage.hosts))) - fixed), dtype=np.int64)
        images = np.minimum(coverage.images, coverage.threshold).astype(np.int64)
        # few terms are needed where few of the inner hosts have a species
        free = free[np.argsort(np.count_nonzero(images[:, free], axis=0), kind="stable")]
        inner = min(INNER, (len(free) + 1) // 2)
        self.inner, rest = free[:inner], free[inner:]
        self.shared, self.outer = rest[:AT_ONCE], rest[AT_ONCE:]
        patterns, pattern = np.unique(images[:, self.inner], axis=0, return_inverse=True)
        self.table: InnerSets = weigh_inner_sets(patterns, coverage.threshold)
        self.first_step = pattern.reshape(-1) * self.table.step_of.shape[1]
        self.images, self.fixed = images, fixed
        self.shared_totals, self.shared_bits = self._totals(self.shared)
        sizes = np.bitwise_count(np.arange(1 << inner)).astype(np.int64)
        self.by_size = np.argsort(sizes, kind="stable")
        self.starts = np.searchsorted(sizes[self.by_size], np.arange(inner + 1))
        self.inner_bits = self._totals(self.inner)[1][self.by_size]

    def _totals(self, hosts: Integers) -> tuple[Integers, Integers]:
        """Return for every set of some hosts the images (species x sets), and the set as bits."""
        total, bits = np.zeros((len(self.images), 1), dtype=np.int64), np.zeros(1, dtype=np.int64)
        for host in hosts.tolist():
            bits = np.concatenate([bits, bits | (1 << host)])
            if hosts is not self.inner:
                total = np.concatenate([total, total + self.images[:, [host]]], axis=1)
        return total, bits

    def outer_sets(self) -> Iterator[Hosts]:
        """Yield the sets of the outer hosts, the largest first."""
        sets = range(1 << len(self.outer))
        for bits in sorted(sets, key=lambda bits: -bits.bit_count()):
            yield frozenset(host for place, host in enumerate(self.outer.tolist()) if bits >> place & 1)

    def weigh(self, outer: Hosts, wanted: Bools) -> _Weighed:
        """Return what the inner sets cover with `outer`, and with each shared set that can come to a wanted size."""
        size = len(self.fixed) + len(outer) + np.bitwise_count(self.shared_bits).astype(np.int64)
        columns = np.flatnonzero([wanted[low : low + len(self.starts)].any() for low in size.tolist()])
        bits = self.shared_bits[columns] | sum(1 << host for host in self.fixed | outer)
        lacking = self.needed - self.images[:, sorted(outer)].sum(axis=1)
        need = np.maximum(lacking[:, None] - self.shared_totals[:, columns], 0)
        step = self.table.step_of.reshape(-1)[self.first_step[:, None] + need].astype(np.int64)
        width = len(columns)
        at = (step * width + np.arange(width)).reshape(-1)
        species = np.bincount(at, minlength=self.table.steps * width).reshape(-1, width)
        covered = self.table.covered(species).take(self.by_size, axis=0)
        return _Weighed(covered, self.starts, self.inner_bits, bits, size[columns])


def best_of_all(
    coverage: Coverage, fixed: Hosts, sizes: Collection[int], until: float = float("inf")
) -> dict[int, Hosts]:
    """Return the best set of each of `sizes` that holds `fixed`, by Coverage.score_of, from all sets there are.

    The free hosts fall into two halves. For each set of the one, the species that every set of the other covers with
    it are counted at once (InnerSets). Nothing comes back when the time is up, or clearly will be: half of the sets
    prove nothing.
    """
    parts = _Sets(coverage, fixed)
    wanted = np.isin(np.arange(len(coverage.hosts) + 1), list(sizes))
    best = _Best(np.full(len(coverage.hosts) + 1, -1), max(1000, TIE_CELLS // max(1, coverage.reachable_species)))
    start = time.monotonic()
    for done, weighed in enumerate(_side_by_side(lambda outer: parts.weigh(outer, wanted), parts.outer_sets())):
        spent = time.monotonic() - start
        if start + spent > until or (done > FEW and start + spent / done * (1 << len(parts.outer)) > until + spent):
            return {}
        weighed.tell(best, wanted)
    found = {
        size: _best(coverage, np.concatenate(sets), fixed, size) for size, sets in sorted(best.sets.items()) if size
    }
    return {size: swap_one(coverage, hosts, fixed) if best.is_full(size) else hosts for size, hosts in found.items()}


def _side_by_side(weigh: Callable[[Hosts], _Weighed], outer_sets: Iterable[Hosts]) -> Iterator[_Weighed]:
    """Yield what `weigh` makes of each set, in order, a few at a time: numpy lets threads work side by side."""
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[_Weighed]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for outer in outer_sets:
                waiting.append(pool.submit(weigh, outer))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


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
    return _hosts(bits[np.argmax(bits @ (1 << np.arange(bits.shape[1])[::-1]))])


def _hosts(bits: Integers) -> Hosts:
    return frozenset(np.flatnonzero(bits).tolist())
