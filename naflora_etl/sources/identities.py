"""Which records are of one specimen, where the catalogue number alone does not tell.

A catalogue number may be another specimen's in a second record, and an aggregator may lack the number, or tell another
one, while both tell the publisher's occurrenceID. Records are compared by their gathering: collector, collector's
number, date and country. Where two facts that both tell differ, or the collector and nothing else speaks for one
gathering, they are two specimens, whatever their ids say.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from naflora_etl.sources.ranking import Ranked

IDENTITIES = pa.schema(
    [
        ("bucket", pa.int64()),
        ("position", pa.int64()),
        *((name, pa.string()) for name in (
            "specimen_key", "fingerprint", "alias", "surname", "number", "eventDate", "countryCode", "datasetKey",
            "catalogNumber", "page_key")),
    ]
)  # fmt: skip
"""What is asked of a row; `bucket` and `position` say where it lies."""
REUSED, REPOINTED, JOINED = "NUMBER_REUSED", "ID_REUSED", "JOINED_BY_ID"
"""Flags: the number is borne by other specimens too; the occurrenceID is; the occurrenceID joined two keys."""


def _contradict(left: str, right: str) -> str:
    """Return SQL for whether two rows are of different gatherings; dates may be told more or less exactly."""
    facts = [f"({left}.{name} != {right}.{name})" for name in ("surname", "number", "countryCode")]
    a, b = f"left({left}.eventDate, 10)", f"left({right}.eventDate, 10)"
    facts.append(f"(not starts_with({a}, {b}) and not starts_with({b}, {a}))")
    differ = " + ".join(f"coalesce({fact}, false)::int" for fact in facts)
    agree = f"coalesce({left}.number = {right}.number, false) or coalesce(starts_with({a}, {b}), false)"
    return f"({differ} >= 2 or (coalesce({facts[0]}, false) and not ({agree})))"


TOLD = "(surname is not null)::int + (number is not null)::int + (eventDate is not null)::int"

# The anchor of a number is the record that tells most; a record that contradicts it is another specimen.
BY_NUMBER = f"""
with numbers as (
    select hash(specimen_key) as h from identities where fingerprint is not null
    group by h having min(hash(fingerprint)) != max(hash(fingerprint))
), bearers as (
    select i.*, first_value(struct_pack(surname, number, countryCode, eventDate)) over (
        partition by specimen_key order by {TOLD} desc, fingerprint nulls last, bucket, position) as anchor
    from identities i semi join numbers c on c.h = hash(i.specimen_key)
), held as (
    select bucket, position, specimen_key as old_key, surname, number, {_contradict("b", "b.anchor")} as is_other
    from bearers b
), renamed as (
    select bucket, position,
        case when is_other then left(sha256(concat_ws('|', old_key, coalesce(surname, ''), coalesce(number, ''))), 20)
            else old_key end as specimen_key
    from held where old_key in (select old_key from held where is_other)
)"""

# The anchor of an occurrenceID is the record with the smallest key; whatever agrees with it takes that key, and takes
# all records of its own key along.
BY_ID = f"""{BY_NUMBER}, named as (
    select i.* exclude (specimen_key), coalesce(r.specimen_key, i.specimen_key) as specimen_key,
        r.position is not null as is_renamed
    from identities i left join renamed r using (bucket, position)
), candidates as (
    select hash(alias) as h from named where alias is not null
    group by h having min(hash(specimen_key)) != max(hash(specimen_key))
), rows as (
    select n.*, first_value(specimen_key) over w as anchor_key, first_value(datasetKey) over w as anchor_dataset,
        first_value(struct_pack(surname, number, countryCode, eventDate)) over w as anchor
    from named n semi join candidates c on c.h = hash(n.alias)
    window w as (partition by alias order by catalogNumber is null, {TOLD} desc, specimen_key)
), compared as (
    select *, {_contradict("r", "r.anchor")} as is_other,
        datasetKey is not distinct from anchor_dataset as is_same_dataset
    from rows r
), unions as (
    select specimen_key, min(anchor_key) as anchor_key from compared
    where specimen_key != anchor_key and not is_other and not is_same_dataset group by specimen_key
), flagged as (
    select bucket, position, '{REPOINTED}' as flag from compared
    where alias in (select alias from compared where is_other)
)
select coalesce(n.bucket, f.bucket) as bucket, coalesce(n.position, f.position) as position, n.specimen_key,
    nullif(concat_ws(' ', n.flag, f.flag), '') as flag
from (
    select bucket, position, coalesce(u.anchor_key, n.specimen_key) as specimen_key,
        nullif(concat_ws(' ', case when is_renamed then '{REUSED}' end,
            case when u.anchor_key is not null then '{JOINED}' end), '') as flag
    from named n left join unions u using (specimen_key)
    where is_renamed or u.anchor_key is not null
) n full join flagged f on f.bucket = n.bucket and f.position = n.position
order by bucket, position
"""


def find_identities(query: Callable[..., pa.Table]) -> pa.Table:
    """Return the rows of the database's table `identities` whose specimen key changes, or that bear a flag.

    Columns: bucket, position, specimen_key, flag.
    """
    return query(BY_ID)


def find_suspects(keys: np.ndarray, fingerprints: np.ndarray, aliases: np.ndarray) -> np.ndarray:
    """Return of which records find_identities may say anything: a few of all.

    All are hashes of 64 bits, one a record, 0 where there is none. It is those whose specimen key stands with several
    fingerprints, or with an occurrenceID that stands under several keys, and a few whose hashes look so: rows with any
    other key can neither be told apart nor joined.
    """
    if not len(keys):
        return np.zeros(0, bool)
    ids = Ranked(aliases)
    has_shared_id = ids.spread(_differ(ids, keys)) & (aliases != 0)
    numbers = Ranked(keys)
    is_joined = np.logical_or.reduceat(numbers.sort(has_shared_id), numbers.starts)
    return numbers.spread(is_joined | _differ(numbers, fingerprints, besides=0))


def _differ(rows: Ranked, values: np.ndarray, besides: int | None = None) -> np.ndarray:
    """Return for each group whether its values differ; the value `besides`, the least of all, does not count."""
    ranked = rows.sort(values)
    highest = np.maximum.reduceat(ranked, rows.starts)
    if besides is not None:
        ranked[ranked == besides] = np.iinfo(ranked.dtype).max
    lowest = np.minimum.reduceat(ranked, rows.starts)
    told = highest != lowest
    return np.asarray(told if besides is None else told & (highest != besides))
