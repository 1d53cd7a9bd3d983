"""A run of a few seconds, and the model that was exported of it; do not change them."""

from __future__ import annotations

from pathlib import Path

import pytest

from naflora_etl.learning.cabinet.export import export_run
from naflora_etl.learning.recipe import read_learn_recipe
from naflora_etl.learning.train import train


@pytest.fixture(scope="session")
def run(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    recipe = read_learn_recipe("tiny", ["data.size_px=48", "data.crop_area=1", "loop.epochs=6"])
    train(release, recipe=recipe, out=out)
    return out


@pytest.fixture(scope="session")
def model(run: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model"
    export_run(run, out, calibrate=release)
    return out
