"""A batch of specimens, drawn as columns: what both aggregators tell of them, and what only the truth knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sandbox import mass_pools as pool
from naflora_etl.sandbox.mass_pools import Pools

BATCH = 40_000
"""Specimens drawn at a time; part of what a seed means."""
BOTH, ONLY_GBIF = 0.25, 0.60
"""Shares of specimens that both aggregators have, and that only GBIF has; the rest only iDigBio."""
IMAGES = (0.02, 0.80, 0.13, 0.05)
"""Shares of specimens with 0, 1, 2 and 3 images."""
NUMBER_REUSED, ID_REPOINTED = 0.001, 0.0005
"""Shares of specimens that bear the catalogue number, or whose twin bears the occurrenceID, of the one before."""


@dataclass(frozen=True)
class Specimens:
    """Some specimens as columns of one length. Positions point into the pools."""

    number: np.ndarray
    """Which specimen of the world it is: the truth."""
    images: np.ndarray
    in_gbif: np.ndarray
    in_idigbio: np.ndarray
    institution: np.ndarray
    catalog: np.ndarray
    """Number in the catalogue; of two with NUMBER_REUSED the same."""
    published: np.ndarray
    """Number in the occurrenceID that iDigBio tells."""
    collector: np.ndarray
    record_number: pa.Array
    date: pa.Array
    place: np.ndarray
    latitude: pa.Array
    longitude: pa.Array
    taxon: np.ndarray
    written: np.ndarray
    basis: np.ndarray
    preparation: np.ndarray
    remark: np.ndarray
    way: np.ndarray
    """Ten thousand ways to be written badly; most numbers mean none."""

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: np.ndarray) -> Specimens:
        """Return some of them, in the order of `rows`."""
        return Specimens(**{
            name: values.take(pa.array(rows)) if isinstance(values, pa.Array) else values[rows]
            for name, values in vars(self).items()
        })  # fmt: skip


def draw_specimens(pools: Pools, seed: int, batch: int) -> Specimens:
    """Return the specimens of one batch; the same seed and batch give the same ones."""
    random = np.random.default_rng([seed, 1, batch])
    number = np.arange(batch * BATCH, (batch + 1) * BATCH)
    lot = random.random(BATCH)
    institution = (random.random(BATCH) ** 2 * pool.INSTITUTIONS).astype(int)
    before = np.maximum(np.arange(BATCH) - 1, 0)
    reused, repointed = random.random((2, BATCH)) < [[NUMBER_REUSED], [ID_REPOINTED]]
    reused &= np.arange(BATCH) % 2 == 1  # never three in a row
    repointed &= ~reused & (np.arange(BATCH) % 2 == 1) & ~np.roll(reused, -1)
    institution = np.where(reused, institution[before], institution)
    species = len(pools.species)
    taxon = (random.random(BATCH) ** 2 * species).astype(int)
    form = np.searchsorted([0.8, 0.9, 0.98], random.random(BATCH), side="right")
    return Specimens(
        number=number,
        images=np.searchsorted(np.cumsum(IMAGES)[:-1], random.random(BATCH), side="right"),
        in_gbif=lot < BOTH + ONLY_GBIF,
        in_idigbio=(lot < BOTH) | (lot >= BOTH + ONLY_GBIF),
        institution=institution,
        catalog=np.where(reused, number - 1, number),
        published=np.where(repointed, number - 1, number),
        collector=random.integers(0, pool.COLLECTORS, BATCH),
        record_number=_record_numbers(random),
        date=_dates(random),
        place=np.where(random.random(BATCH) < 0.98, random.integers(0, pool.HOME_PLACES, BATCH), pool.HOME_PLACES),
        latitude=_jittered(random),
        longitude=_jittered(random),
        taxon=taxon,
        written=taxon + form * species,
        basis=np.where(random.random(BATCH) < 0.99, 0, random.integers(0, len(pool.BASES), BATCH)),
        preparation=np.where(random.random(BATCH) < 0.99, random.integers(0, 4, BATCH), random.integers(4, 6, BATCH)),
        remark=random.integers(0, len(pool.REMARKS), BATCH),
        way=random.integers(0, 10_000, BATCH),
    )


def _record_numbers(random: np.random.Generator) -> pa.Array:
    numbers = pc.cast(pa.array(random.integers(1, 30_000, BATCH)), pa.string())
    return pc.if_else(pa.array(random.random(BATCH) < 0.06), "s.n.", numbers)


def _dates(random: np.random.Generator) -> pa.Array:
    """Return dates of gathering: of the day mostly, of the year some, an interval or none few."""
    days = np.datetime64("1850-01-01") + random.integers(0, 62_000, BATCH)
    day = pa.array(days.astype(str).tolist())
    lot = random.random(BATCH)
    year = pc.utf8_slice_codeunits(day, 0, 4)
    interval = pc.binary_join_element_wise(year, "-05-01/", year, "-05-31", "")
    date = pc.if_else(pa.array(lot < 0.93), day, pc.if_else(pa.array(lot < 0.97), year, interval))
    return pc.if_else(pa.array(lot > 0.99), "", date)


def _jittered(random: np.random.Generator) -> pa.Array:
    return pa.array(random.integers(-9_999, 9_999, BATCH) / 10_000)
