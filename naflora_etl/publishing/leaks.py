"""The leakage audit: what stands in train and in test at once, exactly or nearly, and who made which part."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.nearness import near_pairs, read_words
from naflora_etl.engine.tables import query_tables, read_parquet
from naflora_etl.publishing.kaggle import UNNAMED
from naflora_etl.publishing.parcel import MANIFEST, open_parcel

COLUMNS = [
    "image_key", "part", "taxon_id", "taxon_name", "sha256", "source_sha256", "specimen_key", "gathering_key", "dhash",
    "institutionCode", "collectionCode",
]  # fmt: skip
KINDS = {
    "exact": "images with the same bytes, as fetched or as finished",
    "specimen": "images of one specimen",
    "gathering": "images of one gathering (collector, number, date)",
    "near": "pictures of one species that look the same",
    "near_across": "pictures of different species that look the same",
}
FORBIDDEN = ("exact", "specimen", "gathering")
"""Kinds of which a release must have none; the near ones are told, since likeness is no proof."""
NEAR_BITS = 4
"""Bits of 64 that may differ within a species. Two sheets of one herbarium come as near some 4 times in 100,000 pairs
by chance: few within species, far too many among a million images of all, where equal hashes alone are told."""
FEWEST_BITS = 6
"""A hash with fewer bits set, or fewer not set, is of a blank picture and says nothing."""
EXAMPLES = 5
MEMORY = "500MB"
"""What a query over all images may hold before it spills."""
LARGEST = 12


@dataclass(frozen=True)
class Leak:
    """One kind of what stands on both sides."""

    kind: str
    groups: int
    """Keys, or pairs of hashes, that stand in both parts."""
    train: int
    """Training images among them."""
    test: int
    """Test images among them."""
    examples: tuple[dict[str, Any], ...]
    """A training image and a test image each."""

    @property
    def meaning(self) -> str:
        """What is of this kind, in words."""
        bits = {"near": f", {NEAR_BITS} bits of 64 apart at most", "near_across": ", to the bit"}.get(self.kind, "")
        return KINDS[self.kind] + bits

    @property
    def is_forbidden(self) -> bool:
        """Whether a release must have none of it."""
        return self.kind in FORBIDDEN and self.groups > 0


@dataclass(frozen=True)
class Audit:
    """What the audit of one release found."""

    train: int
    test: int
    leaks: tuple[Leak, ...]
    untold: dict[str, int]
    """Images of which the audit cannot say: no gathering known, no bytes, no hash that tells anything."""
    institutions: tuple[dict[str, Any], ...]
    """Name, images in train and in test, share of each part (0 to 1); the largest first."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing forbidden stands in both parts."""
        return not any(leak.is_forbidden for leak in self.leaks)

    def as_dict(self) -> dict[str, Any]:
        """Return the audit as JSON values."""
        leaks = {leak.kind: {"groups": leak.groups, "train": leak.train, "test": leak.test,
                             "examples": list(leak.examples)} for leak in self.leaks}  # fmt: skip
        return {
            "images": {"train": self.train, "test": self.test},
            "is_clean": self.is_clean,
            "leaks": leaks,
            "near_bits": {"near": NEAR_BITS, "near_across": 0},
            "untold": self.untold,
            "institutions": list(self.institutions),
        }


def audit_leaks(path: Path) -> Audit:
    """Return what stands in both parts of the release at `path`: a folder, a tarball, or any part of one in parts.

    The manifest alone is read. Raises Fault when there is no release at `path`.
    """
    parcel = open_parcel(Path(path))
    try:
        if MANIFEST not in parcel.sizes:
            raise Fault(f"{path} has no {MANIFEST}; give a release folder or its tarball.")
        with parcel.open(MANIFEST) as stream:
            body = stream.read()
    finally:
        parcel.close()
    try:
        table = read_parquet(io.BytesIO(body), COLUMNS).select(COLUMNS)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise Fault(f"{path}: its {MANIFEST} cannot be read ({str(error).splitlines()[0]}); verify it.") from None
    return audit_manifest(table)


def audit_manifest(manifest: pa.Table) -> Audit:
    """Return what stands in both parts of a manifest, which has COLUMNS."""
    manifest = manifest.select(COLUMNS)
    near, blank = _find_near(manifest)
    untold = {name: manifest[name].null_count for name in ("specimen_key", "gathering_key", "source_sha256")}
    tested = int(pc.sum(pc.equal(manifest["part"], "test")).as_py() or 0)
    return Audit(
        train=manifest.num_rows - tested,
        test=tested,
        leaks=(
            _find_shared(manifest, "exact", ("sha256", "source_sha256")),
            _find_shared(manifest, "specimen", ("specimen_key",)),
            _find_shared(manifest, "gathering", ("gathering_key",)),
            *near,
        ),
        untold=untold | {"dhash": blank},
        institutions=_share_institutions(manifest),
    )


def _find_shared(manifest: pa.Table, kind: str, columns: Sequence[str], also: str = "") -> Leak:
    """Return what bears the same value in both parts, in any of `columns`."""
    facts = ["image_key", "part", "taxon_id", "taxon_name"]
    shared = [_pick_shared(manifest, name).select([*facts, "of_column", "value"]) for name in columns]
    rows = query_tables(
        f"""select of_column, value, list(image_key order by image_key) filter (part = 'train') as train,
                list(image_key order by image_key) filter (part = 'test') as test, min(taxon_name) as taxon_name
            from shared group by of_column, value
            having count(*) filter (part = 'train') > 0 and count(*) filter (part = 'test') > 0 {also}
            order by of_column, value""",
        shared=pa.concat_tables(shared),
    ).to_pylist()
    # the same picture may be found as fetched and as finished: it counts once
    found = {(tuple(row["train"]), tuple(row["test"])): row for row in reversed(rows)}
    return Leak(
        kind,
        groups=len(found),
        train=len({key for train, _ in found for key in train}),
        test=len({key for _, test in found for key in test}),
        examples=tuple(
            {"train": row["train"][0], "test": row["test"][0], row["of_column"]: row["value"],
             "taxon_name": row["taxon_name"]}
            for row in list(reversed(found.values()))[:EXAMPLES]
        ),
    )  # fmt: skip


