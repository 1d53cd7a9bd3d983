"""Which image servers to ask: as many species as possible from few servers, and how sure that is."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.selecting.counts import sound_counts
from naflora_etl.selecting.coverage import Coverage, count_coverage
from naflora_etl.selecting.enumerate import MOST_HOSTS
from naflora_etl.selecting.frontier import Effort, Frontier, find_frontier
from naflora_etl.selecting.staying import stay_near

MOST_ON_FRONTIER = 60
"""Servers up to which a frontier is drawn; beyond, each brings next to nothing."""
Hosts = frozenset[int]


@dataclass(frozen=True)
class Wish:
    """What is wanted of the servers."""

    servers: int | Literal["all", "frontier"] = 15
    """How many at most; "all" there are; "frontier": as many as the knee of the frontier says."""
    coverage: float | None = None
    """As few as cover this share of the reachable species; then `servers` has no say."""
    threshold: int = 10
    """Images from which on a species is covered."""
    cap: int = 100
    """Images of a species that count."""
    require: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)
    """Cost of a request by host, 1 when not said; only among sets equal in species and capped images does it count."""
    prefer: tuple[str, ...] = ()
    """Servers of an earlier choice, which stay as long as that gives up few species."""
    within: float = 0.002
    """Share of the best set's species that may be given up for them."""


@dataclass(frozen=True)
class ServerStep:
    """The best set found of `len(hosts)` servers, and what is known of all others of that size."""

    hosts: tuple[str, ...]
    covered_species: int
    capped_images: int
    """Images of the covered species, each species up to the cap."""
    bound: int
    """No set of so many servers covers more species."""

    @property
    def is_proven(self) -> bool:
        """Return whether no set of so many servers covers more."""
        return self.covered_species == self.bound

    @property
    def gap(self) -> float:
        """Return by which share the best set of this size might be better."""
        return (self.bound - self.covered_species) / max(1, self.covered_species)


@dataclass(frozen=True)
class ServerChoice:
    """The servers chosen, by name, and the frontier: the best set found of every number of servers."""

    chosen: ServerStep
    frontier: tuple[ServerStep, ...]
    reachable_species: int
    """Species that all allowed servers together would cover."""
    servers: int
    """Servers that have images and are allowed."""
    explanation: str
    remarks: tuple[str, ...]
    by: str
    seconds: float
    wish: Wish

    @property
    def hosts(self) -> tuple[str, ...]:
        """The chosen servers by name."""
        return self.chosen.hosts

    def as_dict(self) -> dict[str, Any]:
        """Return the choice as JSON values: the certificate."""
        return {
            "threshold": self.wish.threshold,
            "frontier": [_as_dict(step) for step in self.frontier],
            "chosen": len(self.chosen.hosts),
            "choice": _as_dict(self.chosen),
            "explanation": self.explanation,
            "remarks": list(self.remarks),
            "cap": self.wish.cap,
            "servers": self.servers,
            "reachable_species": self.reachable_species,
            "proof": self.by,
            "seconds": round(self.seconds, 2),
        }


def _as_dict(step: ServerStep) -> dict[str, Any]:
    return {
        "k": len(step.hosts),
        "hosts": list(step.hosts),
        "species": step.covered_species,
        "capped_images": step.capped_images,
        "bound": step.bound,
        "proven": step.is_proven,
        "gap": round(step.gap, 6),
    }


def choose_servers(counts: pa.Table, wish: Wish, effort: Effort | None = None, first_line: int = 1) -> ServerChoice:
    """Choose servers by a long table of counts: species (or taxon_id), host, n (unique images).

    A species is covered from `threshold` images on the chosen servers together. Of equal coverage the set with more
    capped images of covered species wins, then the one with fewer requests to slow hosts, then the first by name; the
    order of the rows has no say. Raises Fault for counts that make no sense, for a required server without any image,
    and for demands that contradict each other.
    """
    _check(wish)
    sound = sound_counts(counts, first_line)
    coverage = count_coverage(
        sound.table, threshold=wish.threshold, cap=wish.cap, exclude=wish.exclude, costs=wish.costs
    )
    count = len(coverage.hosts)
    fixed = _fixed_hosts(coverage, wish)
    remarks = [*sound.remarks, *_unheard(sound.table, wish), *_remarks(coverage, wish)]
    enough = None
    if wish.coverage is not None:
        if coverage.reachable_species == 0:
            raise Fault(f"No species has {wish.threshold} images on all servers together; no coverage can be had.")
        enough = _share(wish.coverage, coverage.reachable_species)
    if not count or (wish.servers == "all" and enough is None):
        bounds = np.full(count + 1, coverage.reachable_species, dtype=np.int64)
        frontier = Frontier({count: frozenset(range(count))}, bounds, by="taking all")
    else:
        most = count
        if enough is None:
            most = wish.servers if isinstance(wish.servers, int) else max(MOST_ON_FRONTIER, len(fixed))
        frontier = find_frontier(
            coverage, fixed, min(most, count), enough, lambda found: _wanted(_steps(coverage, found), wish),
            effort or _usual_effort(wish, count),
        )  # fmt: skip
    steps = _steps(coverage, frontier)
    chosen = steps[_chosen(steps, wish)]
    step = _kept(coverage, chosen, fixed, wish, enough)
    explanation = _explain(step, chosen, steps, coverage, frontier, wish)
    return ServerChoice(
        step, tuple(steps), coverage.reachable_species, count, explanation, tuple(remarks), frontier.by,
        frontier.seconds, wish,
    )  # fmt: skip


