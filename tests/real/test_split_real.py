"""The split on real labels: SEINet's archive, one species, held against collectors as they are written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from naflora_etl.engine.contracts import read_contract
from naflora_etl.recipe import SplitOptions
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.darwincore import describe_specimen
from naflora_etl.stages.split import split_images

ARCHIVE = Path(__file__).parents[2] / "../shared/data/symbiota_seinet"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason="../shared/data is absent: the real input cannot be read"),
]


def read_rows() -> list[dict[str, str | None]]:
    """Return every image of the archive; its class is the name's first two words."""
    rows = []
    for record in Archive(str(ARCHIVE)).read_records("archive:x"):
        facts = describe_specimen(record)
        name = " ".join((record.terms.get("scientificName") or "unknown").split()[:2]).lower()
        for _ in record.media:
            key = f"{len(rows):020x}"
            rows.append({
                "image_key": key, "taxon_id": name, "specimen_key": facts["specimen_key"],
                "gathering_key": facts["gathering_key"],
                "label": f"{facts['recordedBy']}|{facts['recordNumber']}|{facts['eventDate']}",
                "has_number": "x" if any(c.isdigit() for c in facts["recordNumber"] or "") else None,
            })  # fmt: skip
    return rows


def test_labels_of_real_gatherings_stay_on_one_side() -> None:
    rows = read_rows()
    schema = read_contract("images").arrow_schema
    images = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)
    species = sorted({row["taxon_id"] or "" for row in rows})
    taxa = pa.Table.from_pylist(
        [{"checklist_key": f"list:{name}", "taxon_id": name, "taxon_name": name} for name in species],
        schema=read_contract("taxa").arrow_schema,
    )
    table = split_images(images, taxa, options=SplitOptions())
    part = dict(zip(table["image_key"].to_pylist(), table["part"].to_pylist(), strict=True))
    assert len(part) == len(rows) == 776
    sides: dict[str, set[str]] = {}
    views: Counter[str] = Counter()
    for row in rows:
        if side := part[row["image_key"] or ""]:
            sides.setdefault(row["specimen_key"] or "", set()).add(side)
            views[row["specimen_key"] or ""] += 1
            if row["has_number"]:
                sides.setdefault(row["label"] or "", set()).add(side)
    assert max(views.values()) > 1, "some specimens have several images"
    assert all(len(seen) == 1 for seen in sides.values())
    herbaria: dict[str | None, set[str | None]] = {}
    for row in rows:
        herbaria.setdefault(row["gathering_key"], set()).add(row["specimen_key"])
    assert sum(len(specimens) > 1 for key, specimens in herbaria.items() if key) > 50, "duplicates went to others"
    clean = table.filter(pc.is_null(table["issue"]))
    assert clean.num_rows == 776
    assert pc.sum(pc.equal(clean["part"], "test")).as_py() == 155
