"""A subset of a release, written: its own manifest and classes, lists of keys, and its own tars when asked for."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes, query_tables
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import render_sums, sum_stream
from naflora_etl.publishing.manifest import FROM_TAXA, IMAGE_ID
from naflora_etl.publishing.parcel import MANIFEST
from naflora_etl.publishing.samples import ReleaseImages
from naflora_etl.publishing.tar import LABEL, SampleTar

SAMPLES_PER_TAR = 1000
CLASSES = f"""select class_id, taxon_id, {", ".join(FROM_TAXA)}, count(*) filter (part = 'train') as images_train,
    count(*) filter (part = 'test') as images_test from manifest group by all order by class_id"""


def write_subset(
    release: ReleaseImages,
    rows: pa.Table,
    lists: Mapping[str, list[str]],
    out: Path,
    *,
    told: Mapping[str, Any],
    more_lists: Mapping[str, list[str]] | None = None,
    pack: bool = False,
    progress: Callable[..., None] = lambda done, total, note="": None,
) -> dict[str, Any]:
    """Write the subset into a new folder `out` and return what subset.json tells.

    Classes and image ids are numbered anew, as in a release. Without `pack` the manifest points into the tars of the
    release; with it each list of keys becomes a tar of the same name (validation images lie in tars of their own).
    `more_lists` are written as lists alone. The same release and rule give the same bytes. Raises Fault when `out`
    holds something, or an image is damaged.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Fault(f"{out} is there already and not empty; name a new folder.")
    manifest = _number_anew(rows.drop_columns(["use"]))
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "keys").mkdir(parents=True)
    try:
        for name, keys in {**lists, **(more_lists or {})}.items():
            (beside / "keys" / f"{name}.txt").write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
        if pack:
            manifest = _pack(release, manifest, lists, beside, progress)
        uses = {use: pc.sum(pc.equal(rows["use"], use)).as_py() or 0 for use in ("train", "validation", "test")}
        with release.parcel.open(MANIFEST) as stream:
            source = sum_stream(stream).sha256
        facts = {
            **told,
            "classes": len(pc.unique(manifest["class_id"])),
            "images": uses,
            "source_manifest_sha256": source,
            "packed": pack,
        }
        (beside / "manifest.parquet").write_bytes(parquet_bytes(manifest))
        (beside / "classes.parquet").write_bytes(parquet_bytes(query_tables(CLASSES, manifest=manifest)))
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        (beside / "subset.json").write_text(text, encoding="utf-8")
        (beside / SUMS).write_bytes(render_sums(_sums(beside)))
        if out.exists():
            out.rmdir()
        out.parent.mkdir(parents=True, exist_ok=True)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return facts


def _number_anew(rows: pa.Table) -> pa.Table:
    """Return the rows with class_id from 0 in the old order of classes, and image_id as a release has it."""
    columns = ", ".join(IMAGE_ID if name == "image_id" else f'h."{name}"' for name in rows.column_names)
    table = query_tables(
        f"""with h as (select * replace (dense_rank() over (order by class_id) - 1 as class_id) from rows)
            select {columns} from h order by h.image_key""",
        rows=rows,
    )
    return table.cast(rows.schema)


def _pack(
    release: ReleaseImages,
    manifest: pa.Table,
    lists: Mapping[str, list[str]],
    folder: Path,
    progress: Callable[..., None],
) -> pa.Table:
    """Write the tars and return the manifest with where each image lies now."""
    was = {row["image_key"]: row for row in release.manifest.select(
        ["image_key", "shard", "offset", "length_bytes", "sha256"]).to_pylist()}  # fmt: skip
    labels = {row["image_key"]: row for row in manifest.select(["image_key", *LABEL]).to_pylist()}
    lies: dict[str, tuple[str, int]] = {}
    for name, keys in lists.items():
        tars = [keys[start : start + SAMPLES_PER_TAR] for start in range(0, len(keys), SAMPLES_PER_TAR)]
        for number, some in enumerate(tars):
            shard = f"{name}.tar" if name[-1].isdigit() and len(tars) == 1 else f"{name}-{number:05d}.tar"
            with (folder / shard).open("wb") as stream:
                tar = SampleTar(stream)
                for row, jpeg in release.read([was[key] for key in some]):
                    key = row["image_key"]
                    if hashlib.sha256(jpeg).hexdigest() != row["sha256"]:
                        raise Fault(f"{row['shard']}: image {key} has other bytes than the manifest promises; "
                                    "`naflora verify` tells all that is wrong with the release.")  # fmt: skip
                    label = {"key": key} | {field: labels[key][field] for field in LABEL}
                    lies[key] = shard, tar.add(key, jpeg, label).offset
                    progress(len(lies), manifest.num_rows, shard)
                tar.close()
    keys = manifest["image_key"].to_pylist()
    for name, place in (("shard", 0), ("offset", 1)):
        at = manifest.column_names.index(name)
        values = pa.array([lies[key][place] for key in keys], manifest.schema.field(name).type)
        manifest = manifest.set_column(at, name, values)
    return manifest


def _sums(folder: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            sums[path.relative_to(folder).as_posix()] = sum_stream(stream).sha256
    return sums
