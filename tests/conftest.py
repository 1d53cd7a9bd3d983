"""What all tests share: lanes of their own, and an ear for SIGINT. (It also lets rooms import what lies beside it.)"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def lanes_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the state of hosts apart from that of builds on this machine, and of other test runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAFLORA_LANES", str(tmp_path_factory.mktemp("lanes")))
        yield


@pytest.fixture(scope="session", autouse=True)
def hearing_sigint() -> None:
    """Hear SIGINT, as must what tests start: a job that a shell put in the background was told to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
