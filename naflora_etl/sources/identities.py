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
import pyarrow.compute as pc

from naflora_etl.sources.ranking import Ranked

IDENTITIES = pa.schema(
    [
        ("bucket", pa.int64()),
        ("position", pa.int64()),
        *((name, pa.string()) for name in (
            "specimen_key", "alias", "surname", "number", "eventDate", "countryCode", "datasetKey",
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
    is_one_date = f"(starts_with({a}, {b}) or starts_with({b}, {a}))"
    facts.append(f"(not {is_one_date})")
    differ = " + ".join(f"coalesce({fact}, false)::int" for fact in facts)
    agree = f"coalesce({left}.number = {right}.number, false) or coalesce({is_one_date}, false)"
    return f"({differ} >= 2 or (coalesce({facts[0]}, false) and not ({agree})))"


FINGERPRINT = """case when coalesce(surname, number, eventDate) is not null then left(sha256(concat_ws('|',
    coalesce(surname, ''), coalesce(number, ''), coalesce(left(eventDate, 10), ''), coalesce(countryCode, ''))), 20)
    end"""
"""SQL for what tells whether two rows are of one gathering at once, and stands for it in a key."""
TOLD = "(surname is not null)::int + (number is not null)::int + (eventDate is not null)::int"

TURNS = 3
"""So often those that were told apart are compared among themselves."""

# The anchor of a number is the record that tells most; a record that contradicts it is another specimen. Some museums
# write one number on everything, so that there is a last turn: there whoever tells other facts is another specimen.
BY_NUMBER = f"""
with numbers as (
    select hash(specimen_key) as h from identities where fingerprint is not null
    group by h having min(hash(fingerprint)) != max(hash(fingerprint))
), bearers as (
    select i.*, first_value(struct_pack(surname, number, countryCode, eventDate)) over (
        partition by specimen_key order by {TOLD} desc, fingerprint nulls last, bucket, position) as anchor
    from identities i semi join numbers c on c.h = hash(i.specimen_key)
), held as (
    select bucket, position, specimen_key as old_key, {_contradict("b", "b.anchor")} as is_other,
        concat_ws('|', coalesce(surname, ''), coalesce(number, '')) as gathered, fingerprint
    from bearers b
)
select bucket, position, is_other, case when is_other
        then left(sha256(old_key || '|' || case when $is_last then fingerprint else gathered end), 20)
        else old_key end as specimen_key
from held where old_key in (select old_key from held where is_other)
"""
OTHERS = """
select i.* replace (r.specimen_key as specimen_key) from identities i join renamed r using (bucket, position)
where is_other
"""

# The anchor of an occurrenceID is a record with a catalogue number that tells most.
BY_ID = f"""
with named as (
    select i.* replace (coalesce(r.specimen_key, i.specimen_key) as specimen_key)
    from identities i left join renamed r using (bucket, position) where alias is not null
), candidates as (
    select hash(alias) as h from named group by h having min(hash(specimen_key)) != max(hash(specimen_key))
), rows as (
    select n.*, first_value(specimen_key) over w as anchor_key,
        first_value(struct_pack(surname, number, countryCode, eventDate)) over w as anchor
    from named n semi join candidates c on c.h = hash(n.alias)
    window w as (
        partition by alias order by catalogNumber is null, {TOLD} desc, specimen_key, fingerprint nulls last)
)
select bucket, position, alias, specimen_key, anchor_key, coalesce(datasetKey, '') as dataset,
    {_contradict("r", "r.anchor")} as is_other
from rows r
"""
# A key takes the anchor's where all its records agree with the anchor, and where no dataset tells both keys of the one
# occurrenceID: its publisher has two sheets then. It takes along all its records, with whatever occurrenceID.
UNIONS = """
with homes as (
    select distinct alias, dataset from compared where specimen_key = anchor_key
), keys as (
    select c.alias, specimen_key, any_value(anchor_key) as anchor_key,
        bool_or(is_other or h.dataset is not null) as is_apart
    from compared c left join homes h using (alias, dataset) where specimen_key != anchor_key
    group by c.alias, specimen_key
)
select specimen_key, min(anchor_key) as anchor_key from keys where not is_apart group by specimen_key
"""
CHANGES = f"""
with flagged as (
    select bucket, position, '{REPOINTED}' as flag from compared
    where alias in (select alias from compared where is_other)
), named as (
    select bucket, position, coalesce(u.anchor_key, r.specimen_key, i.specimen_key) as specimen_key,
        nullif(concat_ws(' ', case when r.position is not null then '{REUSED}' end,
            case when u.anchor_key is not null then '{JOINED}' end), '') as flag
    from identities i left join renamed r using (bucket, position)
        left join unions u on u.specimen_key = coalesce(r.specimen_key, i.specimen_key)
)
select coalesce(n.bucket, f.bucket) as bucket, coalesce(n.position, f.position) as position, n.specimen_key,
    nullif(concat_ws(' ', n.flag, f.flag), '') as flag
from (from named where flag is not null) n full join flagged f on f.bucket = n.bucket and f.position = n.position
"""


def find_identities(query: Callable[..., pa.Table], identities: pa.Table) -> pa.Table:
    """Return the rows of `identities` whose specimen key changes, or that bear a flag.

    Columns: bucket, position, specimen_key, flag. `query` runs SQL over tables that are given by name.
    """
    identities = query(f"select *, {FINGERPRINT} as fingerprint from identities", identities=identities)
    renamed = _tell_apart(query, identities)
    compared = query(BY_ID, identities=identities, renamed=renamed)
    unions = follow(query(UNIONS, compared=compared))
    return query(CHANGES, identities=identities, renamed=renamed, compared=compared, unions=unions)


def _tell_apart(query: Callable[..., pa.Table], identities: pa.Table, turns: int = TURNS) -> pa.Table:
    """Return the rows whose number other specimens bear too, with a key for each of these."""
    renamed = query(BY_NUMBER.replace("$is_last", str(turns == 1).lower()), identities=identities)
    others = query(OTHERS, identities=identities, renamed=renamed)
    if turns == 1 or not others.num_rows:
        return renamed
    # those with one surname and number have one key, though dates and countries may tell them apart
    further = _tell_apart(query, others, turns - 1)
    return query(
        """select bucket, position, coalesce(f.is_other, r.is_other) as is_other,
            coalesce(f.specimen_key, r.specimen_key) as specimen_key
        from renamed r left join further f using (bucket, position)""",
        renamed=renamed,
        further=further,
    )


def follow(unions: pa.Table) -> pa.Table:
    """Return unions in which no key leads to one that leads on: each leads to the last, of a ring to the smallest."""
    if not pc.any(pc.is_in(unions["anchor_key"], value_set=unions["specimen_key"].combine_chunks())).as_py():
        return unions
    columns = (unions[name].to_pylist() for name in ("specimen_key", "anchor_key"))
    leads: dict[str, str] = dict(zip(*columns, strict=True))
    ends: dict[str, str] = {}
    for key in leads:
        way: list[str] = []
        on_way: set[str] = set()
        while key in leads and key not in ends and key not in on_way:
            way.append(key)
            on_way.add(key)
            key = leads[key]
        end = min(way[way.index(key) :]) if key in on_way else ends.get(key, key)
        ends.update(dict.fromkeys(way, end))
    moved = {key: end for key, end in ends.items() if key != end}
    return pa.table([list(moved), list(moved.values())], schema=unions.schema)


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
