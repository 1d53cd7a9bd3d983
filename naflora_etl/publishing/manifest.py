"""Tables in, published tables out: the manifest, the classes and what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.buckets import Buckets
from naflora_etl.engine.contracts import Contract, check_table, conform, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.tables import GROUP_ROWS, cut_windows, query_tables, write_pieces
from naflora_etl.publishing.licences import UNKNOWN
from naflora_etl.recipe.choosing import GENUS_KEY

FROM_RECORDS = (
    "scientificName", "institutionCode", "collectionCode", "catalogNumber", "occurrenceID", "recordedBy",
    "recordNumber", "eventDate", "year", "countryCode", "stateProvince", "decimalLatitude", "decimalLongitude",
    "source", "source_record_id", "datasetKey", "license_verbatim", "rightsHolder", "creator", "image_url",
)  # fmt: skip
FROM_IMAGES = (
    "sha256", "width_px", "height_px", "dhash", "source_sha256", "source_size_bytes", "source_width_px",
    "source_height_px", "text_boxes", "text_share", "text_quads", "detector",
)  # fmt: skip
FROM_TAXA = ("taxon_name", "taxon_authors", "family", "genus", "species", "ipni_id")
PAGES = {"gbif": "https://www.gbif.org/dataset/{}", "idigbio": "https://www.idigbio.org/portal/recordsets/{}"}
NAMING = ("title", "doi", "citation")
"""What a table of datasets says that no manifest does."""
Names = Mapping[tuple[str, str], tuple[str, str | None, str | None]]
"""NAMING of the datasets that told their title, by source and key."""
BULK = "text_quads"
"""Half of a manifest's bytes, which nothing is counted from: it is never in memory whole, and stands in files alone."""
MEMORY = "1200MB"
"""What a query over all images may hold before it spills; those that are that large ask for a few columns only."""
FOR_SHARDS = ("image_key", "taxon_id", "class_id", "part", "shard", "offset", "length_bytes")
"""Columns of clean rows that a manifest begins with."""
FOR_MANIFEST = {
    "split": ("image_key", "specimen_key", "gathering_key", "issue"),
    "images": ("image_key", *(name for name in FROM_IMAGES if name != BULK), "fetched_at", "issue"),
    "records": ("record_key", "image_key", "license", *FROM_RECORDS, "issue"),
}
"""Columns of whole tables that are joined to them."""
DIGITS = list("0123456789abcdef")
"""What a key begins with, in order."""
FOR_EXCLUDED = {
    "records": ("record_key", "image_key", "taxon_id", "image_url", "issue"),
    "selection": ("image_key", "taxon_id", "image_url", "issue"),
    **dict.fromkeys(("images", "split", "shards"), ("image_key", "taxon_id", "issue")),
}
"""Columns of whole tables that tell what was set aside."""
SETS_ASIDE = ("records", "selection", "images", "split", "shards")
"""Stages that set images aside, in order of the path."""

ONE_TAXON = f"""(select taxon_id, {", ".join(FROM_TAXA)} from taxa
    qualify row_number() over (partition by taxon_id order by checklist_key) = 1
    union all by name select '{GENUS_KEY}' || genus as taxon_id, genus as taxon_name, genus, min(family) as family
    from taxa where genus is not null group by genus)"""
ONE_RECORD = """(select * from records where issue is null
    qualify row_number() over (partition by image_key order by record_key) = 1)"""

ALSO_KNOWN = f"""select e.image_key, string_agg(distinct e.record_key, ' | ' order by e.record_key) as also_known_as
    from records e join {ONE_RECORD} o on o.image_key = e.image_key and o.record_key <> e.record_key
    group by e.image_key"""

# The competition numbered training images within their class and test images from 0, in an order that tells nothing;
# image_key is a hash of the address, so its order does not either.
IMAGE_ID = """
    case when h.part = 'train'
        then printf('%05d__%03d', h.class_id, row_number() over (partition by h.part, h.class_id order by h.image_key))
        else cast(row_number() over (partition by h.part order by h.image_key) - 1 as varchar)
    end as image_id"""


def accepted_taxa(taxa: pa.Table) -> pa.Table:
    """Return one row per accepted taxon, and per genus, though several names may lead to it; sorted by taxon_id."""
    columns = ", ".join(("taxon_id", *FROM_TAXA))
    return query_tables(f"select {columns} from {ONE_TAXON} where taxon_id is not null order by taxon_id", taxa=taxa)