def _pick_shared(manifest: pa.Table, name: str) -> pa.Table:
    """Return the images whose value in a column stands in both parts: few of many, so that lists of them are short."""
    both = query_tables(
        f"""select {name} as value from given where {name} is not null
            group by 1 having min(part) <> max(part)""",
        memory_limit=MEMORY,
        given=manifest.select([name, "part"]),
    )["value"]
    rows = manifest.filter(pc.is_in(manifest[name], both.combine_chunks()))
    labelled = rows.append_column("of_column", pa.array([name] * rows.num_rows, pa.string()))
    return labelled.append_column("value", rows[name])


def _find_near(manifest: pa.Table) -> tuple[tuple[Leak, Leak], int]:
    """Return the near pairs within and between species, and how many images have no hash that tells anything."""
    table = manifest.select(["image_key", "part", "taxon_id", "taxon_name", "dhash"]).sort_by("image_key")
    words, known = read_words(table["dhash"].to_pylist())
    bits = np.bitwise_count(words)
    rows = np.flatnonzero(known & (bits >= FEWEST_BITS) & (bits <= 64 - FEWEST_BITS))
    codes = table["taxon_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    tested = np.asarray(pc.equal(table["part"], "test"))[rows]
    words, taxon = words[rows], codes.astype(np.int64)[rows]
    # a row for each hash of each species and part, so that a crowd of equal ones costs nothing
    order = np.lexsort((rows, tested, words, taxon))
    differs = np.zeros(len(order), np.bool_)
    differs[:1] = True
    for column in (taxon, words, tested):
        differs[1:] |= column[order][1:] != column[order][:-1]
    first, number = order[differs], np.empty(len(order), np.int64)
    number[order] = np.cumsum(differs) - 1
    count = np.bincount(number, minlength=len(first))

    left, right, distance = near_pairs(words[first], NEAR_BITS, taxon[first])
    apart = tested[first[left]] != tested[first[right]]
    left, right, distance = left[apart], right[apart], distance[apart]
    trained = np.where(tested[first[left]], right, left)
    tests = np.where(tested[first[left]], left, right)
    nearest = np.lexsort((tests, trained, distance))[:EXAMPLES]
    examples = tuple(
        {
            "train": table["image_key"][int(rows[first[trained[place]]])].as_py(),
            "test": table["image_key"][int(rows[first[tests[place]]])].as_py(),
            "bits": int(distance[place]),
            "taxon_name": table["taxon_name"][int(rows[first[tests[place]]])].as_py(),
        }
        for place in nearest
    )
    within = Leak(
        "near", len(left), int(count[np.unique(trained)].sum()), int(count[np.unique(tests)].sum()), examples
    )
    across = _find_shared(table.take(rows), "near_across", ("dhash",), "and count(distinct taxon_id) > 1")
    return (within, across), manifest.num_rows - len(rows)


def _share_institutions(manifest: pa.Table) -> tuple[dict[str, Any], ...]:
    rows = query_tables(
        f"""select coalesce(nullif(institutionCode, ''), nullif(collectionCode, ''), '{UNNAMED}') as institution,
                count(*) filter (part = 'train') as train, count(*) filter (part = 'test') as test
            from manifest group by 1 order by count(*) desc, 1""",
        manifest=manifest,
    ).to_pylist()
    sums = {part: sum(row[part] for row in rows) or 1 for part in ("train", "test")}
    return tuple(
        row | {f"{part}_share": round(row[part] / sums[part], 6) for part in ("train", "test")} for row in rows
    )


def describe_audit(audit: Audit, where: str) -> str:
    """Return the audit as Markdown: counts and examples of each kind, and the institutions of each part."""
    lines = [
        f"# Leakage audit of {where}",
        "",
        f"{audit.train:,} training images, {audit.test:,} test images. "
        + ("Nothing that must stay apart stands in both." if audit.is_clean else "**Train and test are not apart.**"),
        "",
        "| in both parts | found | training images | test images | |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for leak in audit.leaks:
        lines.append(
            f"| {leak.kind.replace('_', ' ')} | {leak.groups:,} | {leak.train:,} | {leak.test:,} | {leak.meaning} |"
        )
    for leak in audit.leaks:
        if leak.examples:
            lines += ["", f"## {leak.kind.replace('_', ' ').capitalize()}", ""]
            for row in leak.examples:
                rest = ", ".join(f"{name} {value}" for name, value in row.items() if name not in ("train", "test"))
                lines.append(f"- train `{row['train']}`, test `{row['test']}`: {rest}")
    untold = ", ".join(f"{count:,} have no {name}" for name, count in audit.untold.items() if count)
    if untold:
        lines += ["", f"Not known, so not compared: {untold.replace('no dhash', 'no dhash that tells anything')}."]
    lines += ["", "## Institutions", "", "| institution | train | | test | |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in audit.institutions[:LARGEST]:
        lines.append(
            f"| {row['institution']} | {row['train']:,} | {row['train_share']:.1%} | {row['test']:,} "
            f"| {row['test_share']:.1%} |"
        )
    if len(audit.institutions) > LARGEST:
        lines.append(f"| and {len(audit.institutions) - LARGEST} more | | | | |")
    return "\n".join(lines) + "\n"
