"""DuckDB behind a door: a signal that comes while it works is an interruption, not an error of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pyarrow as pa
import pytest

from naflora_etl.engine.spool import Spool
from naflora_etl.engine.tables import hearing_interrupts, query_tables
from naflora_etl.engine.workspace import Workspace

GIVEN = pa.table({"x": [1]})


def queries() -> None:
    while True:
        query_tables("select x from given", given=GIVEN)


def spooled() -> None:
    with Spool(Workspace("memory://interrupted")) as spool:
        while True:
            spool.query("select x from given", given=GIVEN)


# an interrupted clean-up leaves its look into the scratch folder to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("ask", [queries, spooled])
def test_an_interrupted_query_is_an_interruption(ask: Callable[[], None]) -> None:
    for turn in range(8):  # wherever DuckDB stands when it comes
        sender = threading.Timer(0.05 + turn / 1000, os.kill, (os.getpid(), signal.SIGINT))
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            ask()
        sender.join()


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="no such thing"), hearing_interrupts():
        raise RuntimeError("no such thing")