def join_manifest(
    shards: pa.Table,
    taxa: pa.Table,
    pieces: Mapping[str, Iterable[pa.Table]],
    spool: Spool,
    *,
    fetch_times: bool = False,
) -> pa.Table:
    """Return the manifest without BULK: one row per packed image, sorted by image_key.

    `shards` has FOR_SHARDS of its clean rows. `pieces` gives FOR_MANIFEST of whole tables, so many rows at a time; they
    wait in the spool and are joined a bucket of keys after the other. Duplicates are told as `also_known_as`. Fetch
    times are left out unless they are wanted: with them two builds from the same answers differ. Raises Fault when a
    required fact is missing, which then is missing in what was given.
    """
    filed = {name: _file(name, read_contract(name).only(*FOR_MANIFEST[name]), pieces[name], spool) for name in pieces}
    columns = ", ".join(
        ['h.image_key, h.part, h.class_id, h.shard, h."offset", h.length_bytes, h.taxon_id, h.image_id']
        + ["s.specimen_key, s.gathering_key", f"coalesce(r.license, '{UNKNOWN}') as license"]
        + [f"i.{name}" for name in FROM_IMAGES if name != BULK]
        + [f"t.{name}" for name in FROM_TAXA]
        + [f'r."{name}"' for name in FROM_RECORDS]
        + ["a.also_known_as", f"{'i.fetched_at' if fetch_times else 'null'} as fetched_at"]
    )
    sql = f"""select {columns} from shards h
        left join (select * from split where issue is null) s using (image_key)
        left join (select * from images where issue is null) i using (image_key)
        left join taxa t on t.taxon_id = h.taxon_id left join {ONE_RECORD} r using (image_key)
        left join ({ALSO_KNOWN}) a using (image_key) order by h.image_key"""

    def joined() -> Iterator[pa.Table]:
        for bucket, rows in enumerate(_cut_buckets(_number_images(shards))):
            tables = {name: buckets.take(bucket) for name, buckets in filed.items()}
            yield query_tables(sql, shards=rows, taxa=accepted, **tables)

    accepted = accepted_taxa(taxa)
    manifest = pa.concat_tables(cut_windows(joined(), GROUP_ROWS))
    return _promised(manifest, read_contract("manifest").without(BULK))


def _number_images(shards: pa.Table) -> pa.Table:
    """Return `shards` with each image's id in the competition, sorted by image_key."""
    sql = f"select h.*, {IMAGE_ID} from shards h order by h.image_key"
    return query_tables(sql, memory_limit=MEMORY, shards=shards)


def write_manifest(manifest: pa.Table, bulk: Iterable[pa.Table], spool: Spool, stream: IO[bytes]) -> None:
    """Write manifest.parquet; `bulk` gives image_key and BULK of all images, in any order and so many rows at a time.

    Raises Fault as `join_manifest`.
    """
    contract = read_contract("manifest")
    filed = _file(BULK, contract.only("image_key", BULK), bulk, spool)

    def whole() -> Iterator[pa.Table]:
        for bucket, rows in enumerate(_cut_buckets(manifest)):
            there = filed.take(bucket).combine_chunks()
            place = pc.index_in(rows["image_key"], there["image_key"].combine_chunks())
            yield _promised(rows.append_column(BULK, there[BULK].take(place)), contract)

    write_pieces(cut_windows(whole(), GROUP_ROWS), stream)


def _file(name: str, contract: Contract, pieces: Iterable[pa.Table], spool: Spool) -> Buckets:
    """Return the rows that have an image_key in the buckets of their keys."""
    filed = spool.buckets(name, contract.arrow_schema)
    for piece in pieces:
        rows = piece.filter(pc.is_valid(piece["image_key"]))
        filed.file(rows, _number_buckets(rows))
    return filed


def _number_buckets(rows: pa.Table) -> np.ndarray:
    """Return the bucket of each row: image_key begins with a digit of a hash, so that all are of one size."""
    digits = pc.utf8_slice_codeunits(rows["image_key"].cast(pa.string()), 0, 1)
    return np.asarray(pc.fill_null(pc.index_in(digits, pa.array(DIGITS)), 0).combine_chunks())


