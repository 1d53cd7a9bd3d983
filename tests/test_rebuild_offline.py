"""What aggregators sent is kept as it came, so that records are made again from it when nobody answers any more."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from naflora_etl.engine import http
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.workspace import Workspace
from naflora_etl.pipeline import build_recipe
from naflora_etl.recipe import make_recipe
from naflora_etl.sandbox.embedded import point_recipe, sandbox_running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.10.0.1", 0))
        return int(probe.getsockname()[1])


def test_records_are_made_again_from_raw_pages_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = {"species": 4, "specimens_per_species": 8, "port": free_port()}
    manners = {"default": {"concurrency": 2, "per_second": 200.0}}
    recipe = make_recipe({"name": "small", "sandbox": sandbox, "http": manners}, folder=tmp_path)
    workspace = Workspace(str(tmp_path / "work"))
    workspace.make()
    assert recipe.sandbox is not None
    with sandbox_running(recipe.sandbox):
        built = build_recipe(point_recipe(recipe, tmp_path), workspace, until="records")[-1]
    blobs = Blobs(workspace)
    for row in Receipts(workspace).table("harvest").to_pylist():
        if row["blob"]:
            assert len(blobs.get(row["blob"])) == row["size_bytes"]
            assert row["request"].startswith("http://127.10.0.") and row["fetched_at"]
    shutil.rmtree(tmp_path / "work/tables/records")
    monkeypatch.setattr(http.Ask, "__call__", lambda *given, **more: pytest.fail("somebody was asked"))
    again = build_recipe(point_recipe(recipe, tmp_path), workspace, until="records")[-1]
    assert again.digest == built.digest and again.rows == built.rows > 0
