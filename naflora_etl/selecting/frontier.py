"""The frontier: for every number of servers the best set found, and the species that no set of so many beats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from naflora_etl.selecting.coverage import Coverage
from naflora_etl.selecting.enumerate import AT_MOST, best_of_all, cells_of
from naflora_etl.selecting.keys import Integers
from naflora_etl.selecting.search import Hosts, add_one, search_sets, swap_one

SHARE_OF_SETS = 0.9
"""Share of the time in which all sets must be weighed, where they are few enough; search and bounds get the rest."""
FIRST_ROUNDS, LIGHT_ROUNDS, STRIDE = 40, 8, 8
"""Rounds of rows for every eighth number of servers, which come first, and for the others, which their rows serve."""


@dataclass
class Frontier:
    """What is known of every number of servers, from the required ones on, without a gap."""

    sets: dict[int, Hosts]
    bounds: Integers
    """By number of servers, from 0: no set of so many covers more species."""
    seconds: float = 0.0
    by: str = "search"
    """enumeration: every set was weighed, so ties are settled too; branch and bound: species are bounded, no more."""


@dataclass
class Effort:
    """How much may be spent on proofs."""

    nodes: int = 10**9
    """Nodes of the tree of a number of servers that is asked for: a limit that gives the same answer everywhere."""
    others: int = 10**9
    """Nodes of the tree of any other number of servers; 0: those have but the bounds that others give in passing."""
    seconds: float = float("inf")
    """Seconds in all, the search included; they may run out at another place on another machine."""


def find_frontier(
    coverage: Coverage,
    fixed: Hosts,
    most: int,
    enough: int | None,
    asked: Callable[[Frontier], Iterable[int]],
    effort: Effort,
) -> Frontier:
    """Return the frontier up to `most` servers, or up to the first number that covers `enough` species.

    `asked` says for which numbers of servers a proof is wanted most, the first first; others follow as long as the
    effort lasts. The sets are the search's, unless a proof brings to light a better one.
    """
    start = time.monotonic()
    until = start + effort.seconds
    if cells_of(coverage) <= AT_MOST:
        known = _enumerated(coverage, fixed, most, enough, start, start + effort.seconds * SHARE_OF_SETS)
        if known is not None:
            return known
    sets: dict[int, Hosts] = {}
    for hosts in search_sets(coverage, most, fixed):
        sets[len(hosts)] = hosts
        if enough is not None and coverage.species_of(coverage.total_of(hosts)) >= enough:
            break
    bounds = np.full(len(coverage.hosts) + 1, coverage.reachable_species, dtype=np.int64)
    frontier = Frontier(sets, bounds, by="branch and bound")
    _bound(coverage, fixed, frontier, asked, effort, until)
    frontier.seconds = time.monotonic() - start
    return frontier


def _enumerated(
    coverage: Coverage, fixed: Hosts, most: int, enough: int | None, start: float, until: float
) -> Frontier | None:
    """Return the frontier by weighing every set; None when the time is up before that."""
    sets = best_of_all(coverage, fixed, range(most + 1), until)
    if not sets:
        return None
    bounds = np.full(len(coverage.hosts) + 1, coverage.reachable_species, dtype=np.int64)
    for size, hosts in sets.items():
        bounds[size] = coverage.species_of(coverage.total_of(hosts))
    if enough is not None:
        reached = next((size for size in sorted(sets) if bounds[size] >= enough), most)
        sets = {size: hosts for size, hosts in sets.items() if size <= reached}
    return Frontier(sets, bounds, time.monotonic() - start, "enumeration")


def _bound(
    coverage: Coverage,
    fixed: Hosts,
    frontier: Frontier,
    asked: Callable[[Frontier], Iterable[int]],
    effort: Effort,
    until: float,
) -> None:
    """Lower the bounds, the asked numbers of servers first, and take in the better sets that turn up."""
    from naflora_etl.selecting.bound import Limits, Prover  # HiGHS takes a third of a second to import

    prover = Prover(coverage, fixed, lambda hosts: swap_one(coverage, hosts, fixed))
    limits, light = Limits(effort.nodes, until), Limits(effort.others, until)
    frontier.bounds = prover.bounds
    for place, size in sorted(enumerate(sorted(frontier.sets)), key=lambda item: (item[0] % STRIDE > 0, item[0])):
        if place % STRIDE and not effort.others:
            continue
        rounds = LIGHT_ROUNDS if place % STRIDE else FIRST_ROUNDS
        frontier.sets[size] = prover.bound_root(size, frontier.sets[size], limits, rounds)
    _keep_rising(coverage, fixed, frontier)
    wanted = [size for size in asked(frontier) if size in frontier.sets]
    for size in wanted:
        frontier.sets[size] = prover.bound_root(size, frontier.sets[size], limits)
    others = sorted(set(frontier.sets) - set(wanted), key=lambda size: (_gap(coverage, frontier, size), size))
    for size in (*wanted, *(others if effort.others else ())):
        frontier.sets[size] = prover.prove(size, frontier.sets[size], limits if size in wanted else light)
        prover.bounds[: size + 1] = np.minimum(prover.bounds[: size + 1], prover.bounds[size])
    _keep_rising(coverage, fixed, frontier)


def _gap(coverage: Coverage, frontier: Frontier, size: int) -> int:
    return int(frontier.bounds[size]) - coverage.species_of(coverage.total_of(frontier.sets[size]))


def _keep_rising(coverage: Coverage, fixed: Hosts, frontier: Frontier) -> None:
    """Where fewer servers do better, since a proof found a better set of them, add one to theirs."""
    sizes = sorted(frontier.sets)
    for fewer, size in pairwise(sizes):
        more = coverage.score_of(swap_one(coverage, add_one(coverage, frontier.sets[fewer]), fixed))
        if more > coverage.score_of(frontier.sets[size]):
            frontier.sets[size] = frozenset(-place for place in more[3])
