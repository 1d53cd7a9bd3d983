"""What a set of servers covers, and what each further server, or pair of servers, would add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from naflora_etl.selecting.keys import Integers, encode_keys

# Species a block in the pair products, so that their memory stays small at any threshold.
BLOCK_CELLS = 4_000_000

Score: TypeAlias = tuple[int, int, int, tuple[int, ...]]
"""Species, capped images, requests to slow hosts (negative), places of the hosts (negative): greater is better."""


@dataclass(frozen=True)
class Coverage:
    """Images per species and host as a dense table; a species counts as covered from `threshold` images on."""

    hosts: tuple[str, ...]
    """By name."""
    images: NDArray[np.int32]
    """Species x hosts; only the species that all hosts together cover."""
    threshold: int
    cap: int
    costs: Integers
    """What a request to each host costs beyond one to the cheapest, in thousandths; all zero when all cost the same."""

    @property
    def reachable_species(self) -> int:
        """Number of species that all hosts together cover."""
        return len(self.images)

    @cached_property
    def by_host(self) -> NDArray[np.int32]:
        """Hosts x species: the same, so that a host's images lie side by side."""
        return np.ascontiguousarray(self.images.T)

    def total_of(self, chosen: Iterable[int]) -> Integers:
        """Return the images of each species on the chosen hosts."""
        total = np.zeros(len(self.images), dtype=np.int64)
        for host in sorted(chosen):
            total += self.by_host[host]
        return total

    def species_of(self, total: Integers) -> int:
        """Return the number of species covered."""
        return int(np.count_nonzero(total >= self.threshold))

    def images_of(self, total: Integers) -> int:
        """Return the images of the covered species, each species up to the cap."""
        return int(np.minimum(total[total >= self.threshold], self.cap).sum())

    def slow_requests_of(self, chosen: Iterable[int], total: Integers) -> int:
        """Return the requests to dear hosts, each times what it costs beyond the cheapest, in thousandths.

        A species' capped images are shared among its hosts as its images are, as a draw would share them.
        """
        dear = [host for host in sorted(chosen) if self.costs[host]]
        covered = np.flatnonzero(total >= self.threshold)
        wanted, had = np.minimum(total[covered], self.cap), total[covered]
        return sum(int(self.costs[h]) * int((self.by_host[h, covered] * wanted // had).sum()) for h in dear)

    def score_of(self, chosen: frozenset[int]) -> Score:
        """Return what makes one set better than another of its size, the first that differs deciding.

        More species, more capped images, fewer requests to slow hosts, the first names.
        """
        total = self.total_of(chosen)
        names = tuple(-host for host in sorted(chosen))
        return self.species_of(total), self.images_of(total), -self.slow_requests_of(chosen, total), names

    def potential_of(self, total: Integers) -> int:
        """Return sum(min(images, threshold)), which grows before a species is covered; a guide, not the aim."""
        return int(np.minimum(total, self.threshold).sum())

    def species_with_each(self, total: Integers) -> Integers:
        """Return the number of species covered when each host is added to `total`."""
        short = total < self.threshold
        need = (self.threshold - total[short])[:, None]
        more = np.asarray(np.count_nonzero(self.images[short] >= need, axis=0), dtype=np.int64)
        return len(total) - len(need) + more

    def species_without_each(self, total: Integers) -> Integers:
        """Return the number of species still covered when each host is taken from `total`, in which it must be."""
        spare = total - self.threshold
        covered = spare >= 0
        return np.asarray(np.count_nonzero(self.images[covered] <= spare[covered, None], axis=0), dtype=np.int64)

    def species_with_each_pair(self, total: Integers) -> Integers:
        """Return hosts x hosts: the number of species covered when both are added to `total`.

        A pair adds what each adds alone, less what both add alone, plus the species that only both together lift over
        the threshold. All pairs at once by matrix products of zeros and ones: for a species that still needs d images,
        "a has exactly i" and "b has at least d - i" for i = 1 .. d - 1. Single precision holds such counts exactly.
        """
        short = np.flatnonzero(total < self.threshold)
        count = len(self.hosts)
        together = np.zeros((count, count))
        rows = max(1, BLOCK_CELLS // (count * self.threshold))
        for block in (short[i : i + rows] for i in range(0, len(short), rows)):
            need = (self.threshold - total[block])[:, None]
            images = self.images[block]
            is_alone = images >= need
            alone = is_alone[is_alone.sum(axis=1) > 1].astype(np.float32)
            together -= alone.T @ alone
            images = np.where(is_alone, 0, images)
            # only where the two hosts with most images reach the rest together
            reach = np.partition(images, count - 2, axis=1)[:, -2:].sum(axis=1) >= need[:, 0] if count > 1 else []
            images, need = images[reach], need[reach]
            for exactly in range(1, int(need.max(initial=1))):
                some = (images == exactly) & (need > exactly)
                used = some.any(axis=1)
                rest = (images[used] >= need[used] - exactly).astype(np.float32)
                together += some[used].astype(np.float32).T @ rest
        each = self.species_with_each(total)
        return each[:, None] + each[None, :] - (len(total) - len(short)) + np.rint(together).astype(np.int64)


def count_coverage(
    counts: pa.Table, *, threshold: int, cap: int, exclude: Iterable[str] = (), costs: Mapping[str, float] | None = None
) -> Coverage:
    """Return the coverage of sound counts (counts.py); `costs` is the cost of a request by host, 1 when not said."""
    used = counts.filter(pc.invert(pc.is_in(counts["host"], pa.array(sorted(exclude), pa.string())))).sort_by("host")
    species, host = encode_keys(used["species"]), encode_keys(used["host"])
    names = tuple(pc.unique(used["host"]).to_pylist())
    images = np.zeros((int(species.max(initial=-1)) + 1, len(names)), dtype=np.int32)
    images[species, host] = used["n"].to_numpy()
    reachable = images.sum(axis=1, dtype=np.int64) >= threshold
    dear = np.array([round(1000 * (costs or {}).get(name, 1.0)) for name in names], dtype=np.int64)
    return Coverage(names, images[reachable], threshold, cap, dear - dear.min(initial=10**15) if len(dear) else dear)
