"""Which aggregators did not answer about some taxa, so that what they have of them is missing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.publishing.contents import SOURCES

ANSWERED = ("NAME_NOT_IN_SOURCE", "SOURCE_CEILING", "DATASET_NOT_NAMED")
"""Issues of rows that are answers all the same. With any other, a refused address among them, nothing came."""
COLUMNS = ("source", "taxon_id", "issue")
"""Columns of `harvest` that tell it."""


def tell_silences(harvest: pa.Table) -> tuple[str, ...]:
    """Return a sentence for each source that did not answer all, of a whole table `harvest`."""
    asked = harvest.select(COLUMNS)
    silent = asked.filter(pc.invert(pc.is_in(asked["issue"], pa.array([None, *ANSWERED]))))
    sources = sorted(set(silent["source"].to_pylist()))
    return tuple(_tell(source, _count_taxa(silent, source), _count_taxa(asked, source)) for source in sources)


def _tell(source: str, taxa: int, of: int) -> str:
    name = SOURCES.get(source, source)
    if not taxa:  # one archive for all of them
        return f"{name} did not send what it was asked for, so its records are not here."
    missing = "so its records of them are not all here"
    return f"{name} gave no usable answer about {taxa:,} of {of:,} taxa, {missing}."


def _count_taxa(rows: pa.Table, source: str) -> int:
    return len(pc.unique(rows.filter(pc.equal(rows["source"], source))["taxon_id"]).drop_null())
