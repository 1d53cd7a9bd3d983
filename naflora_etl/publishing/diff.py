"""What changed between two releases: images added, withdrawn, relabelled, fetched anew, moved; classes in and out."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes, query_tables, read_columns, read_parquet
from naflora_etl.publishing.name_changes import NAMES, tell_causes
from naflora_etl.publishing.parcel import MANIFEST, open_parcel

KINDS = {
    "added": "images that only the new release has",
    "withdrawn": "images that only the old release had",
    "relabelled": "images whose accepted taxon is another",
    "renamed": "images whose taxon has the same id and another name",
    "fetched_anew": "images whose source has other bytes",
    "redone": "images whose source has the same bytes and that were finished otherwise",
    "moved": "images that changed between train and test",
    "relicensed": "images whose licence is another",
}
"""An image may be of several kinds; only `added` and `withdrawn` exclude the others."""
EXAMPLES = 5
MEMORY = "1GB"
"""What the join of two manifests may hold before it spills."""
COLUMNS = ["image_key", "part", "taxon_id", "taxon_name", "sha256", "source_sha256", "license", "image_url",
           "scientificName"]  # fmt: skip
ADDED_LATER = ("scientificName",)
"""Columns that the first releases lack."""
CHANGES = """
    select coalesce(new.image_key, old.image_key) as image_key, old.part as old_part, new.part as new_part,
        old.taxon_id as old_taxon_id, new.taxon_id as new_taxon_id, old.taxon_name as old_name,
        new.taxon_name as new_name, old.scientificName as old_record_name,
        new.scientificName as new_record_name, old.license as old_license, new.license as new_license,
        coalesce(new.image_url, old.image_url) as image_url,
        old.image_key is null as added, new.image_key is null as withdrawn,
        coalesce(old.taxon_id <> new.taxon_id, false) as relabelled,
        coalesce(old.taxon_id = new.taxon_id and old.taxon_name <> new.taxon_name, false) as renamed,
        coalesce(old.source_sha256 <> new.source_sha256, false) as fetched_anew,
        coalesce(old.source_sha256 = new.source_sha256 and old.sha256 <> new.sha256, false) as redone,
        coalesce(old.part <> new.part, false) as moved,
        coalesce(old.license is distinct from new.license, false) and old.image_key is not null
            and new.image_key is not null as relicensed
    from old full join new using (image_key) order by 1
"""


@dataclass(frozen=True)
class Difference:
    """Two releases side by side."""

    old: Mapping[str, Any]
    """Name, version and number of images of the old one."""
    new: Mapping[str, Any]
    changes: pa.Table
    """A row per image of either release: old and new facts, a boolean for each of KINDS, the cause of another name."""
    classes_in: tuple[str, ...]
    """Names of taxa that only the new release has as a class."""
    classes_out: tuple[str, ...]
    renames: tuple[tuple[str, str, int], ...]
    """Old name, new name and number of images, for those relabelled or renamed; the most images first."""
    causes: Mapping[tuple[str, str], tuple[str, ...]]
    """Why, by old and new name, for each of `renames`."""
    test_set_is_same: bool
    """Whether every test image of the old release is one of the new, under the same taxon, and there is no other."""

    @property
    def counts(self) -> dict[str, int]:
        """How many images are of each kind."""
        return {kind: int(pc.sum(self.changes[kind]).as_py() or 0) for kind in KINDS}

    @property
    def is_empty(self) -> bool:
        return not any(self.counts.values()) and not self.classes_in and not self.classes_out

    def examples(self, kind: str) -> list[dict[str, Any]]:
        """Return the first images of a kind."""
        return list(self.changes.filter(self.changes[kind]).slice(0, EXAMPLES).to_pylist())

    def as_dict(self) -> dict[str, Any]:
        """Return what changed as JSON values, without the rows."""
        return {
            "old": dict(self.old),
            "new": dict(self.new),
            "counts": self.counts,
            "classes_in": list(self.classes_in),
            "classes_out": list(self.classes_out),
            "renames": [
                {"old": old, "new": new, "images": images, "causes": list(self.causes[old, new])}
                for old, new, images in self.renames
            ],
            "test_set_is_same": self.test_set_is_same,
        }


def compare_releases(old: Path, new: Path) -> Difference:
    """Return what changed from the release `old` to `new`; each a folder, a tarball, or any part of one.

    Raises Fault when there is no release at either path.
    """
    return compare_manifests(*read_release(old), *read_release(new), read_names(old), read_names(new))


def compare_manifests(
    told_old: Mapping[str, Any],
    was: pa.Table,
    told_new: Mapping[str, Any],
    now: pa.Table,
    known_old: pa.Table | None = None,
    known_new: pa.Table | None = None,
) -> Difference:
    """Return what changed from the manifest `was` to `now`, which have COLUMNS; told: name, version and images.

    `known_old` and `known_new` are the tables of names, which tell why an image bears another.
    """
    was, now = was.select(COLUMNS), now.select(COLUMNS)
    changes = tell_causes(query_tables(CHANGES, memory_limit=MEMORY, old=was, new=now), known_old, known_new)
    names_old, names_new = _names(was), _names(now)
    renames = query_tables(
        """select old_name, new_name, count(*) as images, list(distinct cause order by cause) as causes
            from changes where relabelled or renamed group by all order by images desc, old_name, new_name""",
        changes=changes,
    ).to_pylist()
    return Difference(
        old=told_old,
        new=told_new,
        changes=changes,
        classes_in=tuple(sorted(name for taxon, name in names_new.items() if taxon not in names_old)),
        classes_out=tuple(sorted(name for taxon, name in names_old.items() if taxon not in names_new)),
        renames=tuple((row["old_name"], row["new_name"], row["images"]) for row in renames),
        causes={(row["old_name"], row["new_name"]): tuple(row["causes"]) for row in renames},
        test_set_is_same=_tests(was).equals(_tests(now)),
    )


def manifest_of(path: str) -> str:
    """Return the file that a release is told apart by: the manifest in its folder, or the tarball itself."""
    return str(Path(path) / MANIFEST) if Path(path).is_dir() else path


def read_release(path: Path) -> tuple[dict[str, Any], pa.Table]:
    """Return what a release is called, and its manifest's COLUMNS; raises Fault when there is none at `path`."""
    parcel = open_parcel(path)
    try:
        if MANIFEST not in parcel.sizes:
            raise Fault(f"{path} has no {MANIFEST}; give a release folder or its tarball.")
        with parcel.open(MANIFEST) as stream:
            body = stream.read()
        recipe: dict[str, Any] = {}
        if "recipe.json" in parcel.sizes:
            with parcel.open("recipe.json") as stream:
                recipe = json.loads(stream.read())
    except json.JSONDecodeError as error:
        raise Fault(f"{path}: its recipe.json is not JSON ({error}); take the release anew.") from None
    finally:
        parcel.close()
    try:
        table = read_columns(io.BytesIO(body), COLUMNS)
        for name in set(ADDED_LATER) - set(table.column_names):
            table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
        table = table.select(COLUMNS)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise Fault(f"{path}: its {MANIFEST} cannot be read ({str(error).splitlines()[0]}); verify it.") from None
    version = recipe.get("release", {}).get("version")
    return {"name": recipe.get("name", path.name), "version": version, "images": table.num_rows}, table


