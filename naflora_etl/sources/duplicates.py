"""One image in several rows: which licence counts, which row is kept, which label is unsure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.ahead import work_ahead
from naflora_etl.sources.encoded import encode
from naflora_etl.sources.licences import strictness
from naflora_etl.sources.ranking import Ranked

PREFERENCE = {"gbif": 0, "idigbio": 1, "archive": 2}
"""Whose row is kept: the aggregator that can be cited by DOI first."""
STRICTER = "LICENSE_CONTRADICTED"
"""Flag: rows of this image bear different licences, and the strictest counts for all of them."""
SHARED = pa.schema(
    [
        ("bucket", pa.int64()),
        ("position", pa.int64()),
        ("seq", pa.int64()),
        ("medium", pa.int64()),
        *((name, pa.string()) for name in (
            "image_key", "record_key", "source", "taxon_id", "license", "license_verbatim", "copy_urls", "issue")),
    ]
)  # fmt: skip
"""What is asked of a row to judge its image; `bucket` and `position` say where the row lies."""

# Rows stand in the order of `rank`: whose row is preferred, then the key. Of equally strict licences the first counts,
# which is asked of the images alone whose licences differ. A copy known by several rows is the preferred row's.
JUDGE = f"""
with known as (
    select shared.*, licenses.strictness, licenses.license_issue, coalesce(issue, license_issue) as own_issue,
        case source {' '.join(f"when '{name}' then '{rank}'" for name, rank in PREFERENCE.items())} end || record_key
            as rank
    from shared left join licenses on licenses.license is not distinct from shared.license
), counted as (
    select image_key, min(license) is distinct from max(license) as is_contradicted, max(license) as any_license,
        min(taxon_id) is distinct from max(taxon_id) as is_of_several,
        arg_min(regexp_extract(copy_urls, '"gbif": "([^"]*)"', 1), rank) filter (copy_urls like '%"gbif": %')
            as gbif_copy,
        arg_min(regexp_extract(copy_urls, '"idigbio": "([^"]*)"', 1), rank) filter (copy_urls like '%"idigbio": %')
            as idigbio_copy
    from known group by image_key having count(*) > 1
), settled as (
    select image_key,
        first(license order by strictness desc, seq, medium) filter (license is not null) as strictest,
        first(license_verbatim order by strictness desc, seq, medium) filter (license is not null)
            as strictest_verbatim
    from known semi join (from counted where is_contradicted) using (image_key) group by image_key
), licensed as (
    select k.bucket, k.position, k.image_key, k.rank, k.own_issue, k.copy_urls as own_copies, is_of_several,
        case when k.license is not null and is_contradicted then strictest else k.license end as license,
        case when k.license is not null and is_contradicted then strictest_verbatim else k.license_verbatim end
            as license_verbatim,
        case when is_contradicted then '{STRICTER}' end as flag,
        case when coalesce(gbif_copy, idigbio_copy) is not null then '{{' || concat_ws(', ',
            '"gbif": "' || gbif_copy || '"', '"idigbio": "' || idigbio_copy || '"') || '}}' end as copy_urls,
        coalesce(k.issue, case when k.license is null then coalesce(k.license_issue, s.license_issue)
            when is_contradicted then s.license_issue else k.license_issue end) as issue
    from known k join counted using (image_key) left join settled using (image_key)
        left join licenses s on s.license = coalesce(strictest, any_license)
), kept as (
    select image_key, min(rank) as rank from licensed where issue is null and not is_of_several group by image_key
)
select * exclude (own_issue, own_copies) from (
    select bucket, position, license, license_verbatim, copy_urls, flag,
        case when issue is not null then issue when is_of_several then 'IMAGE_OF_SEVERAL_TAXA'
            when l.rank != kept.rank then 'DUPLICATE_RECORD' end as issue,
        case when issue is null and l.rank != kept.rank then substr(kept.rank, 2) end as duplicate_of,
        own_issue, own_copies
    from licensed l left join kept using (image_key))
where flag is not null or issue is distinct from own_issue or copy_urls is distinct from own_copies
"""
ROWS_AT_ONCE = 300_000
"""Rows that are judged together, or so; millions at once take twice the time, since DuckDB has no room for them."""


def find_repeats(hashes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return for each hash of each batch whether it stands in another row too, or may; 0 stands for nothing."""
    if not hashes:
        return []
    every = np.concatenate(hashes)
    rows = Ranked(every)
    is_repeated = rows.spread(rows.lengths > 1) & (every != 0)
    return np.split(is_repeated, np.cumsum([len(batch) for batch in hashes])[:-1])


def judge_images(
    query: Callable[..., pa.Table], shared: pa.Table, license_issue: Callable[[str | None], str | None]
) -> pa.Table:
    """Return what changes in rows that share an image: licence, copies, issue, flag, and the row kept in their place.

    All rows of an image that tell a licence get the strictest that any of them tells, with its text; where that is not
    allowed, no row that tells none is clean either. All get every copy that any knows. Where rows, set aside or not,
    lead to different taxa, the clean ones are IMAGE_OF_SEVERAL_TAXA; else all clean ones but the preferred are
    DUPLICATE_RECORD. Rows in which nothing changes are left out.
    """
    images = encode(shared["image_key"]).indices
    shared = shared.set_column(SHARED.names.index("image_key"), "image_key", images)
    names = pc.unique(shared["license"]).to_pylist()
    licenses = pa.table(
        {
            "license": pa.array(names, pa.string()),
            "strictness": pa.array([None if name is None else strictness(name) for name in names], pa.int64()),
            "license_issue": pa.array([license_issue(name) for name in names], pa.string()),
        }
    )
    times = max(1, -(-shared.num_rows // ROWS_AT_ONCE))
    turns = images.fill_null(0).to_numpy() % times
    rows = np.split(np.argsort(turns, kind="stable"), np.cumsum(np.bincount(turns, minlength=times))[:-1])
    shared = shared.combine_chunks()  # else each turn would do it for itself

    def judge(of_turn: np.ndarray) -> pa.Table:
        return query(JUDGE, licenses=licenses, shared=shared.take(pa.array(of_turn)))

    return pa.concat_tables(work_ahead(judge, rows))


def by_bucket(changes: pa.Table, buckets: int) -> Iterator[pa.Table]:
    """Yield the changes of each bucket, in the order of their positions."""
    changes = changes.combine_chunks()
    of_bucket, position = changes["bucket"].to_numpy(), changes["position"].to_numpy()
    order = np.lexsort((position, of_bucket))
    for start, end in pairwise(np.searchsorted(of_bucket[order], np.arange(buckets + 1))):
        yield changes.take(pa.array(order[start:end]))
