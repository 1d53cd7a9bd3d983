"""release: gather shards, tables, metadata, card and report into the folder to publish.

reads   shards, split, images, selection, records, harvest, taxa, checklist
writes  release        one row per file; the folder itself
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.build import Tables
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.packs import PackDamaged, Packs
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import read_parquet, write_parquet
from naflora_etl.imaging.audit import audit_sheets
from naflora_etl.imaging.smaller import shrink_jpeg
from naflora_etl.imaging.tesseract import has_tesseract
from naflora_etl.names.backbone import Backbone, describe_backbone
from naflora_etl.names.rules import FLAGGED, RULES, VERDICTS
from naflora_etl.publishing.attribution import THANKS, render_acknowledgements, write_attribution
from naflora_etl.publishing.bill import NAME as BILL
from naflora_etl.publishing.bill import write_bill
from naflora_etl.publishing.card import render_card
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import Sum, render_sums, sum_stream
from naflora_etl.publishing.citation import NAME as CITATION
from naflora_etl.publishing.citation import render_bibtex, render_cff
from naflora_etl.publishing.citations import BIBTEX, CSL, render_bibliography, render_csl
from naflora_etl.publishing.contact import make_contact_sheet
from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.croissant import NAME as CROISSANT
from naflora_etl.publishing.croissant import render_croissant
from naflora_etl.publishing.datapackage import NAME as DATAPACKAGE
from naflora_etl.publishing.datapackage import render_datapackage
from naflora_etl.publishing.derived import NAME as DERIVED
from naflora_etl.publishing.derived import Download, list_downloads, render_derived_dataset
from naflora_etl.publishing.diff import Difference, compare_manifests, manifest_of, read_names, read_release
from naflora_etl.publishing.funnel import count_funnel, count_hosts
from naflora_etl.publishing.kaggle import (
    list_genera,
    write_sample_submission,
    write_solution,
    write_test_metadata,
    write_train_metadata,
)
from naflora_etl.publishing.layouts import TarLayout
from naflora_etl.publishing.lock import NAME as LOCK
from naflora_etl.publishing.lock import render_lock
from naflora_etl.publishing.manifest import (
    BULK,
    FOR_EXCLUDED,
    FOR_MANIFEST,
    FOR_SHARDS,
    count_classes,
    join_manifest,
    list_excluded,
    list_names,
    list_specimens,
    write_manifest,
)
from naflora_etl.publishing.provenance import publish_recipe, render_recipe
from naflora_etl.publishing.report import render_report
from naflora_etl.publishing.reshard import reshard_images
from naflora_etl.publishing.samples import draw_rows
from naflora_etl.publishing.silences import tell_silences
from naflora_etl.publishing.tree import list_distances, measure_distances
from naflora_etl.publishing.verdicts import count_names
from naflora_etl.publishing.withdrawn import NAME as WITHDRAWN
from naflora_etl.publishing.withdrawn import find_withdrawn, write_withdrawn
from naflora_etl.recipe import Recipe, ReleaseOptions
from naflora_etl.sources.dataset_names import find_names
from naflora_etl.sources.renewal import PUBLISHED

READS = ("shards", "split", "images", "selection", "records", "harvest", "taxa", "checklist")
CERTIFICATE = "servers.json"
SOLUTION = "solution.csv"
WRITERS = 24
"""Files besides the shards, for the progress line."""
ROWS_AT_ONCE = 50_000
"""Rows at a time of what only the manifest is made of."""
PLACE = ["image_key", "pack", "offset", "size_bytes"]
CLEAN = {
    "shards": FOR_SHARDS,
    "split": ("image_key", "class_id", "class_key", "test_half"),
    "images": (*PLACE, "before_offset", "before_length_bytes", "text_boxes"),
    **dict.fromkeys(("selection", "records"), ("image_key",)),
}
"""Columns of the clean rows that are held throughout; what only the manifest is made of is read for it and let go."""
WHOLE = FOR_EXCLUDED | {"images": (*FOR_EXCLUDED["images"], "host", "source_size_bytes")}
"""Columns of whole tables, of which funnel, hosts and reasons are told."""


def write_release(
    *clean: pa.Table,
    options: ReleaseOptions,
    recipe: Recipe,
    tables: Tables,
    blobs: Blobs,
    packs: Packs,
    folder: Folder,
    spool: Spool,
    progress: Callable[..., None],
) -> pa.Table:
    """Write the release folder and return a row per file, sorted by path; the same tables give the same bytes.

    `clean` holds the clean rows of READS, in that order. Raises Fault when no image came through.
    """
    given = dict(zip(READS, clean, strict=True))
    if not given["shards"].num_rows:
        raise Fault("release: no image came through to the end, so there is nothing to publish; see `naflora status`.")
    contents = gather_contents(
        given,
        recipe,
        blobs=blobs,
        tables=tables,
        spool=spool,
        backbone=describe_backbone(tables.metadata("wcvp")),
        certificate=json.loads(folder.find("selection", CERTIFICATE) or b"null"),
    )
    manifest = contents.manifest
    pairs = make_contact_sheet(given["images"], manifest, packs, options.contact_sheet, options.before_px)
    reading = read_sample(given["images"], manifest, packs, options.audit_sample)
    page = render_report(contents, pairs, reading)
    shards = sorted(set(given["shards"]["shard"].to_pylist()))
    files = ReleaseFiles(folder, len(shards) + WRITERS, progress, tables, spool)
    for shard in shards:
        files.take("shards", shard)
    for size_px in options.sizes_px:
        _write_size(files, contents, size_px, recipe)
    _write_tables(files, contents, tables.whole("taxa"), options.tree)
    withdrawn = find_all_withdrawn(given["harvest"], blobs, tables, contents.manifest)
    files.write(WITHDRAWN, "table", lambda stream: write_withdrawn(withdrawn, stream))
    files.write("README.md", "document", lambda stream: stream.write(render_card(contents, reading).encode()))
    files.write("report.html", "report", lambda stream: stream.write(page.encode()))
    _write_descriptions(files, contents, list_downloads(given["harvest"]))
    lock = render_lock(recipe, tables.windows, list_downloads(given["harvest"]), files.sums)
    files.write(LOCK, "metadata", lambda stream: stream.write(lock))
    sums = render_sums(files.sums)
    files.write(SUMS, "checksums", lambda stream: stream.write(sums))
    if recipe.split.public_share is not None:
        _keep_solution(folder, manifest, given["split"])
    rows = [files.rows[name] for name in sorted(files.rows)]
    return pa.Table.from_pylist(rows, read_contract("release").arrow_schema)


def gather_contents(
    given: Mapping[str, pa.Table],
    recipe: Recipe,
    *,
    tables: Tables,
    blobs: Blobs,
    spool: Spool,
    backbone: Backbone | None,
    certificate: dict[str, Any] | None,
) -> Contents:
    """Return what the release holds, out of the clean tables and the servers' certificate.

    `tables` gives whole tables, and the columns that only the manifest is made of.
    """
    aside = _tell_aside(tables)  # first, for its tables need as much room as the manifest does
    pieces = {name: tables.windows(name, ROWS_AT_ONCE, columns) for name, columns in FOR_MANIFEST.items()}
    with spool:
        manifest = join_manifest(given["shards"], given["taxa"], pieces, spool, fetch_times=recipe.release.fetch_times)
    classes, taxa = count_classes(given), tables.whole("taxa")
    sets = manifest.select(["source", "datasetKey"]).group_by(["source", "datasetKey"]).aggregate([]).to_pylist()
    wanted = [(row["source"], row["datasetKey"]) for row in sets if row["datasetKey"]]
    return Contents(
        recipe=publish_recipe(recipe),
        backbone=asdict(backbone) if backbone else None,
        manifest=manifest,
        classes=classes,
        certificate=certificate,
        names=count_names(taxa, classes, VERDICTS, RULES, FLAGGED),
        dataset_names=find_names(given["harvest"].to_pylist(), wanted, blobs.get, blobs.file),
        changes=tell_changes(recipe.release, recipe.name, manifest, list_names(taxa)),
        **aside,
    )


def _tell_aside(tables: Tables) -> dict[str, Any]:
    """Return what was set aside, image by image and in numbers, who did not answer, and what came of each server."""
    whole = {name: tables.whole(name, WHOLE.get(name)) for name in READS}
    told = {"hosts": count_hosts(whole["images"]), "silences": tell_silences(whole["harvest"])}
    return told | {"excluded": list_excluded(whole), "funnel": count_funnel(whole)}


def _keep_solution(folder: Folder, manifest: pa.Table, split: pa.Table) -> None:
    """Write the answers to the test part where no published folder holds them."""
    halves = dict(zip(split["image_key"].to_pylist(), split["test_half"].to_pylist(), strict=True))
    with folder.open_private(SOLUTION) as stream:
        write_solution(manifest, halves, stream)


def _write_tables(files: ReleaseFiles, contents: Contents, taxa: pa.Table, tree: str | None) -> None:
    manifest, classes = contents.manifest, contents.classes
    specimens, datasets, names = list_specimens(manifest), contents.datasets, list_names(taxa)
    files.write("specimens.parquet", "table", lambda stream: write_parquet(specimens, stream))
    files.write("datasets.parquet", "table", lambda stream: write_parquet(datasets, stream))
    files.write("names.parquet", "table", lambda stream: write_parquet(names, stream))
    files.write_manifest("manifest.parquet", manifest)
    files.write("classes.parquet", "table", lambda stream: write_parquet(classes, stream))
    files.write("excluded.parquet", "table", lambda stream: write_parquet(contents.excluded, stream))
    files.write("attribution.csv", "table", lambda stream: write_attribution(manifest, stream))
    files.write(BILL, "table", lambda stream: write_bill(contents.hosts, stream))
    distances = list_distances(measure_distances(tree, list_genera(classes))) if tree else ()
    files.write(
        "train_metadata.json", "metadata", lambda stream: write_train_metadata(manifest, classes, stream, distances)
    )
    files.write("test_metadata.json", "metadata", lambda stream: write_test_metadata(manifest, stream))
    files.write("sample_submission.csv", "metadata", lambda stream: write_sample_submission(manifest, stream))
    made_by = render_recipe(contents.recipe | {"backbone": contents.backbone})
    files.write("recipe.json", "metadata", lambda stream: stream.write(made_by))


def _write_size(files: ReleaseFiles, contents: Contents, size_px: int, recipe: Recipe) -> None:
    """Write the smaller copies of one size, with a manifest of their own, into a folder."""
    place = f"size-{size_px}"
    layout = TarLayout(lambda name: files.folder.open(f"{place}/{name}", "wb"), recipe.shards.label)
    manifest = reshard_images(
        contents.manifest,
        files.folder.open,
        layout,
        shrink=lambda jpeg: shrink_jpeg(jpeg, size_px, recipe.images.jpeg_quality),
        progress=lambda done, total, note="": files.progress(done, total, f"{place}/{note}"),
    )
    for shard in sorted(set(manifest["shard"].to_pylist())):
        files.add(f"{place}/{shard}", "shard")
    files.write_manifest(f"{place}/manifest.parquet", manifest)
    files.write(f"{place}/classes.parquet", "table", lambda stream: write_parquet(contents.classes, stream))


def _write_descriptions(files: ReleaseFiles, contents: Contents, downloads: tuple[Download, ...]) -> None:
    files.write(DERIVED, "metadata", lambda stream: stream.write(render_derived_dataset(contents, downloads)))
    files.write(BIBTEX, "metadata", lambda stream: stream.write(render_bibliography(contents, downloads)))
    files.write(CSL, "metadata", lambda stream: stream.write(render_csl(contents, downloads)))
    files.write(THANKS, "document", lambda stream: stream.write(render_acknowledgements(contents, downloads)))
    croissant = render_croissant(contents, files.sums, render_bibtex(contents))
    package = render_datapackage(contents, files.rows)
    files.write(CROISSANT, "metadata", lambda stream: stream.write(croissant))
    files.write(DATAPACKAGE, "metadata", lambda stream: stream.write(package))
    files.write(CITATION, "metadata", lambda stream: stream.write(render_cff(contents)))


def find_all_withdrawn(harvest: pa.Table, blobs: Blobs, tables: Tables, manifest: pa.Table) -> pa.Table | None:
    """Return the images of earlier releases that may not be used any more; None where no earlier one is known of."""
    lists = [row["blob"] for row in harvest.select(["source", "blob"]).to_pylist() if row["source"] == PUBLISHED]
    if not lists:
        return None
    records = tables.whole("records", ["image_key", "issue"])
    return find_withdrawn(read_parquet(io.BytesIO(blobs.get(lists[0]))), records, manifest)


def files_of(options: ReleaseOptions) -> tuple[str, ...]:
    """Return the files outside the data folder that a release reads."""
    previous = (manifest_of(options.previous),) if options.previous else ()
    return (*previous, *((options.tree,) if options.tree else ()))


def tell_changes(options: ReleaseOptions, name: str, manifest: pa.Table, names: pa.Table) -> Difference | None:
    """Return what changed since the release that the recipe names as the one before; None when it names none."""
    if not options.previous:
        return None
    told = {"name": name, "version": options.version, "images": manifest.num_rows}
    previous = Path(options.previous)
    return compare_manifests(*read_release(previous), told, manifest, read_names(previous), names)


def read_sample(images: pa.Table, manifest: pa.Table, packs: Packs, count: int) -> dict[str, Any] | None:
    """Return what an independent reader read on `count` images drawn by their keys; None where there is no reader."""
    if not count or not has_tesseract():
        return None
    drawn = draw_rows(manifest, count, purpose="audit")
    keys = pa.array([row["image_key"] for row in drawn], pa.string())
    found = images.select(PLACE).filter(pc.is_in(images["image_key"], keys))
    places = {place["image_key"]: place for place in found.to_pylist()}

    def sheets() -> Iterator[tuple[dict[str, Any], bytes]]:
        for row in drawn:
            place = places[row["image_key"]]
            try:
                yield row, packs.read(place["pack"], place["offset"], place["size_bytes"])
            except (PackDamaged, OSError):  # shards has told of a damaged pack already
                continue

    return audit_sheets(sheets(), of=manifest.num_rows).figures


class ReleaseFiles:
    """The files of the release so far, each with its row."""

    def __init__(self, folder: Folder, total: int, progress: Callable[..., None], tables: Tables, spool: Spool) -> None:
        self.folder = folder
        self.tables = tables
        self.spool = spool
        self.total = total
        self.progress = progress
        self.rows: dict[str, dict[str, Any]] = {}

    @property
    def sums(self) -> dict[str, str]:
        """The sha256 of each, by name."""
        return {name: row["sha256"] for name, row in self.rows.items()}

    def take(self, stage: str, name: str) -> None:
        """Bring in a shard of another stage's folder."""
        self.folder.take(stage, name)
        self.add(name, "shard")

    def write(self, name: str, kind: str, write: Callable[[IO[bytes]], object]) -> None:
        """Write one file."""
        with self.folder.open(name, "wb") as stream:
            write(stream)
        self.add(name, kind)

    def write_manifest(self, name: str, manifest: pa.Table) -> None:
        """Write a manifest with the columns that it is not held with."""
        bulk = self.tables.windows("images", ROWS_AT_ONCE, ["image_key", BULK])
        with self.spool:
            self.write(name, "table", lambda stream: write_manifest(manifest, bulk, self.spool, stream))

    def add(self, name: str, kind: str) -> None:
        """Take up a file that lies in the folder."""
        with self.folder.open(name, "rb") as stream:
            found: Sum = sum_stream(stream)
        self.rows[name] = {"path": name, "kind": kind, **found._asdict(), "issue": None}
        self.progress(len(self.rows), self.total, name)


STAGE = Stage(
    "release",
    reads=READS,
    run=write_release,
    uses=("tables", "blobs", "packs", "folder", "spool", "recipe", "progress"),
    version=2,
    files=files_of,
    columns=CLEAN,
)
