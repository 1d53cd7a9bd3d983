"""Captions for the rows of a release: joined with names from elsewhere, by template, by columns or by type."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.captions import (
    TEXT_TYPES,
    Row,
    biotrove_facts,
    biotrove_texts,
    check_template,
    choose_columns,
    fill_template,
)

Texts = Callable[[Row], dict[str, str]]
CANDIDATES = ("common_name", "supercategory", "kingdom", "phylum", "class", "order", "family", "genus", "taxon_name")
"""Columns that may stand in a caption, when they are chosen by themselves."""


def read_names(path: Path) -> dict[str, dict[str, str]]:
    """Return, by taxon_name (or scientificName), the other columns of a CSV; raises Fault for another file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise Fault(f"--names {path}: no such file; give a CSV with taxon_name and common_name.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Fault(f"--names {path} cannot be read as a CSV file ({reason}).") from None
    key = next((name for name in ("taxon_name", "scientificName") if rows and name in rows[0]), None)
    if key is None:
        raise Fault(f"--names {path} has no column taxon_name (or scientificName), by which rows would be found.")
    return {row[key]: {name: value for name, value in row.items() if name != key and value} for row in rows}


def with_names(manifest: pa.Table, names: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the rows of a manifest, by image_key, with what `names` knows of their taxa."""
    rows = manifest.sort_by("image_key").to_pylist()
    return [row | dict(names.get(row["taxon_name"], {})) for row in rows]


def caption_texts(
    rows: Sequence[Row],
    *,
    template: str,
    columns: str | None = None,
    kind: str | None = None,
    knobs: tuple[str, str] = ("--text ", "--names"),
) -> tuple[str, Texts]:
    """Return how captions are made, in a few words, and what makes them: texts by the ending of their file.

    `knobs` are what a fault calls the kind and the file of names, as its reader gave them.
    """
    known = sorted({column for row in rows for column in row})
    if kind == "all":
        return "BioTrove's ten texts", lambda row: _all_texts(str(row["image_key"]), row)
    if kind:
        if kind not in TEXT_TYPES:
            raise Fault(f"{knobs[0]}{kind}: there is no such text; there are all, {', '.join(TEXT_TYPES)}.")
        lacking = sum(kind not in biotrove_texts(row) for row in rows)
        if lacking:
            named = f"{knobs[0]}{kind}: {lacking} images have no common name"
            raise Fault(f"{named}; give them with {knobs[1]}, or take sci.")
        return kind, lambda row: {"txt": biotrove_texts(row)[kind]}
    if columns == "auto":
        values = {name: [row.get(name) for row in rows] for name in CANDIDATES if name in known}
        chosen = choose_columns(values, [row["class_id"] for row in rows])
        template = f"A photo of the {' '.join(f'{{{name}}}' for name in chosen)}."
    elif columns:
        template = f"A photo of the {' '.join(f'{{{name.strip()}}}' for name in columns.split(','))}."
    check_template(template, known)
    return f'"{template}"', lambda row: {"txt": fill_template(template, row)}


def write_captions(rows: Sequence[Row], texts: Texts, out: Path) -> int:
    """Write a CSV of image_key and texts; return how many images."""
    made = [texts(row) for row in rows]
    endings = sorted({ending for some in made for ending in some if ending != "json"})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["image_key", *("caption" if ending == "txt" else ending.removesuffix(".txt") for ending in endings)]
    )
    writer.writerows(
        [row["image_key"], *(some.get(ending, "") for ending in endings)] for row, some in zip(rows, made, strict=True)
    )
    Workspace(str(out.parent)).write(out.name, stream.getvalue().encode())
    return len(made)


def _all_texts(key: str, row: Row) -> dict[str, str]:
    texts = {f"{kind}.txt": text for kind, text in biotrove_texts(row).items()}
    return texts | {"json": json.dumps(biotrove_facts(key, row), ensure_ascii=False)}