def _usual_effort(wish: Wish, servers: int) -> Effort:
    """Return the time that a proof may take when nobody says: few servers are to be proven, many to be bounded."""
    if servers <= MOST_HOSTS:
        return Effort(seconds=600)
    return Effort(seconds=22 if wish.servers == "frontier" and wish.coverage is None else 150)


def _check(wish: Wish) -> None:
    """Raise Fault for a wish that nothing can fulfil."""
    if wish.coverage is not None and not 0 < wish.coverage <= 1:
        hint = f"; did you mean {wish.coverage / 100:g}?" if 2 <= wish.coverage <= 100 else "."
        raise Fault(f"A coverage of {wish.coverage:g} cannot be had: it is a share of species, over 0, up to 1{hint}")
    if isinstance(wish.servers, int) and wish.servers < 1:
        raise Fault(f"{wish.servers} servers cannot be chosen; ask for one or more.")
    if wish.threshold < 1 or wish.cap < 1:
        raise Fault("The threshold and the cap are numbers of images from 1 on.")
    if not 0 <= wish.within <= 1:
        raise Fault(f"Of the species {wish.within:g} cannot be given up; it is a share, from 0 to 1.")
    for host, cost in wish.costs.items():
        if not 0 <= cost <= 1e6:
            raise Fault(f'The cost of "{host}" is {cost:g}; it must lie between 0 and a million.')


def _fixed_hosts(coverage: Coverage, wish: Wish) -> Hosts:
    """Return the places of the required hosts; Fault when they cannot all be had."""
    place = {host: i for i, host in enumerate(coverage.hosts)}
    for host in sorted(set(wish.require)):
        if host in wish.exclude:
            raise Fault(f'The server "{host}" is both required and excluded; take it out of one of the two lists.')
        if host not in place:
            near = difflib.get_close_matches(host, coverage.hosts, 1)
            hint = f'the nearest name that has is "{near[0]}"' if near else "nor has any server with a name like it"
            raise Fault(f'The required server "{host}" has no clean image; {hint}.')
    required = len(set(wish.require))
    if isinstance(wish.servers, int) and wish.coverage is None and required > wish.servers:
        raise Fault(f"{required} servers are required, but at most {wish.servers} may be chosen; allow more.")
    return frozenset(place[host] for host in wish.require)


def _remarks(coverage: Coverage, wish: Wish) -> list[str]:
    """Return a sentence for each thing that was asked for and is not there."""
    count, remarks = len(coverage.hosts), []
    if isinstance(wish.servers, int) and wish.coverage is None and wish.servers > count:
        have = f"{count} have" if count != 1 else "1 has"
        remarks.append(f"{wish.servers} servers were asked for, but only {have} images; no more than that are taken.")
    if not count and wish.exclude:
        remarks.append("Every server that has images is excluded; none can be chosen.")
    if count and not coverage.reachable_species:
        remarks.append(f"No species has {wish.threshold} images even on all servers together; no choice covers any.")
    return remarks


def _unheard(counts: pa.Table, wish: Wish) -> list[str]:
    """Return a sentence for the servers that the wish names and that have no image: slips of the pen, maybe."""
    known = set(pc.unique(counts["host"]).to_pylist())
    named = {"excluded": wish.exclude, "preferred": wish.prefer, "given a cost": wish.costs}
    lost = {how: sorted(set(hosts) - known) for how, hosts in named.items()}
    return [f"Without any image here, and so without a say, {how}: {', '.join(of)}." for how, of in lost.items() if of]


