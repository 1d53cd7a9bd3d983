"""benchmarks/loader_cores.py at toy size: each way has its line of figures, worth something on many quiet cores."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_each_way_has_its_line(release: Path):
    path = Path(__file__).parents[2] / "benchmarks" / "loader_cores.py"
    toy = ["--workers", "1", "--size", "32", "--batch", "8", "--steps", "1"]
    done = subprocess.run([sys.executable, path, release, *toy], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["way"] for row in rows] == ["threads", "processes", "DataLoader"]
    assert all(row["images_per_second"] > 0 for row in rows)
