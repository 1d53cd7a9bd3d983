"""What a renewed harvest brought: images added, changed, of another taxon now, set aside, withdrawn.

An image is known by its address, so that records under new numbers are no change. It changed when one of the facts that
we use did; when an aggregator merely interpreted it anew, it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.tables import query_tables

FACTS = (
    "scientificName", "specimen_key", "gathering_key", "institutionCode", "collectionCode", "catalogNumber",
    "recordedBy", "recordNumber", "eventDate", "countryCode", "stateProvince", "decimalLatitude", "decimalLongitude",
    "license", "rightsHolder", "creator",
)  # fmt: skip
"""The facts that we use of a record, beside its taxon."""
COLUMNS = ("image_key", "record_key", "source", "source_record_id", "taxon_id", "image_url", "issue", *FACTS)
KINDS = {
    "added": "images that no source had before",
    "changed": "images of which a fact that we use is another",
    "moved": "images of another taxon than before",
    "set_aside": "images that may not be used any more, though they are still there",
    "withdrawn": "images that no source has any more",
}
_ONE = """(select * from {} where image_key is not null
    qualify row_number() over (partition by image_key order by issue is not null, record_key) = 1)"""
_SQL = f"""
    select coalesce(new.image_key, old.image_key) as image_key,
        case when old.image_key is null or old.issue is not null then 'added'
            when new.image_key is null then 'withdrawn' when new.issue is not null then 'set_aside'
            when old.taxon_id <> new.taxon_id then 'moved' else 'changed' end as kind,
        old.taxon_id as old_taxon_id, new.taxon_id as new_taxon_id, old.license as old_license,
        new.license as new_license, new.issue as new_issue, coalesce(old.source, new.source) as source,
        coalesce(old.source_record_id, new.source_record_id) as source_record_id,
        coalesce(new.institutionCode, old.institutionCode) as institutionCode,
        coalesce(new.catalogNumber, old.catalogNumber) as catalogNumber,
        coalesce(new.image_url, old.image_url) as image_url,
        {", ".join(f'old."{name}" is distinct from new."{name}" as "differs_{name}"' for name in FACTS)}
    from {_ONE.format("old_records")} old
    full join {_ONE.format("new_records")} new using (image_key)
    where (old.issue is null and old.image_key is not null or new.issue is null and new.image_key is not null)
        and (old.image_key is null or new.image_key is null or old.issue is not null or new.issue is not null
            or old.taxon_id <> new.taxon_id
            or {" or ".join(f'old."{name}" is distinct from new."{name}"' for name in FACTS)})
    order by kind, image_key
"""


@dataclass(frozen=True)
class Change:
    """The images that differ between two states of `records`; a row each."""

    rows: pa.Table
    """image_key, kind (out of KINDS), old and new taxon_id and license, new_issue, and where its record is."""

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the rows of one kind."""
        rows: list[dict[str, Any]] = self.rows.filter(pc.equal(self.rows["kind"], kind)).to_pylist()
        return rows

    @property
    def counts(self) -> dict[str, int]:
        """How many images are of each kind."""
        found = {row["values"]: row["counts"] for row in pc.value_counts(self.rows["kind"]).to_pylist()}
        return {kind: int(found.get(kind, 0)) for kind in KINDS}


def compare_records(before: pa.Table, after: pa.Table) -> Change:
    """Return what differs between two tables `records`, of which only COLUMNS are read."""
    return Change(query_tables(_SQL, old_records=before.select(COLUMNS), new_records=after.select(COLUMNS)))


def count_taxa(rows: list[dict[str, Any]], column: str, names: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return how many of some rows bear each taxon, by name, the most frequent first."""
    counts: dict[str, int] = {}
    for row in rows:
        name = names.get(row[column] or "", row[column] or "no taxon")
        counts[name] = counts.get(name, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
