"""A small release, made once by the real stages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_world import make_world


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole release; do not change it."""
    world = make_world(tmp_path_factory.mktemp("world"))
    world.pack_shards()
    world.write_release()
    return world.release


@pytest.fixture
def copy_release(release: Path, tmp_path: Path) -> Callable[[], Path]:
    """Copy the release, to be broken."""
    return lambda: Path(shutil.copytree(release, tmp_path / "small-0.1.0"))