def _share(share: float, species: int) -> int:
    """Return the least whole number that is such a share; 0.56 of 100 is 56, which floating point would make 57."""
    return math.ceil(Fraction(str(share)) * species)


def _steps(coverage: Coverage, frontier: Frontier) -> list[ServerStep]:
    return [_describe(coverage, hosts, int(frontier.bounds[size])) for size, hosts in sorted(frontier.sets.items())]


def _describe(coverage: Coverage, chosen: Hosts, bound: int) -> ServerStep:
    total = coverage.total_of(chosen)
    hosts = tuple(coverage.hosts[host] for host in sorted(chosen))
    return ServerStep(hosts, coverage.species_of(total), coverage.images_of(total), bound)


def _wanted(steps: list[ServerStep], wish: Wish) -> list[int]:
    """Return the numbers of servers whose proof is wanted first."""
    chosen = _chosen(steps, wish)
    if wish.coverage is not None:  # that one server fewer cannot do is what makes it the fewest
        return [len(step.hosts) for step in reversed(steps[max(0, chosen - 1) : chosen + 1])][::-1]
    return [len(steps[chosen].hosts)]


def _chosen(steps: list[ServerStep], wish: Wish) -> int:
    """Return the place of the step that the wish asks for."""
    if wish.coverage is None and wish.servers == "frontier":
        return find_knee([(len(step.hosts), step.covered_species) for step in steps])
    # nobody is asked for nothing: the smallest set that does all that the last one does
    last = (steps[-1].covered_species, steps[-1].capped_images)
    return next(i for i, step in enumerate(steps) if (step.covered_species, step.capped_images) == last)


def find_knee(points: list[tuple[int, int]]) -> int:
    """Return the place of the knee of a rising frontier of (servers, species).

    It is the point that lies farthest above the line from no servers and no species to the first point that covers as
    many species as the last one (Satopaa and others 2011); of several the first.
    """
    most = points[-1][1]
    end = next(servers for servers, species in points if species == most)
    above = [species * end - servers * most for servers, species in points]  # times most * end, to stay whole
    return max(range(len(points)), key=lambda i: (above[i], -i))


def _kept(coverage: Coverage, best: ServerStep, fixed: Hosts, wish: Wish, enough: int | None) -> ServerStep:
    """Return the set that keeps the preferred servers where it may be, else the best one."""
    place = {host: i for i, host in enumerate(coverage.hosts)}
    earlier = frozenset(place[host] for host in wish.prefer if host in place)
    if not earlier or wish.servers == "all":
        return best
    least = max(best.covered_species - int(wish.within * best.covered_species), enough or 0)
    chosen = stay_near(coverage, frozenset(place[host] for host in best.hosts), earlier, fixed, least)
    return _describe(coverage, chosen, best.bound)


def _explain(
    step: ServerStep, best: ServerStep, steps: list[ServerStep], coverage: Coverage, frontier: Frontier, wish: Wish
) -> str:
    """Say what was chosen and how sure it is; the word optimal only with a proof."""
    k, count, reachable = len(step.hosts), len(coverage.hosts), coverage.reachable_species
    verb = "covers" if k == 1 else "cover"
    covers = f"{verb} {step.covered_species} of {reachable} reachable species with {step.capped_images} images"
    if not count:
        text = "No server has an image that counts; none is chosen."
    elif k == count:
        text = f"{'The only server' if count == 1 else f'All {count} servers'} {covers}."
    elif step.is_proven:
        text = f"{k} of {count} servers {covers}: optimal, proven by {frontier.by}: no set of {k} covers more."
    else:
        text = (
            f"{k} of {count} servers {covers}; no set of {k} covers more than {step.bound} "
            f"(gap {100 * step.gap:.2f} %, {frontier.by})."
        )
    if step.hosts != best.hosts:
        text += (
            f" Earlier servers were kept: {len(set(step.hosts) & set(wish.prefer))} of {len(wish.prefer)}; the best "
            f"set found covers {best.covered_species}."
        )
    if wish.coverage is not None:
        fewer = next((other for other in steps if len(other.hosts) == len(best.hosts) - 1), None)
        need = _share(wish.coverage, reachable)
        proven = fewer is None or fewer.bound < need
        text += f" {need} species were asked for; " + (
            "fewer servers cannot cover them, which is proven." if proven else "whether fewer servers could is open."
        )
    return text
