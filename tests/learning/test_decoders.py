"""Processes that look at sheets: begun when asked, gone when closed or when whom they serve is killed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.data import SheetDataset
from naflora_etl.learning.decoders import Decoders
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.releases import open_release

# with what is drawn by a lock in threads, and needs none here
OPTIONS = DataOptions(size_px=(40, 32), rand_augment="rand-m5")


@pytest.fixture(scope="module")
def dataset(release: Path) -> SheetDataset:
    return SheetDataset(open_release(release).part("train"), OPTIONS)


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "naflora_etl.learning.decoders" in child.cmdline()]


def test_one_that_is_killed_is_told_and_all_end_with_close(dataset: SheetDataset):
    wanted = dataset.wanted(3, seed=1, epoch=0)
    with closing(Decoders(dataset.part.folder, OPTIONS)) as decoders:
        assert children() == []
        assert np.array_equal(decoders.look([wanted])[0], dataset.look(3, seed=1, epoch=0)[0])
        (child,) = children()
        child.kill()
        with pytest.raises(Fault, match=r"^A process that decodes sheets ended \(-9\), .* lower loop\.workers\.$"):
            decoders.look([wanted, wanted])
    assert children() == []


def test_they_end_when_whom_they_serve_is_killed(release: Path):
    program = (
        "import sys, time; from pathlib import Path; from naflora_etl.learning.decoders import Decoders\n"
        "from naflora_etl.learning.options import DataOptions\n"
        "decoders = Decoders(Path(sys.argv[1]), DataOptions()); print(decoders._process().pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(release)], stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        server = psutil.Process(int(served.stdout.readline()))
        os.kill(served.pid, signal.SIGKILL)
    until = time.monotonic() + 30
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.05)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
