"""How many species no set of servers can beat: branch and bound over the hosts, with knapsack-cover rows."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from naflora_etl.selecting.coverage import Coverage
from naflora_etl.selecting.cuts import CoverRows, Floats
from naflora_etl.selecting.keys import Integers
from naflora_etl.selecting.relaxation import Ceiling, Relaxation, whole_number

Hosts = frozenset[int]
FRACTION = 1e-6
ROOT_ROUNDS, NODE_ROUNDS = 120, 7
TRIED = 6
"""Hosts that a node tries to branch on, by the programs of both sides."""
TRUSTED = 4
"""Trials after which a host's mean stands for further ones."""


@dataclass
class Limits:
    """How much may be spent on proofs."""

    nodes: int = 10**9
    """Nodes of a tree; a limit that gives the same answer everywhere."""
    until: float = float("inf")
    """Reading of time.monotonic() at which all ends with what is proven by then."""

    @property
    def is_over(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() > self.until


@dataclass
class _Gains:
    """What branching on each host took off the bound so far, per unit of x, down (0) and up (1)."""

    total: Floats
    count: Integers

    def note(self, host: int, side: int, gain: float) -> None:
        self.total[side, host] += gain
        self.count[side, host] += 1

    def mean(self) -> Floats:
        usual = self.total.sum() / max(1, self.count.sum()) if self.count.sum() else 1.0
        return (self.total + usual) / (self.count + 1)


@dataclass(order=True)
class _Node:
    order: tuple[float, int]
    low: Floats = field(compare=False)
    high: Floats = field(compare=False)


class Prover:
    """Bounds the species covered, for every number of hosts; what is learnt for one number serves the others.

    The rows hold for any number of hosts. Each sum of them (Ceiling) bounds all numbers at once, since a linear
    function is greatest on its largest coefficients. Nothing here trusts the solver's own objective: a bound is a sum
    of rows with weights of our choice, and the whole number below it is the bound.
    """

    def __init__(self, coverage: Coverage, fixed: Hosts, improve: Callable[[Hosts], Hosts]) -> None:
        self.coverage, self.improve = coverage, improve
        self.rows = CoverRows(coverage)
        self.hosts = len(coverage.hosts)
        self.program = Relaxation(self.rows.sizes, self.hosts)
        self.low, self.high = np.zeros(self.hosts), np.ones(self.hosts)
        self.low[sorted(fixed)] = 1
        self.bounds = np.full(self.hosts + 1, self.rows.species, dtype=np.int64)
        """For each number of hosts, from 0: the species that no set of them beats."""
        self.gains = _Gains(np.zeros((2, self.hosts)), np.zeros((2, self.hosts), dtype=np.int64))
        self.nodes = 0

    def bound_root(self, size: int, best: Hosts, limits: Limits, rounds: int = ROOT_ROUNDS) -> Hosts:
        """Bound `size` (and in passing all others) by the program alone; return `best` or a better set met there.

        Rows are made halfway between the program's answer and the best set: from the answer alone, which leaps about,
        it takes several times as many rounds.
        """
        self.program.allow(size)
        centre = _as_point(best, self.hosts)
        species, stalled = self.coverage.species_of(self.coverage.total_of(best)), 0
        for turn in range(rounds):
            x, ceiling = self.program.solve(self.low, self.high)
            self.program.thin()
            before = self.bounds[size]
            self._note(ceiling)
            if self.bounds[size] <= species or limits.is_over:
                break
            stalled = 0 if self.bounds[size] < before else stalled + 1
            point = x if stalled % 2 else (x + centre) / 2
            slope, constant, _ = self.rows.rows_at(point)
            added = self.program.add_broken(x, slope, constant, 1e-3)
            if (not added and point is x) or stalled > 8:
                break
            if turn % 8 == 7:
                best, species = self._rounded(x, size, best, species)
        return self._rounded(x, size, best, species)[0]

    def _note(self, ceiling: Ceiling) -> None:
        """Lower the bounds of all numbers of hosts to what a ceiling gives."""
        inside = self.low > 0.5
        free = np.sort(np.maximum(ceiling.slope[~inside], 0))[::-1]
        most = ceiling.constant + ceiling.slope[inside].sum() + np.append(0.0, np.cumsum(free))
        first = int(inside.sum())
        self.bounds[first:] = np.minimum(self.bounds[first:], whole_number(most))

    def _rounded(self, x: Floats, size: int, best: Hosts, species: int) -> tuple[Hosts, int]:
        """Return the hosts with the greatest x, made better by swaps, when they cover more than the best set."""
        chosen = frozenset(np.argsort(-(x + self.low), kind="stable")[:size].tolist())
        if self.coverage.species_of(self.coverage.total_of(chosen)) > species - max(2, species // 500):
            chosen = self.improve(chosen)
        found = self.coverage.species_of(self.coverage.total_of(chosen))
        return (chosen, found) if found > species else (best, species)

    def prove(self, size: int, best: Hosts, limits: Limits) -> Hosts:
        """Lower the bound of `size` by branching until it meets the best set or the effort ends; return that set."""
        species = self.coverage.species_of(self.coverage.total_of(best))
        if self.bounds[size] <= species:
            return best
        self.program.allow(size)
        count, ends = 0, self.nodes + limits.nodes
        heap = [_Node((-float(self.bounds[size]), 0), self.low, self.high)]
        while heap and -heap[0].order[0] > species and self.nodes < ends and not limits.is_over:
            node = heapq.heappop(heap)
            self.nodes += 1
            above = -node.order[0]
            bound, x, ceiling = self._tighten(node, size, species, limits)
            best, species = self._rounded(x, size, best, species)
            bound = min(bound, above)
            if bound <= species:
                continue
            low, high = ceiling.fix(size, node.low, node.high, species)
            for side_bound, side_low, side_high in self._branch(x, low, high, size, bound):
                if min(bound, side_bound) > species:
                    count += 1
                    heapq.heappush(heap, _Node((-min(bound, side_bound), count), side_low, side_high))
            self.bounds[size] = min(self.bounds[size], max(species, -heap[0].order[0] if heap else species))
        open_bound = int(-heap[0].order[0]) if heap else species
        self.bounds[size] = min(self.bounds[size], max(species, open_bound))
        return best

    def _tighten(self, node: _Node, size: int, species: int, limits: Limits) -> tuple[float, Floats, Ceiling]:
        """Return a node's bound, the point of its program and the ceiling that gave the bound."""
        least, turn = float("inf"), 0
        while True:
            x, ceiling = self.program.solve(node.low, node.high)
            self.program.thin()
            bound = float(whole_number(ceiling.most(size, node.low, node.high)))
            if bound < least:
                least, tightest = bound, ceiling
            if least <= species or turn >= NODE_ROUNDS or limits.is_over:
                return least, x, tightest
            if self.program.bring_back(x):
                continue
            turn += 1
            slope, constant, value = self.rows.rows_at(x)
            if value + 0.5 > bound or not self.program.add_broken(x, slope, constant, 1e-3):
                return least, x, tightest

    def _branch(
        self, x: Floats, low: Floats, high: Floats, size: int, bound: float
    ) -> list[tuple[float, Floats, Floats]]:
        """Return the two sides of the host whose two programs promise most, each with its bound; none when all is set.

        """
        free = np.flatnonzero((low < 0.5) & (high > 0.5))
        if not len(free) or low.sum() >= size:
            # one set is left: everything allowed, or nothing but what is in
            return [] if not len(free) else [(bound, low, low)] if high.sum() > low.sum() else []
        split = free[(x[free] > FRACTION) & (x[free] < 1 - FRACTION)]
        split = split if len(split) else free
        down, up = self.gains.mean()[:, split]
        worth = np.maximum(down * x[split], 1e-3) * np.maximum(up * (1 - x[split]), 1e-3)
        best: tuple[float, list[tuple[float, Floats, Floats]]] = (-1.0, [])
        for host in split[np.argsort(-worth, kind="stable")[:TRIED]].tolist():
            sides, product = [], 1.0
            for side in (0, 1):
                new_low, new_high = low.copy(), high.copy()
                (new_high if side == 0 else new_low)[host] = side
                side_bound = bound
                if min(self.gains.count[:, host]) < TRUSTED:
                    _, ceiling = self.program.solve(new_low, new_high)
                    side_bound = float(whole_number(ceiling.most(size, new_low, new_high)))
                    moved = x[host] if side == 0 else 1 - x[host]
                    self.gains.note(host, side, max(0.0, bound - side_bound) / max(moved, 0.05))
                    product *= max(bound - side_bound, 0.1)
                else:
                    product *= max(self.gains.mean()[side, host] * (x[host] if side == 0 else 1 - x[host]), 0.1)
                sides.append((side_bound, new_low, new_high))
            best = max(best, (product, sides), key=lambda tried: tried[0])
        return best[1]


def _as_point(hosts: Hosts, count: int) -> Floats:
    point = np.zeros(count)
    point[sorted(hosts)] = 1
    return point
