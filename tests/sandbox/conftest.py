"""A sandbox of small sheets on a free port, one for all tests here; every question to it crosses a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from asking import SMALL, free_port

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running
from naflora_etl.sandbox.gatherings import Picture
from naflora_etl.sandbox.world import World, build_world


@pytest.fixture(scope="session")
def options() -> SandboxOptions:
    return SandboxOptions(port=free_port(), **SMALL)


@pytest.fixture(scope="session")
def world(options: SandboxOptions) -> Iterator[World]:
    """A world with its sandbox running."""
    with sandbox_running(options):
        yield build_world(options)


@pytest.fixture
def find_picture(world: World) -> Callable[..., Picture]:
    """Return a picture by the manner of its host and its trouble."""

    def find(manner: str, trouble: str = "") -> Picture:
        for specimen in world.all_specimens():
            for picture in specimen.pictures:
                if (picture.host.manner, picture.trouble) == (manner, trouble) and not specimen.observation:
                    return picture
        raise LookupError(f"no picture on a {manner} host with trouble {trouble!r}; choose another seed")

    return find
