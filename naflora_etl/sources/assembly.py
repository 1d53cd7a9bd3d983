"""From staged records and media to the records table: described by batch, joined by bucket, judged by image."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
WORKERS, AHEAD = 2, 3
"""Threads that read and describe, and batches that wait for them; Arrow and DuckDB let go of Python's lock."""


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
        self._joiner = RowJoiner(spool.query, license_issue)
        self._buckets = max(1, -(-size_bytes // BUCKET_BYTES))
        self._hashes: list[np.ndarray] = []
        self._pool = ThreadPoolExecutor(WORKERS)
        self._waiting: deque[Future[Described]] = deque()
        self._joined: pa.Schema | None = None
        self.records = 0
        """Records that came so far."""
        self.taxa: set[str | None] = set()
        """Taxa that have a row; whole when all parts were given."""

    def add(self, job: Callable[[], Staged]) -> None:
        """Take what `job` stages; it is called in another thread. Raises what an earlier job raised."""
        self._waiting.append(self._pool.submit(self._describe, job))
        if len(self._waiting) > AHEAD:
            self._file(self._waiting.popleft().result())

    def parts(self, tell: Callable[[int, int], None]) -> Iterator[pa.Table]:
        """Yield the rows of each bucket."""
        while self._waiting:
            self._file(self._waiting.popleft().result())
        self._pool.shutdown()
        self._join(tell)
        nobody = pa.table({"bucket": pa.array([], pa.int64()), "position": pa.array([], pa.int64())})
        changes = judge_images(self._spool.query, None, self._license_issue) if self._joined else nobody
        names = find_identities(self._spool.query) if self._joined else nobody
        for bucket, (changed, named) in enumerate(
            zip(by_bucket(changes, self._buckets), by_bucket(names, self._buckets), strict=True)
        ):
            if self._joined is not None:
                tell(self._buckets + bucket, 2 * self._buckets)
                rows = self._spool.take("joined", bucket, self._joined)
                yield self._spool.query(CONCLUDE, rows=rows, changed=changed, named=named)

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

    def _join(self, tell: Callable[[int, int], None]) -> None:
        repeats = Repeats(self._hashes)
        self._hashes.clear()
        for bucket in range(self._buckets):
            tell(bucket, 2 * self._buckets)
            told = self._spool.take("specimens", bucket, specimens.DESCRIBED)
            shown = self._spool.take("pictures", bucket, pictures.DESCRIBED)
            rows = self._joiner.join(told, shown)
            rows = rows.append_column("position", pa.array(np.arange(rows.num_rows)))
            rows = rows.append_column("bucket", pa.repeat(pa.scalar(bucket, pa.int64()), rows.num_rows))
            self._joined = rows.schema
            self.taxa.update(pc.unique(rows["taxon_id"]).to_pylist())
            hashes = self._spool.query("select hash(image_key) as h, image_key is null as n from t", t=rows)
            twice = repeats.among(hashes["h"].to_numpy()) & ~hashes["n"].to_numpy()
            self._spool.keep("shared", rows.filter(pa.array(twice)).select(SHARED.names).cast(SHARED))
            self._spool.keep("identities", rows.select(IDENTITIES.names).cast(IDENTITIES))
            self._spool.file("joined", rows, np.full(rows.num_rows, bucket))


_NO_SPECIMENS, _NO_PICTURES = specimens.DESCRIBED.empty_table(), pictures.DESCRIBED.empty_table()
CONCLUDE = """
select r.* exclude (license, license_verbatim, copy_urls, issue, specimen_key),
    coalesce(n.specimen_key, r.specimen_key) as specimen_key,
    coalesce(c.license, r.license) as license, coalesce(c.license_verbatim, r.license_verbatim) as license_verbatim,
    coalesce(c.copy_urls, r.copy_urls) as copy_urls, c.duplicate_of,
    case when c.position is null then coalesce(r.issue, r.license_issue) else c.issue end as issue,
    nullif(concat_ws(' ', n.flag, c.flag), '') as flags
from rows r left join changed c using (position) left join named n using (position)
order by record_key
"""
