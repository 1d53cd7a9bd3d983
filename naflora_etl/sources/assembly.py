"""From staged records and media to the records table: described by batch, joined by bucket, judged by image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.ahead import work_ahead
from naflora_etl.engine.spool import Spool
from naflora_etl.sources import pictures, specimens
from naflora_etl.sources.duplicates import SHARED, Repeats, by_bucket, judge_images
from naflora_etl.sources.identities import IDENTITIES, find_identities
from naflora_etl.sources.joining import RowJoiner
from naflora_etl.sources.pictures import PictureWriter
from naflora_etl.sources.specimens import SpecimenWriter
from naflora_etl.sources.staging import Staged

BUCKET_BYTES = 240_000_000
"""Text of archives and pages that makes one bucket."""
AHEAD = 3
"""Batches that are read and described ahead."""


class Described(NamedTuple):
    """A batch, described, with the bucket of each row and the hash of each image's key."""

    specimens: pa.Table
    pictures: pa.Table
    buckets: np.ndarray
    picture_buckets: np.ndarray
    hashes: np.ndarray


class Assembly:
    """Takes batches, then gives the parts of the table: one a bucket, each sorted by its key."""

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
        self._specimens = SpecimenWriter(spool.query, find_taxon, countries)
        self._pictures = PictureWriter(spool.query, gbif_api=apis[0], idigbio_api=apis[1])
        self._joiner = RowJoiner(license_issue)
        self._buckets = max(1, -(-size_bytes // BUCKET_BYTES))
        self._hashes: list[np.ndarray] = []
        self.records = 0
        """Records that came so far."""
        self.taxa: set[str | None] = set()
        """Taxa that have a row; whole when all parts were given."""

    def add(self, jobs: Iterable[Callable[[], Staged]]) -> None:
        """Take what the jobs stage; they are called in other threads."""
        for batch in work_ahead(self._describe, jobs, AHEAD):
            self._file(batch)

    def parts(self, tell: Callable[[int, int], None]) -> Iterator[pa.Table]:
        """Yield the rows of each bucket."""
        schema = self._join(tell)
        changes = by_bucket(judge_images(self._spool.query, None, self._license_issue), self._buckets)
        names = by_bucket(find_identities(self._spool.query), self._buckets)

        def make(given: tuple[int, pa.Table, pa.Table]) -> pa.Table:
            bucket, changed, named = given
            return conclude(self._spool.take("joined", bucket, schema), changed, named)

        for bucket, part in enumerate(work_ahead(make, zip(range(self._buckets), changes, names, strict=True))):
            tell(self._buckets + bucket, 2 * self._buckets)
            yield part

    # one batch

    def _describe(self, job: Callable[[], Staged]) -> Described:
        staged = job()
        told = self._specimens.describe(staged.specimens) if staged.specimens.num_rows else _NO_SPECIMENS
        shown = self._pictures.describe(staged.pictures) if staged.pictures.num_rows else _NO_PICTURES
        hashes = self._spool.query("select hash(image_key) as h from t where image_key is not null", t=shown)
        return Described(told, shown, self._places(told), self._places(shown), hashes["h"].to_numpy())

    def _places(self, rows: pa.Table) -> np.ndarray:
        if self._buckets == 1:
            return np.zeros(rows.num_rows, np.int64)
        found = self._spool.query("select (hash(stem) % ?)::bigint as b from t", [self._buckets], t=rows)
        return np.asarray(found["b"].to_numpy())

    def _file(self, batch: Described) -> None:
        self.records += batch.specimens.num_rows
        self._spool.file("specimens", batch.specimens, batch.buckets)
        self._spool.file("pictures", batch.pictures, batch.picture_buckets)
        self._hashes.append(batch.hashes)

    # all buckets

    def _join(self, tell: Callable[[int, int], None]) -> pa.Schema:
        """Join every bucket and file its rows; keep what is judged over all rows. Return the schema of the rows."""
        repeats = Repeats(self._hashes)
        self._hashes.clear()

        def join(bucket: int) -> tuple[pa.Table, np.ndarray]:
            told = self._spool.take("specimens", bucket, specimens.DESCRIBED)
            shown = self._spool.take("pictures", bucket, pictures.DESCRIBED)
            rows = self._joiner.join(told, shown)
            rows = rows.append_column("position", pa.array(np.arange(rows.num_rows)))
            rows = rows.append_column("bucket", pa.repeat(pa.scalar(bucket, pa.int64()), rows.num_rows))
            hashes = self._spool.query("select hash(image_key) as h, image_key is null as n from t", t=rows)
            return rows, repeats.among(hashes["h"].to_numpy()) & ~hashes["n"].to_numpy()

        for bucket, (rows, is_shared) in enumerate(work_ahead(join, range(self._buckets), 1)):
            tell(bucket, 2 * self._buckets)
            self.taxa.update(pc.unique(rows["taxon_id"]).to_pylist())
            self._spool.keep("shared", rows.filter(pa.array(is_shared)).select(SHARED.names).cast(SHARED))
            self._spool.keep("identities", rows.select(IDENTITIES.names).cast(IDENTITIES))
            self._spool.file("joined", rows, np.full(rows.num_rows, bucket))
            schema = rows.schema
        return schema


_NO_SPECIMENS, _NO_PICTURES = specimens.DESCRIBED.empty_table(), pictures.DESCRIBED.empty_table()


def conclude(rows: pa.Table, changed: pa.Table, named: pa.Table) -> pa.Table:
    """Return the rows of a bucket with what the judgements over all rows changed in them, by position."""
    table = {name: rows[name].combine_chunks() for name in rows.column_names}
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
