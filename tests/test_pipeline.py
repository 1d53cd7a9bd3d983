"""The whole way on a tiny sandbox, through every real stage: the funnel is the golden file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from naflora_etl.engine.ledger import trace_key
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.workspace import Workspace
from naflora_etl.pipeline import KEYS, NAMES, build_recipe
from naflora_etl.publishing.verify import verify_release
from naflora_etl.recipe import Recipe, make_recipe
from naflora_etl.sandbox.embedded import sandbox_for

# the port is part of every image's address, and so of its key and of who is drawn: fixed, or the funnel would vary
PORT = 8931
# stage: given, clean
FUNNEL = {
    "checklist": (20, 20),
    "wcvp": (24, 24),
    "taxa": (20, 12),
    "harvest": (12, 40),
    "records": (40, 50),
    "selection": (50, 28),
    "images": (28, 23),
    "split": (23, 23),
    "shards": (23, 23),
    "release": (23, 26),
}


def tiny_recipe(folder: Path) -> Recipe:
    values = {
        "name": "tiny",
        "images": {"redact": "none", "size_px": 300},
        "selection": {"servers": 6, "threshold": 3, "cap": 6, "spares": 3},
        "split": {"minimum": 3, "min_test": 1},
        "release": {"audit_sample": 0},
        "http": {"default": {"concurrency": 3, "per_second": 40}},
        "sandbox": {
            "seed": 7,
            "species": 5,
            "specimens_per_species": 12,
            "port": PORT,
            "min_sheet_px": 700,
            "max_sheet_px": 800,
        },
    }
    return make_recipe(values, folder=folder)


def build(workspace: Workspace, folder: Path) -> dict[str, tuple[int, int]]:
    with sandbox_for(tiny_recipe(folder), workspace) as recipe:
        return {receipt.stage: (receipt.given, receipt.clean) for receipt in build_recipe(recipe, workspace)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("whole-way")
    workspace = Workspace(str(folder / "work"))
    found = build(workspace, folder)
    assert found == FUNNEL
    return workspace


def test_the_release_keeps_its_promises(built: Workspace) -> None:
    assert verify_release(built.local("release")) == []


def test_every_image_key_is_accounted_for_along_the_way(built: Workspace) -> None:
    receipts, known = Receipts(built), None
    for stage in ("records", "selection", "images", "split", "shards"):
        table = receipts.table(stage).to_pandas()
        keys = set(table["image_key"].dropna()) if stage == "records" else set(table["image_key"])
        if known is not None:
            assert keys == known, stage
        known = set(table[table["issue"].isna()]["image_key"])
    manifest = set(_manifest(built)["image_key"])
    assert manifest == known


def test_any_key_of_the_manifest_tells_its_whole_life(built: Workspace) -> None:
    row = _manifest(built).iloc[0]
    for key in (row["image_key"], row["specimen_key"]):
        stages = {trace.stage for trace in trace_key(built, NAMES, KEYS, key)}
        assert {"records", "selection", "images", "split", "shards"} <= stages


@pytest.mark.slow
def test_a_workspace_elsewhere_publishes_the_same_bytes(built: Workspace, tmp_path: Path) -> None:
    elsewhere = Workspace(f"memory://{tmp_path.name}")
    build(elsewhere, tmp_path)
    names = built.names("release")
    assert elsewhere.names("release") == names
    for name in names:
        digests = {hashlib.sha256(where.read(f"release/{name}")).hexdigest() for where in (built, elsewhere)}
        assert len(digests) == 1, name


def _manifest(workspace: Workspace):  # type: ignore[no-untyped-def]
    import pandas as pd

    return pd.read_parquet(workspace.local("release/manifest.parquet"))
