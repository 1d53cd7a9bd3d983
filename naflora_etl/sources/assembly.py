"""From staged records and media to the records table: described by batch, joined by part, judged by image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.ahead import THREADS, work_ahead
from naflora_etl.engine.spool import Shelf, Spool
from naflora_etl.sources import pictures, specimens
from naflora_etl.sources.duplicates import SHARED, by_bucket, find_repeats, judge_images
from naflora_etl.sources.encoded import as_list, decode, flat, stack
from naflora_etl.sources.identities import IDENTITIES, find_identities, find_suspects
from naflora_etl.sources.joining import RowJoiner
from naflora_etl.sources.parting import Batches, place_rows
from naflora_etl.sources.pictures import PictureWriter
from naflora_etl.sources.specimens import SpecimenWriter
from naflora_etl.sources.staging import Staged

PART_BYTES = 160_000_000
"""Text of archives and pages that makes one part of the table, at most."""
AHEAD = 3
"""Batches that are read and described ahead."""
MANY_BROKEN = 50_000
"""Rows that cannot be read which are described at once."""
MARKS = {"is_repeated": SHARED, "is_suspect": IDENTITIES}
"""What says that a row is compared with others, and what is asked of it."""
COMPARED = ("key_hash", "fingerprint_hash", "alias_hash")


_NOTHING = Staged(specimens.STAGED.empty_table(), pictures.STAGED.empty_table())
_NO_SPECIMENS, _NO_PICTURES = specimens.DESCRIBED.empty_table(), pictures.DESCRIBED.empty_table()


def count_parts(size_bytes: int) -> int:
    """Return in how many parts so much text is joined; of several each thread has as many, so that none waits."""
    parts = max(1, -(-size_bytes // PART_BYTES))
    return parts if parts == 1 else -(-parts // THREADS) * THREADS


class Described(NamedTuple):
    """A batch, described."""

    specimens: pa.Table
    pictures: pa.Table
    broken: pa.Table
    """Staged yet, as all of them are described at once."""


class Joined(NamedTuple):
    """What is asked over all parts of the rows of one, which lie on a shelf."""

    taxa: pa.Array
    shared: pa.Table
    identities: pa.Table


class Assembly:
    """Takes batches, then gives the parts of the table, each sorted by its key."""

    def __init__(
        self,
        spool: Spool,
        *,
        find_taxon: Callable[..., tuple[str | None, str | None]],
        license_issue: Callable[[str | None], str | None],
        countries: tuple[str, ...],
        apis: tuple[str, str],
        size_bytes: int,
    ) -> None:
        self._spool = spool
        self._license_issue = license_issue
        self._writer = SpecimenWriter(spool.query, find_taxon, countries)
        self._pictures = PictureWriter(spool.query, gbif_api=apis[0], idigbio_api=apis[1])
        self._joiner = RowJoiner(license_issue)
        self._parts = count_parts(size_bytes)
        self._told = Batches(spool.shelf("specimens"), _NO_SPECIMENS.drop_columns(list(COMPARED)), "is_suspect")
        self._shown = Batches(spool.shelf("pictures"), _NO_PICTURES.drop_columns("image_hash"), "is_repeated")
        self._compared: list[list[np.ndarray]] = [[np.zeros(0, np.uint64)] for _ in COMPARED]
        self._images: list[np.ndarray] = []
        self._broken: list[pa.Table] = []
        self.records = 0
        """Records that came so far."""
        self.taxa: set[str | None] = set()
        """Taxa that have a row; whole when all parts were given."""

    def add(self, jobs: Iterable[Callable[[], Staged]]) -> None:
        """Take what the jobs stage; they are called in other threads."""
        for batch in work_ahead(self._describe, jobs, AHEAD):
            self._add(batch)
            self._broken.append(batch.broken)
            if sum(table.num_rows for table in self._broken) >= MANY_BROKEN:
                self._add_broken()

    def _add(self, batch: Described) -> None:
        self.records += batch.specimens.num_rows
        for known, name in zip(self._compared, COMPARED, strict=True):
            known.append(batch.specimens[name].to_numpy().copy())  # a view would keep all columns of the batch
        if batch.pictures.num_rows:
            self._images.append(batch.pictures["image_hash"].to_numpy().copy())
        self._told.add(batch.specimens.drop_columns(list(COMPARED)))
        self._shown.add(batch.pictures.drop_columns("image_hash"))

    def _add_broken(self) -> None:
        broken = stack(self._broken or [_NOTHING.broken])
        self._broken.clear()
        self._add(self._describe(lambda: Staged(broken, _NOTHING.pictures)))

    def parts(self, tell: Callable[[int, int], None]) -> Iterator[pa.Table]:
        """Yield the rows of each part."""
        self._add_broken()
        joined = self._spool.shelf("joined")
        shared, identities = [], []
        for number, part in enumerate(work_ahead(self._joining(joined), range(self._parts), 2, threads=3)):
            tell(number, 2 * self._parts)
            self.taxa.update(as_list(part.taxa))
            shared.append(part.shared)
            identities.append(part.identities)
        with ThreadPoolExecutor(1) as pool:  # neither has enough to do for two cores at every moment
            comparing = pool.submit(self._compare, _gathered(identities))
            changes = by_bucket(judge_images(self._spool.query, _gathered(shared), self._license_issue), self._parts)
            names = by_bucket(comparing.result(), self._parts)

        def make(given: tuple[int, pa.Table, pa.Table]) -> pa.Table:
            number, changed, named = given
            part = conclude(joined.read(number), changed, named)
            joined.drop(number)
            return part

        for number, part in enumerate(work_ahead(make, zip(range(self._parts), changes, names, strict=True))):
            tell(self._parts + number, 2 * self._parts)
            yield part

    def _describe(self, job: Callable[[], Staged]) -> Described:
        staged = job()
        told = self._writer.describe(staged.specimens) if staged.specimens.num_rows else _NO_SPECIMENS
        shown = self._pictures.describe(staged.pictures) if staged.pictures.num_rows else _NO_PICTURES
        return Described(told, shown, staged.broken)

    def _joining(self, joined: Shelf) -> Callable[[int], Joined]:
        """Return what joins a part, whose rows were all filed, and puts it on a shelf."""
        pa.default_memory_pool().release_unused()  # of batches that are on the scratch disk by now
        compared = []
        while self._compared:  # millions of numbers: each list goes when it is one array
            compared.append(np.concatenate(self._compared.pop(0)))
        with ThreadPoolExecutor() as pool:  # each sorts by itself, without Python's lock
            counting, comparing = pool.submit(find_repeats, self._images), pool.submit(find_suspects, *compared)
            of_specimens, of_pictures = place_rows(self._told.hashes, self._shown.hashes, self._parts)
            suspects = np.split(comparing.result(), np.cumsum([len(batch) for batch in of_specimens])[:-1])
            self._told.place(of_specimens, suspects)
            self._shown.place(of_pictures, counting.result())
        self._images = []
        compared.clear()

        def join(part: int) -> Joined:
            rows = self._joiner.join(self._told.take(part), self._shown.take(part))
            shared, doubted = (_select(rows, part, name, schema) for name, schema in MARKS.items())
            joined.put(part, rows.drop_columns(list(MARKS)))
            return Joined(decode(pc.unique(rows["taxon_id"])), shared, doubted)

        return join

    def _compare(self, identities: pa.Table) -> pa.Table:
        alias = self._writer.aliases(identities["alias"])
        identities = identities.set_column(IDENTITIES.names.index("alias"), "alias", alias)
        return find_identities(self._spool.query, identities)


def _gathered(tables: list[pa.Table]) -> pa.Table:
    """Return the rows of tables, which are let go."""
    table = pa.concat_tables(tables).unify_dictionaries()
    tables.clear()
    return table


def _select(rows: pa.Table, part: int, mark: str, schema: pa.Schema) -> pa.Table:
    """Return the rows with a mark as they are compared; in place of what is left of an occurrenceID, it is whole."""
    position = np.flatnonzero(rows[mark].fill_null(False).to_numpy())
    at = pa.array(position)
    columns = {"bucket": pa.array(np.full(len(position), part)), "position": at}
    for field in schema:
        if field.name not in columns:
            given = rows["occurrenceID" if field.name == "alias" else field.name]
            columns[field.name] = flat(given).take(at)  # what is encoded stays so, as there may be millions
    return pa.table({name: columns[name] for name in schema.names})


NOT_TOLD = ("seq", "medium", "surname", "number")
"""Columns of the joined rows that are used up."""


def conclude(rows: pa.Table, changed: pa.Table, named: pa.Table) -> pa.Table:
    """Return the rows of a part with what the judgements over all rows changed in them, by position."""
    table = {name: decode(rows[name]) for name in rows.column_names if name not in NOT_TOLD}
    table["issue"] = pc.coalesce(table["issue"], table["license_issue"])
    nothing = pa.nulls(rows.num_rows, pa.string())
    table["duplicate_of"], flags = nothing, []
    for change, columns in (
        (named, ("specimen_key",)),
        (changed, ("license", "license_verbatim", "copy_urls", "issue", "duplicate_of")),
    ):
        mask = np.zeros(rows.num_rows, bool)
        mask[change["position"].to_numpy()] = True
        for name in (*columns, "flag"):
            values = change[name].combine_chunks().cast(pa.string())
            if name == "specimen_key":  # null where there is but a flag
                values = pc.coalesce(values, table[name].filter(pa.array(mask)))
            made = pc.replace_with_mask(table.get(name, nothing), pa.array(mask), values)
            if name == "flag":
                flags.append(made)
            else:
                table[name] = made
    told = pc.binary_join_element_wise(*(pc.fill_null(flag, "") for flag in flags), " ")
    trimmed = pc.utf8_trim_whitespace(told)
    table["flags"] = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    return pa.table(table)
