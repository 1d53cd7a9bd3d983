"""What a release says of itself, each proven by the library that defined the words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import frictionless
import pytest

from naflora_etl.engine.tables import read_parquet

CROISSANT = """\
import json, sys, warnings
import mlcroissant
dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
told = {"errors": sorted(dataset.metadata.ctx.issues.errors), "warnings": sorted(dataset.metadata.ctx.issues.warnings)}
for table in ("manifest", "classes", "specimens", "datasets", "names", "excluded"):
    told[table] = sum(1 for _ in dataset.records(table))
for part in ("train", "test"):
    told[part] = []
    for record in dataset.records(part):
        row = {name.partition("/")[2]: value for name, value in record.items()}
        row["image"] = list(row["image"].size)
        told[part].append({name: v.decode() if isinstance(v, bytes) else v for name, v in row.items()})
print(json.dumps(told, default=int))
"""
HUB = """\
import json, sys
import datasets
found = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])
told = {part: [[row["__key__"], list(row["jpg"].size), row["json"]] for row in rows] for part, rows in found.items()}
print(json.dumps(told))
"""


def run(code: str, *arguments: Path, **environment: str) -> Any:
    """Run `code` with an empty cache of its own and no way to the hub; both libraries read these when imported."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_mlcroissant_finds_no_fault_and_loads_every_sample_with_its_labels(release: Path, tmp_path: Path) -> None:
    told = run(CROISSANT, release / "croissant.json", CROISSANT_CACHE=str(tmp_path))
    assert told["errors"] == []
    assert [warning for warning in told["warnings"] if "datePublished" not in warning] == []
    manifest = read_parquet(release / "manifest.parquet").to_pylist()
    for name in ("manifest", "classes", "specimens", "datasets", "names", "excluded"):
        assert told[name] == read_parquet(release / f"{name}.parquet").num_rows, name
    for part in ("train", "test"):
        columns = ("image_key", "class_id", "taxon_name", "genus", "family", "part")
        wanted = {
            row["image_key"]: {name: row[name] for name in columns} | {"image": [row["width_px"], row["height_px"]]}
            for row in manifest
            if row["part"] == part
        }
        assert {row["image_key"]: row for row in told[part]} == wanted


@pytest.mark.slow
def test_datasets_reads_the_folder_as_it_stands(release: Path, tmp_path: Path) -> None:
    told = run(HUB, release, tmp_path, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hub"))
    manifest = read_parquet(release / "manifest.parquet").to_pylist()
    for part in ("train", "test"):
        rows = [row for row in manifest if row["part"] == part]
        wanted = {row["image_key"]: ([row["width_px"], row["height_px"]], row["class_id"]) for row in rows}
        assert {key: (size, facts["class_id"]) for key, size, facts in told[part]} == wanted


def test_the_card_tells_of_every_file(release: Path) -> None:
    files = (release / "README.md").read_text(encoding="utf-8").partition("## Files")[2].partition("## How to load")[0]
    there = {path.name for path in release.iterdir() if path.suffix != ".tar"} - {"README.md"}
    assert {name for name in there if f"`{name}`" not in files} == set()


def test_the_hub_reads_the_head_of_the_card(release: Path) -> None:
    import huggingface_hub

    card = huggingface_hub.DatasetCard((release / "README.md").read_text(encoding="utf-8"))
    told = card.data.to_dict()
    assert told["license"] == "cc-by-nc-4.0" and told["size_categories"] == ["n<1K"]
    assert [file["split"] for file in told["configs"][0]["data_files"]] == ["train", "test"]


def test_frictionless_finds_the_data_package_valid(release: Path) -> None:
    package = json.loads((release / "datapackage.json").read_text())
    assert [error.note for error in frictionless.Package.validate_descriptor(package).errors] == []
    tables = {resource["name"]: resource for resource in package["resources"] if "schema" in resource}
    assert set(tables) == {"manifest", "classes", "specimens", "datasets", "names", "excluded"}
    for name, resource in tables.items():
        columns = [field["name"] for field in resource["schema"]["fields"]]
        assert read_parquet(release / f"{name}.parquet").column_names == columns
        assert (release / resource["path"]).stat().st_size == resource["bytes"]


def test_the_citation_file_keeps_its_schema(release: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    done = subprocess.run([*command, str(release / "CITATION.cff")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
