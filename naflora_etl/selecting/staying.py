"""Keeping the servers of an earlier choice, where little is lost by it: else near ties flip with every harvest."""

from __future__ import annotations

import numpy as np

from naflora_etl.selecting.coverage import Coverage
from naflora_etl.selecting.search import Hosts, add_one, drop_one


def stay_near(coverage: Coverage, best: Hosts, earlier: Hosts, fixed: Hosts, least: int) -> Hosts:
    """Return a set as large as `best` that covers `least` species or more and changes little of `earlier`.

    The earlier set is brought to size, without the servers missed least or with those that cover most. Then the best
    swap is made, again and again, until enough species are covered. When no swap helps, or as many servers would
    change as by taking the best set, that is the answer.
    """
    chosen = earlier | fixed
    while len(chosen) > len(best):
        chosen = drop_one(coverage, chosen, fixed)
    while len(chosen) < len(best):
        chosen = add_one(coverage, chosen)
    while coverage.species_of(coverage.total_of(chosen)) < least:
        swapped = _best_swap(coverage, chosen, fixed)
        if coverage.score_of(swapped) <= coverage.score_of(chosen):
            return best
        chosen = swapped
    return chosen if len(chosen - earlier) < len(best - earlier) else best


def _best_swap(coverage: Coverage, chosen: Hosts, fixed: Hosts) -> Hosts:
    total = coverage.total_of(chosen)
    species = np.full((len(coverage.hosts), len(coverage.hosts)), -1, dtype=np.int64)
    for host in sorted(chosen - fixed):
        species[host] = coverage.species_with_each(total - coverage.by_host[host])
    species[:, sorted(chosen)] = -1
    if species.max() < 0:
        return chosen
    swaps = np.argwhere(species == species.max()).tolist()
    return max((chosen - {out} | {into} for out, into in swaps), key=coverage.score_of)
