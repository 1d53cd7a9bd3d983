"""What all tests share: lanes of their own. (That this file stands here also lets rooms import what lies beside it.)"""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def lanes_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the state of hosts apart from that of builds on this machine, and of other test runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAFLORA_LANES", str(tmp_path_factory.mktemp("lanes")))
        yield
