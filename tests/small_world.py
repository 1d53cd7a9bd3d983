"""A world of ten finished sheets, as the stages before `shards` leave it, on a real workspace."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.packs import Kept, Packs
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import clean_rows, cut_windows
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import Recipe, make_recipe
from naflora_etl.stages.release import STAGE as RELEASE
from naflora_etl.stages.release import write_release
from naflora_etl.stages.shards import STAGE as SHARDS
from naflora_etl.stages.shards import pack_shards

# class, taxon_id, name, authors, family, images to train on, images to test on
SPECIES = (
    (0, "w-10", "Acer rubrum", "L.", "Sapindaceae", 3, 1),
    (1, "w-11", "Acer saccharum", "Marshall", "Sapindaceae", 2, 1),
    (2, "w-2", "Viola × odorata", None, "Violaceae", 2, 1),
)
SMALL: dict[str, Any] = {"name": "small", "shards": {"samples_per_shard": 4}, "split": {"minimum": 3, "min_test": 1}}
INSTITUTIONS = ("NY", "MO|<b>", None)
LICENSES = ("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0")


def key_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def draw_jpeg(number: int, width_px: int = 48, height_px: int = 64, **extra: Any) -> bytes:
    """Return a small JPEG of its own; `extra` goes to Pillow, to put into it what must not be there."""
    pixels = np.random.default_rng(number).integers(120, 255, (height_px // 8, width_px // 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((width_px, height_px), Image.Resampling.BILINEAR).save(
        stream, "JPEG", quality=80, **extra
    )
    return stream.getvalue()


def make_table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, read_contract(name).arrow_schema)


@dataclass
class SmallWorld:
    """The committed tables by name, and the workspace that holds the packs."""

    workspace: Workspace
    packs: Packs
    tables: dict[str, pa.Table]
    recipe: Recipe

    def whole(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        return self.tables[name] if columns is None else self.tables[name].select(list(columns))

    def windows(self, name: str, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        return cut_windows([self.whole(name, columns)], rows)

    def clean(self, stage: Stage) -> list[pa.Table]:
        """Return the clean rows that a stage is given, with the columns that it names."""
        needed = stage.columns or {}
        return [clean_rows(self.tables[name]).select(needed.get(name, self.tables[name].column_names))
                for name in stage.reads]  # fmt: skip

    def metadata(self, name: str) -> dict[bytes, bytes]:
        about = {"file": "wcvp.zip", "layout": "wcvp", "version": "12", "sha256": "ab" * 32}
        return {b"naflora.backbone": json.dumps(about).encode()} if name == "wcvp" else {}

    def pack_shards(self) -> pa.Table:
        folder = Folder(self.workspace, "shards")
        folder.begin()
        made = pack_shards(
            *self.clean(SHARDS),
            options=self.recipe.shards,
            packs=self.packs,
            folder=folder,
            progress=lambda *told: None,
        )
        folder.commit()
        self.tables["shards"] = made
        return made

    def write_release(self) -> pa.Table:
        folder = Folder(self.workspace, "release")
        folder.begin()
        made = write_release(
            *self.clean(RELEASE),
            options=self.recipe.release,
            recipe=self.recipe,
            tables=self,
            blobs=Blobs(self.workspace),
            packs=self.packs,
            folder=folder,
            spool=Spool(self.workspace),
            progress=lambda *told: None,
        )
        folder.commit()
        return made

    @property
    def release(self) -> Path:
        return self.workspace.local("release")

    def change(self, table: str, image_key: str, **values: Any) -> None:
        """Change one row of a table."""
        rows = self.tables[table].to_pylist()
        for row in rows:
            if row["image_key"] == image_key:
                row.update(values)
        self.tables[table] = make_table(table, rows)


def make_world(folder: Path, jpegs: dict[int, bytes] | None = None, **recipe: Any) -> SmallWorld:
    """Return the world in `folder`; `jpegs` replaces sheets by number, `recipe` changes sections of the recipe."""
    workspace = Workspace(str(folder))
    packs = Packs(workspace, "slice", "small")
    images, splits, records, selection = [], [], [], []
    for class_id, taxon_id, *_, train, test in SPECIES:
        for place in range(train + test):
            number = len(images)
            url = f"http://127.0.0.{2 + number % 2}/{taxon_id}/{place}.jpg"
            shared = {
                "image_key": key_of(url),
                "taxon_id": taxon_id,
                "specimen_key": f"NY:{number:08d}",
                "gathering_key": f"smith|{number}|1901" if number % 2 else None,
            }
            jpeg = (jpegs or {}).get(number) or draw_jpeg(number)
            files = {"jpg": jpeg} | ({"before": draw_jpeg(100 + number)} if place < 2 else {})
            packs.put_on_bench(Kept(shared["image_key"], {}, files))
            images.append(shared | _image_facts(jpeg, url, place))
            part = "train" if place < train else "test"
            splits.append(shared | {"class_id": class_id, "class_key": taxon_id, "part": part})
            records.append(shared | _record_facts(number, url))
            selection.append(shared | {"image_url": url, "host": _host(url), "role": "chosen", "rank": place + 1})
    packed = packs.pack_bench([row["image_key"] for row in images])
    for row in images:
        facts = packed[row["image_key"]]
        row |= {"pack": facts["pack"], "offset": facts["jpg_offset"], "size_bytes": facts["jpg_length_bytes"]}
        row |= {name: facts.get(name) for name in ("before_offset", "before_length_bytes")}
    _set_some_aside(images, splits, records, selection)
    tables = {
        "checklist": make_table("checklist", [_checklist_row(line) for line in range(2, 6)]),
        "taxa": make_table("taxa", [*map(_taxon, SPECIES), {"checklist_key": "flora:5", "issue": "NAME_NOT_FOUND"}]),
        "harvest": make_table("harvest", [_page(number) for number in range(3)]),
        "records": make_table("records", records),
        "selection": make_table("selection", selection),
        "images": make_table("images", images),
        "split": make_table("split", splits),
    }
    chosen: dict[str, Any] = SMALL | recipe
    chosen["split"] = dict(SMALL["split"]) | dict(chosen["split"])
    chosen["release"] = {"audit_sample": 0} | dict(chosen.get("release", {}))  # an OCR of noise takes its time
    return SmallWorld(workspace, packs, tables, make_recipe(chosen, folder=folder))


def _host(url: str) -> str:
    return url.split("/")[2]


def _image_facts(jpeg: bytes, url: str, place: int) -> dict[str, Any]:
    quads = [{"points": [[0, 0], [9, 0], [9, 4], [0, 4]], "score": 0.9}] * place
    with Image.open(io.BytesIO(jpeg)) as image:
        width_px, height_px = image.size
    return {
        "host": _host(url), "role": "chosen", "rank": place + 1, "status": 200,
        "source_width_px": 480, "source_height_px": 640, "source_size_bytes": 9000,
        "source_sha256": hashlib.sha256(url.encode()).hexdigest(),
        "width_px": width_px, "height_px": height_px, "sha256": hashlib.sha256(jpeg).hexdigest(),
        "dhash": "00ff00ff00ff00ff", "text_boxes": place, "text_share": 0.01 * place, "text_quads": json.dumps(quads),
        "detector": "craft:364f7e957974",
    }  # fmt: skip


def _record_facts(number: int, url: str) -> dict[str, Any]:
    return {
        "record_key": f"gbif:{number}/0", "source": "gbif", "source_record_id": str(number), "image_url": url,
        "host": _host(url), "institutionCode": INSTITUTIONS[number % 3], "catalogNumber": f"{number:08d}",
        "recordedBy": "Smith, J.; Łukasz, Ż.", "countryCode": "CA", "year": 1901, "datasetKey": f"d{number % 2}",
        "basisOfRecord": "PRESERVED_SPECIMEN", "license": LICENSES[number % 3], "license_verbatim": 'CC, "as is"',
        "rightsHolder": "The Herbarium", "creator": None,
    }  # fmt: skip


def _set_some_aside(*tables: list[dict[str, Any]]) -> None:
    """Add a row for each way in which an image stays behind."""
    images, splits, records, selection = tables
    for number, (stage, issue) in enumerate(
        [
            ("records", "LICENSE_UNKNOWN"),
            ("selection", "OVER_CAP"),
            ("images", "HTTP_GONE"),
            ("images", "SPARE_NOT_NEEDED"),
            ("split", "TOO_FEW_IMAGES"),
        ],
        start=90,
    ):
        url = f"http://127.0.0.4/{issue}.jpg"
        shared = {"image_key": key_of(url), "taxon_id": "w-10", "specimen_key": f"K:{number}", "gathering_key": None}
        for rows, name, facts in (
            (records, "records", _record_facts(number, url)),
            (selection, "selection", {"image_url": url, "host": _host(url), "role": "chosen", "rank": number}),
            (images, "images", {"host": _host(url), "role": "spare", "rank": number}),
            (splits, "split", {}),
        ):
            rows.append(shared | facts | {"issue": issue if name == stage else None})
            if name == stage:
                break
    records.append({"record_key": "gbif:none:w-99", "source": "gbif", "taxon_id": "w-99", "issue": "NO_RECORDS"})


def _checklist_row(line: int) -> dict[str, Any]:
    return {"checklist_key": f"flora:{line}", "source_file": "flora.csv", "line": line, "scientificName": "Acer"}


def _taxon(species: tuple[Any, ...]) -> dict[str, Any]:
    class_id, taxon_id, name, authors, family, *_ = species
    genus, *_, epithet = name.split()
    return {
        "checklist_key": f"flora:{class_id + 2}", "scientificName": name, "canonical_name": name, "match_type": "exact",
        "taxon_id": taxon_id, "taxon_name": name, "taxon_authors": authors, "family": family, "genus": genus,
        "species": epithet, "taxon_rank": "Species",
    }  # fmt: skip


def _page(number: int) -> dict[str, Any]:
    return {
        "page_key": f"gbif:w-10:{number}", "source": "gbif", "request": "http://127.0.0.1/", "page_number": number,
        "issue": "SOURCE_CEILING" if number == 2 else None,
    }  # fmt: skip
