"""What a set of servers covers, and what each further server, or pair of servers, would add."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault
from naflora_etl.selecting.keys import Integers, encode_keys

# Species a block in the pair products, so that their memory stays small at any threshold.
BLOCK_CELLS = 4_000_000


@dataclass(frozen=True)
class Coverage:
    """Images per species and host as a dense table; a species counts as covered from `threshold` images on."""

    hosts: tuple[str, ...]
    """By name."""
    images: NDArray[np.int32]
    """Species x hosts. No cell above the greater of threshold and cap: more changes no answer."""
    threshold: int
    cap: int

    @property
    def reachable_species(self) -> int:
        """Number of species that all hosts together cover."""
        return self.species_of(self.total_of(range(len(self.hosts))))

    def total_of(self, chosen: Iterable[int]) -> Integers:
        """Return the images of each species on the chosen hosts."""
        columns = self.images[:, sorted(chosen)]
        return np.asarray(columns.sum(axis=1), dtype=np.int64)

    def species_of(self, total: Integers) -> int:
        """Return the number of species covered."""
        return int(np.count_nonzero(total >= self.threshold))

    def images_of(self, total: Integers) -> int:
        """Return the images of the covered species, each species up to the cap."""
        return int(np.minimum(total[total >= self.threshold], self.cap).sum())

    def score_of(self, chosen: frozenset[int]) -> tuple[int, int, int, tuple[int, ...]]:
        """Return what makes one set better than another of its size: species, capped images, potential, first names."""
        total = self.total_of(chosen)
        names = tuple(-host for host in sorted(chosen))
        return self.species_of(total), self.images_of(total), self.potential_of(total), names

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
            alone = (images >= need).astype(np.float32)
            together -= alone.T @ alone
            for exactly in range(1, int(need.max(initial=1))):
                some = (images == exactly) & (need > exactly)
                used = some.any(axis=1)
                rest = ((images >= need - exactly) & ~(images >= need))[used].astype(np.float32)
                together += some[used].astype(np.float32).T @ rest
        each = self.species_with_each(total)
        return each[:, None] + each[None, :] - (len(total) - len(short)) + np.rint(together).astype(np.int64)


def count_coverage(counts: pa.Table, *, threshold: int, cap: int, exclude: Iterable[str] = ()) -> Coverage:
    """Return the coverage of a long table: taxon_id, host, n (unique images), one row per species and host.

    Raises Fault for missing, negative or repeated counts.
    """
    missing = [name for name in ("taxon_id", "host", "n") if name not in counts.column_names]
    if missing:
        raise Fault(f"The counts have no column {missing[0]}; they need taxon_id, host and n.")
    if any(counts[name].null_count for name in ("taxon_id", "host", "n")):
        raise Fault("A count lacks its taxon_id, its host or its n; remove the row or fill it.")
    if not pa.types.is_integer(counts["n"].type):
        raise Fault(f"The counts' column n is {counts['n'].type}; it must hold whole numbers of images.")
    if (pc.min(counts["n"]).as_py() or 0) < 0:
        raise Fault(f"A count is negative ({pc.min(counts['n']).as_py()}); n is a number of images.")
    if counts.group_by(["taxon_id", "host"]).aggregate([]).num_rows < counts.num_rows:
        raise Fault("A species and host stand together in more than one row of the counts; add them up first.")
    used = counts.filter(pc.greater(counts["n"], 0))
    used = used.filter(pc.invert(pc.is_in(used["host"], pa.array(sorted(exclude), pa.string())))).sort_by("host")
    taxon, host = encode_keys(used["taxon_id"]), encode_keys(used["host"])
    names = tuple(pc.unique(used["host"]).to_pylist())
    images = np.zeros((int(taxon.max(initial=-1)) + 1, len(names)), dtype=np.int32)
    images[taxon, host] = np.minimum(used["n"].to_numpy(), max(threshold, cap))
    return Coverage(names, images, threshold, cap)
