"""withdrawn.csv: images that earlier releases held and that nobody may use any more, for whoever has such a release.

An image that was merely not chosen this time is none of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from naflora_etl.engine.tables import query_tables
from naflora_etl.issues import ISSUES
from naflora_etl.publishing.findings import BUILD_ANEW, Finding, tell_keys

NAME = "withdrawn.csv"
WITHDRAWN = "WITHDRAWN"
FACTS = ("image_key", "image_url", "taxon_name", "institutionCode", "catalogNumber", "source", "source_record_id")
COLUMNS = (*FACTS, "last_release", "reason", "meaning")
SCHEMA = pa.schema([(name, pa.string()) for name in (*FACTS, "last_release")])
"""Of the list of what was published so far."""


def list_published(manifest: pa.Table | None, version: str, earlier: pa.Table | None) -> pa.Table:
    """Return what was published up to a release of this version: its manifest's images, and those of earlier ones."""
    now = SCHEMA.empty_table()
    if manifest is not None:
        facts = manifest.select(FACTS)
        now = facts.append_column("last_release", pa.repeat(version, facts.num_rows)).cast(SCHEMA)
    both = pa.concat_tables([now, earlier if earlier is not None else SCHEMA.empty_table()])
    numbered = both.append_column("place", pa.array(range(both.num_rows)))
    sql = f"""select {", ".join(SCHEMA.names)} from published
        qualify row_number() over (partition by image_key order by place) = 1 order by image_key"""
    return query_tables(sql, published=numbered).cast(SCHEMA)


def find_withdrawn(published: pa.Table, records: pa.Table, manifest: pa.Table) -> pa.Table:
    """Return the published images without a clean row in `records` (the whole table), each with its reason; sorted.

    The reason is the issue that sets the image aside now, WITHDRAWN where no source has it any more.
    """
    sql = f"""select p.*, coalesce(r.issue, '{WITHDRAWN}') as reason from published p
        left join (select image_key, min(issue) as issue, bool_or(issue is null) as is_clean from records
            where image_key is not null group by image_key) r using (image_key)
        where not coalesce(r.is_clean, false) and image_key not in (select image_key from manifest)
        order by image_key"""
    facts = records.select(["image_key", "issue"])
    return query_tables(sql, published=published, records=facts, manifest=manifest.select(["image_key"]))


def write_withdrawn(withdrawn: pa.Table | None, stream: IO[bytes]) -> None:
    """Write a row per image; the headings alone where there is none."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in withdrawn.to_pylist() if withdrawn is not None else ():
        writer.writerow(row | {"meaning": ISSUES[row["reason"]]})
    text.detach()


def find_named(body: bytes, key: str) -> dict[str, str] | None:
    """Return the row of withdrawn.csv about an image; None where it names none of that key."""
    rows = csv.DictReader(io.StringIO(body.decode("utf-8")))
    return next((row for row in rows if row["image_key"] == key), None)


def check_withdrawn(body: bytes, manifest: pa.Table) -> Iterator[Finding]:
    """Yield the images that withdrawn.csv names and the manifest holds all the same."""
    named = {row["image_key"] for row in csv.DictReader(io.StringIO(body.decode("utf-8")))}
    both = named & set(manifest["image_key"].to_pylist())
    yield from tell_keys(NAME, "images that are withdrawn, and stand in the manifest all the same", both, BUILD_ANEW)
