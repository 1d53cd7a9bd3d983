"""Prefect in a home of its own, and, for the slow tests, a real server and a real worker on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def prefect_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Keep Prefect out of the user's home and off the network; return the environment for its commands.

    Prefect reads its settings when it is first imported, so the tests import it, and `flows`, inside their functions.
    """
    home = tmp_path_factory.mktemp("prefect")
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "1",
        "NAFLORA_HOME": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PREFECT_") or name == "NAFLORA_DASK_SCHEDULER":
                patch.delenv(name)
        for name, value in settings.items():
            patch.setenv(name, value)
        yield dict(os.environ)


@dataclass(frozen=True)
class Prefect:
    """A running server: its commands, run as a person would, and its API."""

    api: str
    environment: dict[str, str]
    folder: Path

    def run(self, *arguments: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def ask(self, path: str, **question: Any) -> Any:
        headers = {"content-type": "application/json"}
        request = Request(f"{self.api}/{path}", json.dumps(question).encode(), headers)
        with urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def log(self) -> str:
        return "\n".join(file.read_text(errors="replace")[-4000:] for file in sorted(self.folder.glob("*.log")))


@pytest.fixture(scope="session")
def prefect(prefect_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """Give a server with the deployments of prefect.yaml and a worker that runs them; both end with the tests."""
    folder, port = tmp_path_factory.mktemp("logs"), free_port("127.0.0.1")
    api = f"http://127.0.0.1:{port}/api"
    made = Prefect(api, prefect_environment | {"PREFECT_API_URL": api, "OMP_NUM_THREADS": "1"}, folder)
    with ExitStack() as stack:
        server = ("server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
        stack.enter_context(running(server, made, "server"))
        wait_for(lambda: is_healthy(api), made, "the server did not become healthy")
        for command in (("work-pool", "create", "local", "--type", "process"), ("deploy", "--all")):
            done = made.run(*command)
            assert done.returncode == 0, done.stdout + done.stderr
        stack.enter_context(running(("worker", "start", "--pool", "local", "--name", "one"), made, "worker"))
        yield made


@pytest.fixture(scope="session")
def port_everywhere() -> int:
    """Return a port that is free at every address of this machine, for a sandbox."""
    return free_port("")


@contextmanager
def running(arguments: tuple[str, ...], prefect: Prefect, name: str) -> Iterator[None]:
    """Run a command of Prefect's while the block lasts; neither it nor a child of it outlives the block."""
    with (prefect.folder / f"{name}.log").open("wb") as log:
        process = psutil.Popen(
            [sys.executable, "-m", "prefect", *arguments], cwd=ROOT, env=prefect.environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            family = [process, *process.children(recursive=True)] if process.is_running() else []
            process.terminate()
            _, left = psutil.wait_procs(family, timeout=15)
            for survivor in left:
                survivor.kill()
            psutil.wait_procs(left, timeout=5)
            process.wait()


def wait_for(is_so: Callable[[], bool], prefect: Prefect, otherwise: str, patience_s: float = 120) -> None:
    """Return when `is_so`; fail with the logs when it takes too long."""
    end = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < end, f"{otherwise}:\n{prefect.log()}"
        time.sleep(0.5)


def is_healthy(api: str) -> bool:
    """Return whether the server answers."""
    try:
        with urlopen(f"{api}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def free_port(address: str) -> int:
    """Return a port that nobody listens on at `address`; with an empty one, at no address of this machine."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
