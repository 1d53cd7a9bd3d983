"""What all sets of a few hosts cover at once, whatever each species still needs: sums over subsets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from naflora_etl.selecting.keys import Integers

COVERED, BEYOND = 0, 1
"""The first two steps: a species that needs nothing more, and one that these hosts cannot cover."""
DENSE = 1500
"""Terms a step from which on its sets are kept one by one."""
TERMS_AT_ONCE, STEPS_AT_ONCE = 8192, 60
PRODUCT = 250_000
"""Multiplications up to which a matrix product stays on one thread: more threads would wait for each other."""

Small = NDArray[np.int16]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class InnerSets:
    """The hosts 0 .. n-1 in all their sets; set number i holds host h when bit h of i is 1.

    For a species whose images on these hosts are known (its pattern), "has `need` images or more on set S" is a sum of
    terms over the subsets of S: +1 for a set that just suffices, -1 where two such sets are both within S, and so on
    (Moebius inversion over subsets). There are few terms when few of the hosts have the species. The terms of all
    species are added up, and one pass a host turns them into the number of species that each set covers. The needs of a
    pattern fall into steps, as many as its sets have different sums.
    """

    count: int
    step_of: NDArray[np.int32]
    """Pattern x need, from 0 to the threshold: the step."""
    steps: int
    term_set: Integers
    term_step: Integers
    term_value: Small
    dense_steps: Integers
    dense: Bools
    """Dense steps x sets: whether the set suffices."""

    def covered(self, species: Integers) -> Integers:
        """Return sets x columns: the species covered, from steps x columns: the species at each step."""
        columns = species.shape[1]
        # sums may leave 16 bits on their way; as they come back, wrapping around does no harm
        kind = np.int16 if species.sum(axis=0).max(initial=0) < 2**15 else np.int32
        found = self._added_terms(species.astype(kind))
        for host in range(self.count):
            halves = found.reshape(-1, 2, (1 << host) * columns)
            halves[:, 1] += halves[:, 0]
        used = self.dense_steps[(species[self.dense_steps] != 0).any(axis=1)]
        for some in (used[at : at + STEPS_AT_ONCE] for at in range(0, len(used), STEPS_AT_ONCE)):
            weights = species[some].astype(np.float32)
            suffices = self.dense[np.searchsorted(self.dense_steps, some)].T.astype(np.float32)
            rows = max(1, PRODUCT // weights.size)
            for at in range(0, len(found), rows):
                found[at : at + rows] += (suffices[at : at + rows] @ weights).astype(kind)
        return found

    def _added_terms(self, species: Integers) -> Integers:
        """Return sets x columns: the sum of the terms of each set."""
        added = np.zeros((1 << self.count, species.shape[1]), dtype=species.dtype)
        used = np.flatnonzero((species != 0).any(axis=1)[self.term_step])
        sets, steps = self.term_set[used], self.term_step[used]
        values = self.term_value[used].astype(species.dtype)
        starts = np.flatnonzero(np.diff(sets, prepend=-1))
        lengths = np.diff(starts, append=len(used))
        # sets with equally many terms together: reduceat, which needs no such care, is fourteen times as slow
        for length in np.unique(lengths).tolist():
            alike = starts[lengths == length]
            rows = max(1, TERMS_AT_ONCE // length)
            for block in (alike[at : at + rows] for at in range(0, len(alike), rows)):
                places = (block[:, None] + np.arange(length)).reshape(-1)
                terms = species.take(steps[places], axis=0)
                terms *= values[places, None]
                added[sets[block]] = terms.reshape(len(block), length, -1).sum(axis=1, dtype=species.dtype)
        return added


def weigh_inner_sets(patterns: Integers, threshold: int) -> InnerSets:
    """Return the inner sets for patterns x hosts: images, each from 0 to the threshold."""
    count = patterns.shape[1]
    step_of = np.full((len(patterns), threshold + 1), BEYOND, dtype=np.int32)
    step_of[:, 0] = COVERED
    terms: list[tuple[Integers, Integers, Integers]] = [(np.zeros(1, int), np.zeros(1, int), np.ones(1, int))]
    dense_steps: list[int] = []
    dense, steps = [np.zeros((0, 1 << count), dtype=bool)], 2
    for place, pattern in enumerate(patterns):
        some = np.flatnonzero(pattern)
        sums, sets = _sums(pattern[some], threshold), _sums(1 << some)
        levels = np.unique(sums)[1:]
        for step, (low, high) in enumerate(pairwise([0, *levels.tolist()]), start=steps):
            step_of[place, low + 1 : high + 1] = step
        values = _differences(sums[:, None] >= levels)
        which, level = np.nonzero(values)
        if len(which) > DENSE * max(1, len(levels)):
            dense_steps.extend(range(steps, steps + len(levels)))
            dense.append(_sums(pattern, threshold) >= levels[:, None])
        else:
            terms.append((sets[which], level + steps, values[which, level]))
        steps += len(levels)
    term_set, term_step, term_value = (np.concatenate(part) for part in zip(*terms, strict=True))
    order = np.lexsort((term_step, term_set))
    return InnerSets(
        count, step_of, steps, term_set[order], term_step[order], term_value[order].astype(np.int16),
        np.array(dense_steps, dtype=np.int64), np.concatenate(dense),
    )  # fmt: skip


def _sums(values: Integers, most: int | None = None) -> Integers:
    """Return the sum over each subset of the values, `most` at most."""
    sums = np.zeros(1, dtype=np.int64)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums if most is None else np.minimum(sums, most)


def _differences(suffices: Bools) -> Integers:
    """Return the terms whose sums over subsets are `suffices` (subsets x steps)."""
    terms = suffices.astype(np.int64)
    width, half = suffices.shape[1], 1
    while half < len(suffices):
        halves = terms.reshape(-1, 2, half * width)
        halves[:, 1] -= halves[:, 0]
        half *= 2
    return terms
