"""The manifest's rows, and the label that travels in a sample's .json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from naflora_etl.fetching.asked import OURS, Asked
from naflora_etl.fetching.shards import Place

TYPES = {
    "offset": pa.int64(),
    "length_bytes": pa.int64(),
    "status": pa.int32(),
    "width_px": pa.int32(),
    "height_px": pa.int32(),
    "source_width_px": pa.int32(),
    "source_height_px": pa.int32(),
    "source_size_bytes": pa.int64(),
    "text_boxes": pa.int32(),
    "text_share": pa.float64(),
    "fetched_at": pa.timestamp("us", "UTC"),
}
MANIFEST = pa.schema([(name, TYPES.get(name, pa.string())) for name in OURS])
LABEL = ("width_px", "height_px", "source_width_px", "source_height_px", "source_sha256", "sha256")
"""Facts in a sample's .json: none that a clock or a server's mood could change."""


def manifest_rows(
    asked: Asked, rows: range, facts: Mapping[int, Mapping[str, Any]], places: Mapping[int, Place], shard: str
) -> pa.Table:
    """Return the manifest's part for `rows`: our columns, then the list's own."""
    given = asked.table.slice(rows.start, len(rows))
    columns: dict[str, Any] = {name: [facts[row].get(name) for row in rows] for name in OURS}
    columns["key"], columns["url"] = given["key"], given["url"]
    columns["shard"] = [shard if row in places else None for row in rows]
    columns["offset"] = [places[row].offset if row in places else None for row in rows]
    columns["length_bytes"] = [places[row].length_bytes if row in places else None for row in rows]
    columns["fetched_at"] = [_as_time(facts[row].get("fetched_at")) for row in rows]
    table = pa.table({field.name: _column(columns[field.name], field.type) for field in MANIFEST})
    for name in given.column_names[2:]:
        table = table.append_column(name, given[name])
    return table.combine_chunks()


def label_of(given: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample's label: its key and URL, its sizes and digests, and the list's own columns as JSON has them."""
    label = {"key": given["key"], "url": given["url"]} | {name: facts.get(name) for name in LABEL}
    rest = {name: value for name, value in given.items() if name not in label and not isinstance(value, bytes)}
    return label | {name: _as_json(value) for name, value in rest.items()}


def _column(values: Any, kind: pa.DataType) -> Any:
    return values if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)


def _as_time(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _as_json(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _as_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
