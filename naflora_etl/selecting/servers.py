"""Which image servers to ask: as many species as possible with enough images, from few servers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.selecting.coverage import Coverage, count_coverage
from naflora_etl.selecting.search import search_sets


@dataclass(frozen=True)
class ServerStep:
    """The best set found of `len(hosts)` servers."""

    hosts: tuple[str, ...]
    covered_species: int
    capped_images: int
    """Images of the covered species, each species up to the cap."""


@dataclass(frozen=True)
class ServerChoice:
    """The servers chosen, by name, and the best set found on the way for every smaller number of them.

    Found by greedy steps, single swaps and pair moves; nothing here proves that no better set exists.
    """

    hosts: tuple[str, ...]
    covered_species: int
    reachable_species: int
    """Species that all allowed servers together would cover."""
    capped_images: int
    history: tuple[ServerStep, ...]
    """Ends with the choice; only the choice itself when all servers are taken, as there is nothing to weigh."""
    explanation: str


def choose_servers(
    counts: pa.Table,
    *,
    servers: int | None,
    threshold: int,
    cap: int = 100,
    require: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> ServerChoice:
    """Choose at most `servers` servers (None: all) that cover the most species; fewer, where fewer do as much.

    `counts` has a row per species and host: taxon_id, host, n (unique images). A species is covered from `threshold`
    images on the chosen hosts together. Of equal coverage the set with more capped images of covered species wins, then
    the one that brings the others nearer to the threshold, then the first by name; the order of the rows has no say.
    Raises Fault for counts that make no sense, for a required server without any image, and for demands that contradict
    each other.
    """
    coverage = count_coverage(counts, threshold=threshold, cap=cap, exclude=exclude)
    fixed = _fixed_hosts(coverage, servers, require, exclude)
    everything = frozenset(range(len(coverage.hosts)))
    if servers is None or not everything:
        history = [_describe(coverage, everything)]
    else:
        sets = search_sets(coverage, min(servers, len(everything)), fixed)
        history = _until_no_gain([_describe(coverage, chosen) for chosen in sets])
    best, reachable = history[-1], coverage.reachable_species
    return ServerChoice(
        best.hosts, best.covered_species, reachable, best.capped_images, tuple(history),
        _explain(best, len(everything), reachable, servers),
    )


def _until_no_gain(history: list[ServerStep]) -> list[ServerStep]:
    """Return the steps up to the smallest set that does all that the last one does: nobody is asked for nothing."""
    last = history[-1]
    gain = [(step.covered_species, step.capped_images) for step in history]
    return history[: gain.index((last.covered_species, last.capped_images)) + 1]


def _fixed_hosts(
    coverage: Coverage, servers: int | None, require: Sequence[str], exclude: Sequence[str]
) -> frozenset[int]:
    """Return the places of the required hosts; Fault when they cannot all be had."""
    place = {host: i for i, host in enumerate(coverage.hosts)}
    for host in sorted(set(require)):
        if host in exclude:
            raise Fault(f'The server "{host}" is both required and excluded; take it out of one of the two lists.')
        if host not in place:
            near = difflib.get_close_matches(host, coverage.hosts, 1, 0)
            hint = f'the nearest name that has is "{near[0]}"' if near else "no server has"
            raise Fault(f'The required server "{host}" has no clean image; {hint}.')
    if servers is not None and len(set(require)) > servers:
        raise Fault(f"{len(set(require))} servers are required, but at most {servers} may be chosen; allow more.")
    return frozenset(place[host] for host in require)


def _describe(coverage: Coverage, chosen: frozenset[int]) -> ServerStep:
    total = coverage.total_of(chosen)
    hosts = tuple(coverage.hosts[host] for host in sorted(chosen))
    return ServerStep(hosts, coverage.species_of(total), coverage.images_of(total))


def _explain(best: ServerStep, hosts: int, reachable: int, servers: int | None) -> str:
    covers = f"cover {best.covered_species} of {reachable} reachable species with {best.capped_images} images"
    if len(best.hosts) < hosts:
        return (
            f"{len(best.hosts)} of {hosts} servers {covers}; found by greedy steps, single swaps and pair moves, "
            "which prove no optimum."
        )
    asked = f"{servers} servers were asked for and {hosts} have images: all" if servers else "All"
    return f"{asked} {hosts} servers {covers}."
