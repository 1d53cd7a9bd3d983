"""One image in several rows: which licence counts, which row is kept, which label is unsure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from naflora_etl.sources.licences import strictest

PREFERENCE = {"gbif": 0, "idigbio": 1, "archive": 2}
"""Whose row is kept: the aggregator that can be cited by DOI first."""

Row = dict[str, Any]


def share_strictest_license(rows: Iterable[Row]) -> None:
    """Give all rows of an image the strictest licence, with its text, that any of them tells."""
    for group in _by_image(rows):
        told = [row for row in group if row["license"] is not None]
        if len({row["license"] for row in told}) > 1:
            best = strictest([row["license"] for row in told])
            source = next(row for row in told if row["license"] == best)
            for row in told:
                row |= {"license": best, "license_verbatim": source["license_verbatim"]}


def share_copies(rows: Iterable[Row]) -> None:
    """Give all rows of an image every copy that any of them knows."""
    for group in _by_image(rows):
        known: Row = {}
        for row in sorted(group, key=lambda row: (PREFERENCE[row["source"]], str(row["record_key"]))):
            known = json.loads(row["copy_urls"] or "{}") | known
        if known:
            told = json.dumps(known, sort_keys=True)
            for row in group:
                row["copy_urls"] = told


def name_duplicates(rows: Iterable[Row]) -> None:
    """Leave at most one clean row an image.

    Where rows of an image, set aside or not, lead to different taxa, all its clean rows become IMAGE_OF_SEVERAL_TAXA;
    else all but the preferred one become DUPLICATE_RECORD.
    """
    for group in _by_image(rows):
        clean = [row for row in group if row["issue"] is None]
        if len({row["taxon_id"] for row in group} - {None}) > 1:
            for row in clean:
                row["issue"] = "IMAGE_OF_SEVERAL_TAXA"
            continue
        clean.sort(key=lambda row: (PREFERENCE[row["source"]], row["record_key"]))
        for row in clean[1:]:
            row["issue"] = "DUPLICATE_RECORD"


def _by_image(rows: Iterable[Row]) -> Iterable[list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["image_key"] is not None:
            groups[row["image_key"]].append(row)
    return [group for group in groups.values() if len(group) > 1]
