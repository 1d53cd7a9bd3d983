"""The brake: where a source lists far fewer of its images, it is asked whether they are gone before they go.

An index that is rebuilt, or a filter that no longer works, answers with nearly nothing, in good form and with status
200. What it no longer lists then looks withdrawn, and what is withdrawn leaves the next release. So a loss above
`reharvest.most_lost` is held against the records themselves: where fewer than half of a sample is gone by its key, the
source is taken to be in trouble, and all that it sent before is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.tables import query_tables
from naflora_etl.renewing.confirmation import Confirmation
from naflora_etl.sources.portals import PORTALS

FACTS = ("image_key", "source", "source_record_id", "taxon_id")
Confirm = Callable[[Mapping[str, list[str]]], Mapping[str, Confirmation]]
# only images whose record is not listed either: a record that is there without its image tells of itself
_SQL = """
    with old as (select distinct image_key, source, source_record_id from old_records
            semi join asked using (taxon_id) where image_key is not null),
        lost as (select * from old anti join new_records using (source, source_record_id)
            where not exists (select 1 from new_records
                where new_records.source = old.source and new_records.image_key = old.image_key))
    select source, count(distinct image_key) as images,
        (select count(distinct image_key) from lost where lost.source = old.source) as lost,
        (select list(distinct source_record_id) from lost where lost.source = old.source) as records
    from old group by source order by source
"""


@dataclass(frozen=True)
class Held:
    """A source that lists far fewer of its images than before, though their records are there."""

    source: str
    images: int
    """That it had."""
    lost: int
    """Of which it lists neither image nor record any more."""
    asked: int
    gone: int
    """Of the records asked for by key."""


def find_troubled(
    before: pa.Table, after: pa.Table, taxa: Collection[str], most_lost: float, confirm: Confirm
) -> list[Held]:
    """Return the sources whose loss is not believed; of two tables `records` only FACTS are read.

    `taxa` are those still asked about: what left the checklist is no loss of the source. `confirm` asks for records by
    key, and is called only for a loss above `most_lost`. A source whose records have no key to ask by is believed.
    """
    asked = pa.table({"taxon_id": pa.array(list(taxa), pa.string())})
    told = query_tables(_SQL, old_records=before.select(FACTS), new_records=after.select(FACTS), asked=asked)
    large = {row["source"]: row for row in told.to_pylist() if row["lost"] > most_lost * row["images"]}
    large = {source: row for source, row in large.items() if source in PORTALS}
    if not large:
        return []
    said = confirm({source: sorted(row["records"]) for source, row in large.items()})
    return [
        Held(source, row["images"], row["lost"], said[source].asked, said[source].gone)
        for source, row in large.items()
        if 2 * said[source].gone < said[source].asked
    ]


def keep_before(before: pa.Table, after: pa.Table, sources: Collection[str]) -> pa.Table:
    """Return the harvest `after`, but the rows of `sources` as they were in the harvest `before`."""
    of_these = [pc.is_in(table["source"], pa.array(list(sources), pa.string())) for table in (before, after)]
    return pa.concat_tables([after.filter(pc.invert(of_these[1])), before.filter(of_these[0]).cast(after.schema)])
