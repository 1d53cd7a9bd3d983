"""kill -9 at random moments: the next run goes on, asks nobody twice, and ends with the undisturbed run's bytes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running

pytestmark = pytest.mark.slow
KILLS = 20
IN_FLIGHT = 24  # images that are being asked for when a kill comes, at most: lanes of all hosts and hands


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    options = SandboxOptions(
        seed=7, species=6, specimens_per_species=12, port=free_port(), min_sheet_px=700, max_sheet_px=800
    )
    path = tmp_path / "killed.toml"
    path.write_text(
        'name = "killed"\n[images]\nredact = "none"\nsize_px = 300\nimages_per_slice = 12\n'
        "[selection]\nservers = 6\nthreshold = 3\ncap = 8\nspares = 3\n[split]\nminimum = 3\nmin_test = 1\n"
        "[harvest]\ntaxa_per_slice = 2\n[http.default]\nconcurrency = 3\nper_second = 40\n[sandbox]\n"
        + "".join(f"{name} = {value}\n" for name, value in options.model_dump().items())
    )
    with sandbox_running(options) as running:
        yield path, running.gbif_api


def command(recipe: Path, work: Path) -> list[str]:
    return [sys.executable, "-m", "naflora_etl", "build", str(recipe), "--work", str(work)]


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def images_asked(api: str) -> Counter[str]:
    log = requests.get(f"{api}/sandbox/log", timeout=30).json()
    log = log["requests"] if isinstance(log, dict) else log
    return Counter(
        f"{row['host']}{row['path']}" for row in log
        if row["host"].startswith("127.10.1.") and "robots" not in row["path"] and row["status"] == 200
    )  # fmt: skip


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(recipe: tuple[Path, str], tmp_path: Path) -> None:
    path, api = recipe
    started = time.monotonic()
    subprocess.run(command(path, tmp_path / "calm"), check=True, capture_output=True, timeout=300)
    seconds = time.monotonic() - started
    once = images_asked(api)
    chance, kills = random.Random(11), 0
    while True:
        process = subprocess.Popen(command(path, tmp_path / "killed"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            process.wait(timeout=chance.uniform(0.5, seconds) if kills < KILLS else 300)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            continue
        assert process.stdout is not None
        told = process.stdout.read().decode()
        assert process.returncode == 0, told
        if kills >= KILLS or "unchanged" in told.split("release")[-1]:
            break
        # finished before the kill came: begin anew, so that every kill meets a build at work
        shutil.rmtree(tmp_path / "killed")
        seconds = max(1.0, seconds * 0.9)
    assert kills >= KILLS
    assert contents(tmp_path / "killed" / "release") == contents(tmp_path / "calm" / "release")
    assert contents(tmp_path / "killed" / "packs") == contents(tmp_path / "calm" / "packs")
    again = images_asked(api) - once
    twice = sum(max(0, count - once[name]) for name, count in again.items())
    assert twice <= kills * IN_FLIGHT
