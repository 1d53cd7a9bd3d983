"""The linear program over knapsack-cover rows, solved by HiGHS, and bounds from it that need no trust in the solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from highspy._core import _Highs as Solver  # highspy.Highs prints a banner on standard output when it is made

from naflora_etl.selecting.cuts import Floats
from naflora_etl.selecting.keys import Integers

NO_LIMIT = 1e30
ROWS_KEPT = 320
"""The program is thinned when it has more rows; those go that have not mattered for a while."""
IDLE_SOLVES = 12
ENOUGH = 0.3
"""A row that was put away comes back when it is broken by so many species."""


@dataclass(frozen=True)
class Ceiling:
    """Species covered <= constant + slope @ x for every set of hosts x: a sum of rows, so as right as they are."""

    constant: float
    slope: Floats

    def most(self, size: int, low: Floats, high: Floats) -> float:
        """Return the greatest value over the sets of at most `size` hosts between `low` and `high` (0 and 1)."""
        inside = low > 0.5
        free = np.sort(np.maximum(self.slope[(high > 0.5) & ~inside], 0))[::-1]
        return float(self.constant + self.slope[inside].sum() + free[: max(0, size - int(inside.sum()))].sum())

    def fix(self, size: int, low: Floats, high: Floats, beyond: int) -> tuple[Floats, Floats]:
        """Return narrower `low` and `high` that keep every set with more than `beyond` species."""
        inside = low > 0.5
        free = np.flatnonzero((high > 0.5) & ~inside)
        room = size - int(inside.sum())
        low, high = low.copy(), high.copy()
        if room <= 0:
            high[free] = 0
            return low, high
        if len(free) <= room:
            return low, high
        worth = np.maximum(self.slope[free], 0)
        order = np.argsort(-worth, kind="stable")
        top, rest, most = order[:room], order[room:], self.most(size, inside.astype(float), high)
        last, next_one = worth[top[-1]], worth[rest[0]]
        high[free[rest[whole_number(most - last + self.slope[free[rest]]) <= beyond]]] = 0
        low[free[top[whole_number(most - worth[top] + next_one) <= beyond]]] = 1
        return low, high


def whole_number(bound: Floats | float) -> Integers:
    """Return the whole number that a bound in floating point proves: its sums err by far less than a millionth."""
    return np.asarray(np.floor(np.asarray(bound) + 1e-6), dtype=np.int64)


class Relaxation:
    """A program in HiGHS: hosts between 0 and 1, at most `size` of them, and a row of species for each group.

    What HiGHS answers guides the search for bounds. The bounds themselves are sums made here from its multipliers:
    any multipliers that are not negative and sum to one in each group give a right Ceiling.
    """

    def __init__(self, sizes: Floats, hosts: int) -> None:
        self.sizes, self.hosts, self.groups = sizes, hosts, len(sizes)
        self.solver = Solver()
        for option, value in (("output_flag", False), ("threads", 1), ("random_seed", 1)):
            self.solver.setOptionValue(option, value)
        none, nowhere = np.zeros(0), np.zeros(0, np.int32)
        self.solver.addCols(hosts, np.zeros(hosts), np.zeros(hosts), np.ones(hosts), 0, nowhere, nowhere, none)
        self.solver.addCols(self.groups, -np.ones(self.groups), np.zeros(self.groups), sizes, 0, nowhere, nowhere, none)
        everywhere = np.arange(hosts, dtype=np.int32)
        zero = np.zeros(1, np.int32)
        self.solver.addRows(1, np.array([-NO_LIMIT]), np.array([1.0]), hosts, zero, everywhere, np.ones(hosts))
        self.slope, self.constant = np.zeros((0, hosts)), none
        self.group, self.idle = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.away_slope, self.away_constant, self.away_group = self.slope, self.constant, self.group
        self.species = sizes
        """Species that the last solution claims for each group."""

    def allow(self, size: int) -> None:
        """Allow at most `size` hosts."""
        self.solver.changeRowBounds(0, -NO_LIMIT, float(size))

    def solve(self, low: Floats, high: Floats) -> tuple[Floats, Ceiling]:
        """Return the best x between `low` and `high`, and the ceiling that its multipliers give."""
        self.solver.changeColsBounds(self.hosts, np.arange(self.hosts, dtype=np.int32), low, high)
        self.solver.run()
        solution = self.solver.getSolution()
        values, multipliers = np.array(solution.col_value), np.maximum(0, -np.array(solution.row_dual)[1:])
        self.species = values[self.hosts :]
        self.idle = np.where(multipliers > 1e-7, 0, self.idle + 1)
        sums = np.bincount(self.group, multipliers, minlength=self.groups)
        multipliers /= np.maximum(sums, 1)[self.group]
        spare = 1 - np.minimum(sums, 1)
        ceiling = Ceiling(float(multipliers @ self.constant + spare @ self.sizes), multipliers @ self.slope)
        return np.clip(values[: self.hosts], 0, 1), ceiling

    def add(self, slope: Floats, constant: Floats, group: Integers) -> None:
        """Add rows: species of group <= constant + slope @ x."""
        columns: list[Integers] = []
        values: list[Floats] = []
        starts, at = [], 0
        for row, of in zip(slope, group.tolist(), strict=True):
            some = np.flatnonzero(row > 1e-12)
            starts.append(at)
            at += len(some) + 1
            columns.append(np.append(some, self.hosts + of))
            values.append(np.append(-row[some], 1.0))
        count = len(constant)
        self.solver.addRows(
            count, np.full(count, -NO_LIMIT), constant, at, np.array(starts, np.int32),
            np.concatenate(columns).astype(np.int32), np.concatenate(values),
        )  # fmt: skip
        self.slope, self.constant = np.vstack([self.slope, slope]), np.append(self.constant, constant)
        self.group, self.idle = np.append(self.group, group), np.append(self.idle, np.zeros(count, np.int64))

    def add_broken(self, x: Floats, slope: Floats, constant: Floats, least: float) -> int:
        """Add those of the rows, one a group, that the last solution breaks at `x` by more than `least`."""
        broken = np.flatnonzero(self.species - (constant + slope @ x) > least)
        if len(broken):
            self.add(slope[broken], constant[broken], broken)
        return len(broken)

    def bring_back(self, x: Floats) -> int:
        """Bring back, for each group, the row that was put away and is broken most; return how many."""
        if not len(self.away_group):
            return 0
        breach = self.species[self.away_group] - (self.away_constant + self.away_slope @ x)
        order = np.lexsort((-breach, self.away_group))
        first = order[np.append(True, np.diff(self.away_group[order]) > 0)]
        back = first[breach[first] > ENOUGH]
        if len(back):
            self.add(self.away_slope[back], self.away_constant[back], self.away_group[back])
            self._keep_away(np.delete(np.arange(len(breach)), back))
        return len(back)

    def thin(self) -> None:
        """Put away the rows that have not mattered for a while, when there are many."""
        idle = np.flatnonzero(self.idle > IDLE_SOLVES)
        if len(self.group) <= ROWS_KEPT or len(idle) < len(self.group) // 8:
            return
        self.away_slope = np.vstack([self.away_slope, self.slope[idle]])
        self.away_constant = np.append(self.away_constant, self.constant[idle])
        self.away_group = np.append(self.away_group, self.group[idle])
        if len(self.away_group) > MOST_AWAY:
            self._keep_away(np.arange(len(self.away_group) - MOST_AWAY, len(self.away_group)))
        self.solver.deleteRows(len(idle), (idle + 1).astype(np.int32))
        kept = np.delete(np.arange(len(self.group)), idle)
        self.slope, self.constant = self.slope[kept], self.constant[kept]
        self.group, self.idle = self.group[kept], self.idle[kept]

    def _keep_away(self, which: Integers) -> None:
        self.away_slope, self.away_constant = self.away_slope[which], self.away_constant[which]
        self.away_group = self.away_group[which]


MOST_AWAY = 20_000