def _cut_buckets(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of each bucket out of rows that are sorted by image_key."""
    ends = np.cumsum(np.bincount(_number_buckets(rows), minlength=len(DIGITS)))
    for start, end in zip([0, *ends], ends, strict=False):
        yield rows.slice(start, end - start)


def count_classes(clean: Mapping[str, pa.Table]) -> pa.Table:
    """Return one row per class with the numbers of its images in the release, sorted by class_id.

    A class that lost all its images on the way to the shards stays, with zeros, so that the numbers keep their order.
    """
    columns = ", ".join(f"t.{name}" for name in FROM_TAXA)
    table = query_tables(
        f"""select c.class_id, c.taxon_id, {columns},
                count(h.image_key) filter (h.part = 'train') as images_train,
                count(h.image_key) filter (h.part = 'test') as images_test
            from (select distinct class_id, class_key as taxon_id from split) c
            left join {ONE_TAXON} t on t.taxon_id = c.taxon_id left join shards h on h.class_id = c.class_id
            group by all order by c.class_id""",
        **{name: clean[name] for name in ("split", "shards", "taxa")},
    )
    return _promised(table, read_contract("classes"))


def list_specimens(manifest: pa.Table) -> pa.Table:
    """Return one row per specimen of the manifest, as the record of its first image tells it, sorted by key."""
    names = [name for name in read_contract("specimens").arrow_schema.names if name not in ("specimen_key", "images")]
    keys = manifest.select(["specimen_key", "image_key"])
    found = query_tables(
        """select specimen_key, min(image_key) as first_key, count(*) as images from keys
            group by specimen_key order by specimen_key""",
        memory_limit=MEMORY,
        keys=keys,
    )
    place = pc.index_in(found["first_key"], keys["image_key"].combine_chunks())
    rows = manifest.select(names).take(place)
    for name in ("specimen_key", "images"):
        rows = rows.append_column(name, found[name])
    return _promised(rows, read_contract("specimens"))


def list_datasets(manifest: pa.Table, names: Names = MappingProxyType({})) -> pa.Table:
    """Return one row per dataset that gave images to the manifest, the largest of each aggregator first."""
    columns = ("source", "datasetKey", *NAMING)
    rows = [dict(zip(columns, (*whose, *said), strict=True)) for whose, said in sorted(names.items())]
    named = pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in columns]))
    pages = " ".join(f"when '{source}' then replace('{page}', '{{}}', datasetKey)" for source, page in PAGES.items())
    return _promised(
        query_tables(
            f"""select source, datasetKey, any_value(title) as title, any_value(doi) as doi,
                    any_value(citation) as citation, case source {pages} end as address, count(*) as images,
                    count(distinct specimen_key) as specimens,
                    string_agg(distinct institutionCode, ' | ' order by institutionCode) as institutions,
                    string_agg(distinct license, ' | ' order by license) as licenses
                from manifest left join named using (source, datasetKey)
                group by source, datasetKey order by source, images desc, datasetKey""",
            named=named,
            manifest=manifest.select(["source", "datasetKey", "specimen_key", "institutionCode", "license"]),
        ),
        read_contract("datasets"),
    )


def list_names(taxa: pa.Table) -> pa.Table:
    """Return what became of every name of the checklists; `taxa` is that whole table."""
    wanted = taxa.select(read_contract("names").arrow_schema.names)
    return _promised(wanted.sort_by("checklist_key"), read_contract("names"))


def list_excluded(whole: Mapping[str, pa.Table]) -> pa.Table:
    """Return every image that was set aside, the stage that did it and why, in order of the path.

    `whole` holds whole tables by name, set-aside rows too.
    """
    selects = ["select 0 as step, 'records' as stage, record_key, image_key, taxon_id, image_url, issue from records"]
    for step, stage in enumerate(SETS_ASIDE[1:], start=1):
        selects.append(
            f"""select {step}, '{stage}', r.record_key, x.image_key, x.taxon_id, s.image_url, x.issue from {stage} x
                left join selection s on s.image_key = x.image_key
                left join {ONE_RECORD} r on r.image_key = x.image_key"""
        )
    tables = {name: whole[name].select(columns) for name, columns in FOR_EXCLUDED.items()}
    aside = {name: rows.filter(pc.is_valid(rows["issue"])) for name, rows in tables.items()}
    keys = pa.concat_tables(aside[name].select(["image_key"]) for name in SETS_ASIDE[1:])["image_key"].combine_chunks()
    for name in ("records", "selection"):  # which tell more of what another stage set aside
        rows = tables[name]
        aside[name] = rows.filter(pc.or_(pc.is_valid(rows["issue"]), pc.is_in(rows["image_key"], keys)))
    table = query_tables(
        f"""select stage, record_key, image_key, taxon_id, image_url, issue from ({" union all ".join(selects)})
            where issue is not null order by step, image_key nulls last, record_key nulls last, taxon_id""",
        memory_limit=MEMORY,
        **aside,
    )
    return _promised(table, read_contract("excluded"))


def _promised(table: pa.Table, contract: Contract) -> pa.Table:
    table = conform(table, contract)
    faults = check_table(table, contract)
    if faults:
        raise Fault(f"release: what was given lacks something that a release must tell. {' '.join(faults)}")
    return table
