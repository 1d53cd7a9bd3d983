"""A flow run whose slices run on a Dask cluster: the bytes of one machine, and hosts that are asked no faster."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from naflora_etl.recipe import read_recipe
from naflora_etl.sandbox.embedded import Sandbox, sandbox_running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PER_SECOND = 8.0
CONCURRENCY = 2
RECIPE = """\
name = "spread"

[sandbox]
seed = 3
species = 6
specimens_per_species = 10
min_sheet_px = 600
max_sheet_px = 700
port = {port}

[selection]
servers = "all"
threshold = 3
cap = 8
spares = 3

[images]
redact = "none"
size_px = 320
images_per_slice = 12

[release]
audit_sample = 0

[split]
minimum = 3
min_test = 1

[http.default]
concurrency = {concurrency}
per_second = {per_second}
"""
RUN = """\
import sys
from flows.build_naflora import build_naflora
state = build_naflora(sys.argv[1], work=sys.argv[2], slice_workers=2, return_state=True)
print(state.name, state.message)
sys.exit(0 if state.is_completed() else 1)
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, port_everywhere: int) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "spread.toml"
    path.write_text(RECIPE.format(port=port_everywhere, concurrency=CONCURRENCY, per_second=PER_SECOND))
    return path


@pytest.fixture(scope="module")
def sandbox(recipe: Path) -> Iterator[Sandbox]:
    options = read_recipe(recipe).sandbox
    assert options is not None
    with sandbox_running(options) as running:
        yield running


@contextmanager
def cluster(prefect: Any) -> Iterator[str]:
    """Run a Dask scheduler and two worker processes, as a person would start them; yield the scheduler's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    worker = ("worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")
    with ExitStack() as stack:
        for name, arguments in (("scheduler", scheduler), ("worker-1", worker), ("worker-2", worker)):
            stack.enter_context(dask_running(arguments, prefect, name))
        patience = time.monotonic() + 60
        while not all("Registered to" in log for log in worker_logs(prefect)):
            assert time.monotonic() < patience, f"no Dask cluster came up:\n{prefect.log()}"
            time.sleep(0.2)
        yield address


def worker_logs(prefect: Any) -> list[str]:
    return [(prefect.folder / f"worker-{number}.log").read_text() for number in (1, 2)]


@contextmanager
def dask_running(arguments: tuple[str, ...], prefect: Any, name: str) -> Iterator[None]:
    with (prefect.folder / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        process = psutil.Popen(command, cwd=ROOT, env=prefect.environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            _, left = psutil.wait_procs([process], timeout=15)
            for survivor in left:
                survivor.kill()


def contents(folder: Path, pattern: str) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob(pattern))}


def image_requests(sandbox: Sandbox) -> list[dict[str, Any]]:
    log = requests.get(f"{sandbox.gbif_api}/sandbox/log", timeout=30).json()
    return [line for line in log if "/sheets/" in line["path"]]


def test_two_dask_workers_make_the_same_bytes_and_are_no_ruder_than_one(
    prefect: Any, recipe: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    here = subprocess.run(
        [sys.executable, "-m", "naflora_etl", "build", str(recipe), "--work", str(tmp_path / "here")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert here.returncode == 0, here.stderr
    asked_before = len(image_requests(sandbox))

    with cluster(prefect) as scheduler:
        environment = prefect.environment | {"NAFLORA_DASK_SCHEDULER": scheduler}
        command = [sys.executable, "-c", RUN, str(recipe), str(tmp_path / "spread")]
        spread = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=400
        )
    assert spread.returncode == 0, spread.stdout[-3000:] + spread.stderr[-3000:] + prefect.log()

    for pattern in ("packs/*.tar", "release/*"):
        assert contents(tmp_path / "spread", pattern) == contents(tmp_path / "here", pattern), pattern
    requests_made = image_requests(sandbox)[asked_before:]
    assert requests_made, "the workers asked nobody"
    for host in {line["host"] for line in requests_made}:
        lines = sorted((line for line in requests_made if line["host"] == host), key=lambda line: line["time"])
        assert max(line["concurrent"] for line in lines) <= CONCURRENCY, host
        # a request may be a little late at the server, and the next one then seems a little early
        close = [b["time"] - a["time"] for a, b in pairwise(lines) if b["time"] - a["time"] < 0.5 / PER_SECOND]
        assert len(close) <= 0.1 * len(lines), (host, close)
