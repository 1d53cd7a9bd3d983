"""Knapsack-cover rows: linear functions of the hosts that no set of hosts can beat in species covered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naflora_etl.selecting.coverage import Coverage
from naflora_etl.selecting.keys import Integers

GROUPS = 24
"""Species are summed into so many groups, a row each: fewer make the programs small, more make them tight at once."""
TINY = 1e-9
FINEST = 256

Floats = NDArray[np.float64]


class CoverRows:
    """Makes rows for the covered species of groups of species.

    For one species that needs t images, of which host h has c_h, and for any set A of hosts with c(A) < t, each set of
    hosts, written as x in {0, 1}, has

        covered  <=  sum over h outside A of min(c_h, r) x_h / r,   where r = t - c(A)

    (Carr, Fleischer, Leung and Phillips 2000). Also right is any f(c_h) / f(r) for min(c_h, r) / r when f is
    subadditive and never falls; here the roundings f(c) = floor(c / d) m + min(c mod d, m), m = r mod d, which see that
    hosts of three images each reach ten only by four. Of all this the tightest at a point is taken for each species,
    over those A that hold the hosts with the greatest x, and the species of a group are added up. At a point of zeros
    and ones the row is exact.
    """

    def __init__(self, coverage: Coverage) -> None:
        reachable = coverage.images[coverage.total_of(range(len(coverage.hosts))) >= coverage.threshold]
        # above 256 images are counted by the dozen, in a species' favour: still a bound, though no longer exact
        unit = -(-coverage.threshold // FINEST)
        self.threshold = coverage.threshold // unit
        self.images = np.minimum(-(-reachable.astype(np.int64) // unit), self.threshold)
        self.species, self.hosts = self.images.shape
        self.group = np.arange(self.species) % GROUPS
        self.sizes = np.bincount(self.group, minlength=GROUPS).astype(np.float64)
        """Species of each group."""
        self.weights = _weigh(self.threshold)

    def rows_at(self, x: Floats) -> tuple[Floats, Floats, float]:
        """Return the tightest rows at `x`: species of group g <= constant[g] + slope[g] @ x; and their sum at `x`."""
        whole = x > 1 - TINY
        order = np.flatnonzero((x > TINY) & ~whole)
        order = order[np.argsort(-x[order], kind="stable")]
        before = np.full(self.hosts, len(order) + 1)
        """Place of each host in the order in which A takes them in; those with x = 1 are always in A."""
        before[order], before[whole] = np.arange(len(order)) + 1, 0
        lacking = self.threshold - self.images[:, whole].sum(axis=1)
        least, taken, need, kind = self._tightest(x, order, lacking)
        used = np.flatnonzero(taken >= 0)
        weights = self.weights[need[used, None], kind[used, None], self.images[used]]
        weights *= before[None, :] > taken[used, None]
        slope = np.zeros((GROUPS, self.hosts))
        for group in range(GROUPS):
            slope[group] = weights[self.group[used] == group].sum(axis=0)
        constant = np.bincount(self.group[taken < 0], minlength=GROUPS).astype(np.float64)
        return slope, constant, float(least.sum())

    def _tightest(self, x: Floats, order: Integers, lacking: Integers) -> tuple[Floats, Integers, Integers, Integers]:
        """Return for each species the least value at `x`, how many of `order` A holds (-1: no row), r, and which f."""
        least, taken = np.ones(self.species), np.full(self.species, -1)
        need, kind = np.zeros(self.species, dtype=np.int64), np.zeros(self.species, dtype=np.int64)
        rows = np.flatnonzero(lacking > 0)
        r, images = lacking[rows], np.ascontiguousarray(self.images[rows][:, order].T)
        last = len(order) - 1 - (images[::-1] > 0).argmax(axis=0) if len(order) else np.full(len(rows), -1)
        last[~images.any(axis=0)] = -1
        """The last place of a host that has any images of the species; none behind it tells anything more."""
        at, cells = np.arange(len(rows)), np.arange(len(rows)) * (self.threshold + 1)
        outside = np.zeros((len(rows), self.threshold + 1))
        """For each species the sum of x over the hosts outside A, by their number of images."""
        for place, host in enumerate(order):
            outside.reshape(-1)[cells + images[place]] += x[host]
        for place in range(len(order) + 1):
            value, which = self._least_weight(outside, r)
            better = value < least[rows] - TINY
            chosen = rows[better]
            least[chosen], taken[chosen], need[chosen], kind[chosen] = value[better], place, r[better], which[better]
            if place < len(order):
                here = images[place, at]
                outside.reshape(-1)[cells[: len(rows)] + here] -= x[order[place]]
                r = r - here
                stay = (r > 0) & (last >= place)
                if not stay.all():
                    rows, r, at, last, outside = rows[stay], r[stay], at[stay], last[stay], outside[stay]
        return np.maximum(least, 0), taken, need, kind

    def _least_weight(self, outside: Floats, r: Integers) -> tuple[Floats, Integers]:
        value, which = np.empty(len(r)), np.empty(len(r), dtype=np.int64)
        by_need = np.argsort(r.astype(np.int16), kind="stable")  # of 16 bits numpy sorts by counting
        ends = np.searchsorted(r[by_need], np.arange(1, self.threshold + 2))
        for need in range(1, self.threshold + 1):
            rows = by_need[ends[need - 1] : ends[need]]
            if len(rows):
                sums = outside[rows] @ self.weights[need].T
                best = sums.argmin(axis=1)
                value[rows], which[rows] = sums[np.arange(len(rows)), best], best
        return value, which


MOST_ROUNDINGS = 12


def _weigh(threshold: int) -> Floats:
    """Return [r, f, c]: the weight that the f-th function gives to c images when r are lacking; 0 for no images."""
    images = np.arange(threshold + 1)
    kinds: list[list[Floats]] = [[np.ones(threshold + 1)]]
    for r in range(1, threshold + 1):
        most = np.minimum(images, r)
        of = [most / r]
        steps = range(2, r) if r <= MOST_ROUNDINGS else sorted({-(-r // m) for m in range(2, MOST_ROUNDINGS)})
        for step in steps:
            if r % step:
                rounded = (most // step) * (r % step) + np.minimum(most % step, r % step)
                of.append(rounded / rounded[r])
        kinds.append([f for f in of if not any((g <= f).all() and (g < f).any() for g in of)])
    weights = np.ones((threshold + 1, max(map(len, kinds)), threshold + 1))
    for r, of in enumerate(kinds):
        weights[r, : len(of)] = of
        weights[r, len(of) :] = of[0]
    return weights
