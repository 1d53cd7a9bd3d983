"""What a stage is: a function from tables to a table, its name, and what it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Stage:
    """One step of the path; the table, the schema and the recipe's section bear its name.

    `run(*tables, options=section, **effects)` gets the clean rows of each table in `reads`, its own section of the
    recipe, and the effects it `uses`; it returns the whole new table. A stage without `uses` is a pure function.
    One that `streams` yields its table in parts instead, none of which needs much memory.
    """

    name: str
    reads: tuple[str, ...]
    run: Callable[..., pa.Table | Iterator[pa.Table]]
    uses: tuple[str, ...] = ()
    """Effects handed in as keywords: http, blobs, notes, packs, folder, tables, slice, progress, spool."""
    version: int = 1
    """Raised by hand when the meaning of the output changes."""
    slice_by: str | None = None
    """Key whose rows stay together when a long stage is cut into slices; None: one slice."""
    rows_per_slice: str | None = None
    """Name of the option that says how many rows of the first table a slice takes."""
    accounts_for: str | None = None
    """The promise that nothing vanishes: every value of this key that was given comes back, clean or with an issue."""
    accounts_from: str | None = None
    """The table whose keys must come back; the first one when not said."""
    files: Callable[[Any], Sequence[str]] | None = None
    """Files outside the data folder that the stage reads, given its options; their digests are part of its inputs."""
    transient: frozenset[str] = frozenset()
    """Issues for whose sake another build runs the slice again."""
    also: tuple[str, ...] = ()
    """Other sections of the recipe whose change must run the stage again; handed in as keywords."""
    streams: bool = False
    """It yields parts, which must have no primary key in common."""
    columns: Mapping[str, Sequence[str]] | None = field(default=None, hash=False)
    """The columns that it needs of a large table; all of them where the table is not named here."""
