"""Processes that look at sheets, one for each thread that asks.

Of every sheet a millisecond is spent under Python's lock, so that threads of one process make some 800 a second however
many cores there are. A process is started as a program of its own: one that is forked would inherit threads and a GPU's
state, and multiprocessing's would run the caller's script again.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.sheets import Sheets, Wanted
from naflora_etl.learning.warp import Pixels, sheet_shape

PROCESSES_FROM = 4
"""Workers; fewer do as well as threads, and begin at once."""
PIXELS, FAULT = b"\0", b"\1"
PIPE_BYTES = 1 << 20  # some sheets at once


class Decoders:
    """Looks at sheets of a folder in processes: one for each thread that calls `look`, until `close`."""

    def __init__(self, folder: Path, options: DataOptions) -> None:
        self.folder = folder
        self.options = options
        self._own = threading.local()
        self._all: list[subprocess.Popen[bytes]] = []

    def look(self, wanted: Sequence[Wanted]) -> Pixels:
        """Return n x height x width x 3, with the bits of `Sheets.look`; raises Fault, also where a process ended."""
        process = self._process()
        ask, answer = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
        try:
            pickle.dump(list(wanted), ask)
            ask.flush()
            kind, length = answer.read(1), int.from_bytes(answer.read(8), "little")
            if kind == FAULT:
                raise Fault(answer.read(length).decode())
            pixels = np.empty((len(wanted), *sheet_shape(self.options), 3), np.uint8)
            if kind == PIXELS and answer.readinto(pixels.data.cast("B")) == pixels.nbytes:  # type: ignore[attr-defined]
                return pixels
        except BrokenPipeError:
            pass
        raise Fault(
            f"A process that decodes sheets ended ({process.wait()}), for want of memory perhaps; lower loop.workers."
        )

    def close(self) -> None:
        """End the processes; no thread may look any more."""
        for process in self._all:
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    cast(BinaryIO, pipe).close()
        while self._all:
            self._all.pop().wait()

    def _process(self) -> subprocess.Popen[bytes]:
        if not hasattr(self._own, "process"):
            paths = os.pathsep.join(path for path in sys.path if path)
            process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,  # Ctrl-C is for whom it serves, whose end it sees
            )
            self._own.process = process
            self._all.append(process)
            if hasattr(fcntl, "F_SETPIPE_SZ"):
                fcntl.fcntl(cast(BinaryIO, process.stdout), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            pickle.dump((str(self.folder), self.options.model_dump()), cast(BinaryIO, process.stdin))
        return cast("subprocess.Popen[bytes]", self._own.process)


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the other side closes its end, or is killed."""
    folder, told = pickle.load(asked)
    sheets = Sheets(Path(folder), DataOptions.model_validate(told))
    while True:
        try:
            wanted = pickle.load(asked)
        except EOFError:
            return
        try:
            kind, answer = PIXELS, b"".join(sheets.look(one).tobytes() for one in wanted)
        except Fault as fault:
            kind, answer = FAULT, str(fault).encode()
        try:
            answers.write(kind + len(answer).to_bytes(8, "little") + answer)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody waits for it any more


if __name__ == "__main__":
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed must not come between
    serve(sys.stdin.buffer, pipe)