def read_names(path: Path) -> pa.Table | None:
    """Return a release's table of names; None when it has none, as older ones, or one that cannot be read."""
    parcel = open_parcel(path)
    try:
        if NAMES not in parcel.sizes:
            return None
        with parcel.open(NAMES) as stream:
            return read_parquet(io.BytesIO(stream.read()))
    except (pa.ArrowException, OSError, ValueError):
        return None  # `naflora verify` tells; a cause that is not known is no reason to tell no difference
    finally:
        parcel.close()


def _tests(manifest: pa.Table) -> pa.Table:
    """Return the images to test on under their taxa, in one order whatever the manifest's."""
    tests = manifest.select(["image_key", "taxon_id"]).filter(pc.equal(manifest["part"], "test"))
    return tests.sort_by("image_key").combine_chunks()


def _names(manifest: pa.Table) -> dict[str, str]:
    pairs = manifest.group_by(["taxon_id", "taxon_name"]).aggregate([])
    return dict(zip(pairs["taxon_id"].to_pylist(), pairs["taxon_name"].to_pylist(), strict=True))


def write_changes(found: Difference, path: Path) -> None:
    """Write a row per image that changed in any way to a Parquet file, beside first, then renamed."""
    kinds = [found.changes[kind] for kind in KINDS]
    changed = found.changes.filter(reduce(pc.or_, kinds))
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(parquet_bytes(changed))
        beside.replace(path)
    except OSError as error:
        raise Fault(f"{path} cannot be written ({error.strerror}); choose another file.") from None


def _title(release: Mapping[str, Any]) -> str:
    # a subset has a name and no version
    return " ".join(filter(None, (release["name"], release["version"])))


def describe_difference(found: Difference) -> str:
    """Return the difference as Markdown: a page for the reader, with figures, renames and examples."""
    old, new = found.old, found.new
    lines = [
        f"# {_title(new)} after {_title(old)}",
        "",
        f"{old['images']:,} images before, {new['images']:,} now. "
        + ("The test set is untouched." if found.test_set_is_same else "**The test set is another.**"),
        "",
        "| change | images | |",
        "| --- | ---: | --- |",
        *(f"| {kind.replace('_', ' ')} | {found.counts[kind]:,} | {what} |" for kind, what in KINDS.items()),
    ]
    for title, names in (("Classes that came", found.classes_in), ("Classes that went", found.classes_out)):
        if names:
            lines += ["", f"## {title} ({len(names):,})", "", ", ".join(names)]
    if found.renames:
        lines += ["", "## Other names", "", "| was | is | images | because |", "| --- | --- | ---: | --- |"]
        for was, now, images in found.renames:
            lines.append(f"| {was} | {now} | {images:,} | {'; '.join(found.causes[was, now][:EXAMPLES])} |")
    for kind in ("withdrawn", "moved", "fetched_anew"):
        if examples := found.examples(kind):
            lines += ["", f"## First of those {kind.replace('_', ' ')}", ""]
            lines += [f"- `{r['image_key']}` {r['new_name'] or r['old_name']}, {r['image_url']}" for r in examples]
    return "\n".join(lines) + "\n"
