"""kill -9, Ctrl-C and SIGTERM in every stage: the next run goes on, asks nobody twice, ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from remains import contents, finished_keys, let_time_pass

from naflora_etl.console import STOPPED
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.workspace import Workspace
from naflora_etl.pipeline import NAMES
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running
from naflora_etl.sandbox.world import GBIF_ADDRESS

# a moment in every stage, and two more in the longest; twice over, from an empty data folder each time
PLAN = sorted([*NAMES, "images", "images"], key=NAMES.index)
ROUNDS = 2
LEAST_KILLS = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def small_sandbox() -> SandboxOptions:
    return SandboxOptions(
        seed=7, species=5, specimens_per_species=10, port=free_port(), min_sheet_px=700, max_sheet_px=800
    )


def write_recipe(folder: Path, options: SandboxOptions) -> Path:
    path = folder / "killed.toml"
    path.write_text(
        'name = "killed"\n[images]\nredact = "none"\nsize_px = 300\nimages_per_slice = 12\n'
        "[selection]\nservers = 6\nthreshold = 3\ncap = 6\nspares = 3\n[split]\nminimum = 3\nmin_test = 1\n"
        "[harvest]\ntaxa_per_slice = 2\n[release]\naudit_sample = 0\n"
        "[http.default]\nconcurrency = 2\nper_second = 40\n[sandbox]\n"
        + "".join(f"{name} = {value}\n" for name, value in options.model_dump().items())
    )
    return path


@dataclass
class Build:
    """A running build, and when it told that a stage is done."""

    recipe: Path
    work: Path
    started: float = field(default_factory=time.monotonic)
    told: dict[str, float] = field(default_factory=dict)
    said: str = ""

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "naflora_etl", "build", str(self.recipe), "--work", str(self.work)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if (stage := line.partition(" ")[0]) in NAMES:
                self.told[stage] = time.monotonic()

    def await_stage(self, stage: str) -> bool:
        """Wait until `stage` is at work; false when the build ended before."""
        place = NAMES.index(stage)
        while self.process.poll() is None:
            if NAMES[place - 1] in self.told if place else (self.work / "given" / "wcvp_names.csv").exists():
                return True
            time.sleep(0.002)
        return False

    def stop(self, number: int) -> bool:
        """Send a signal; return whether it met the build at work."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        self.end()
        return self.process.returncode != 0

    def end(self) -> None:
        assert self.process.stdout is not None and self.process.stderr is not None
        self.said = self.process.stderr.read()
        self.process.wait(120)
        self.listener.join()
        self.process.stdout.close()
        self.process.stderr.close()

    @property
    def at(self) -> str:
        """The stage that was at work when it ended."""
        return NAMES[min(len(self.told), len(NAMES) - 1)]

    def seconds(self) -> dict[str, float]:
        """How long each stage took."""
        times = [self.told[name] for name in NAMES]
        return {name: max(0.02, end - begin) for name, begin, end in zip(NAMES[1:], times, times[1:], strict=False)}


class Sandboxed:
    """A sandbox that outlives the builds, and what it was asked."""

    def __init__(self, api: str) -> None:
        self.api = api
        self.seen = 0

    def images_asked(self) -> Counter[str]:
        """URLs of images that were handed out since the last call."""
        log = requests.get(f"{self.api}/sandbox/log", timeout=30).json()
        new, self.seen = log[self.seen :], len(log)
        rows = [row for row in new if "/sheets/" in row["path"] and row["status"] == 200]
        return Counter(f"http://{row['host']}{row['path']}" for row in rows)


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[tuple[Path, Sandboxed]]:
    options = small_sandbox()
    with sandbox_running(options) as running:
        yield write_recipe(tmp_path, options), Sandboxed(running.gbif_api)


@pytest.mark.slow
def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    sandboxed: tuple[Path, Sandboxed], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, sandbox = sandboxed
    calm = Build(recipe, tmp_path / "calm")
    calm.end()
    assert calm.process.returncode == 0, calm.said
    once = sandbox.images_asked()
    assert set(once.values()) == {1}
    selection = Receipts(Workspace(str(tmp_path / "calm"))).table("selection").to_pylist()
    url_of = {row["image_key"]: row["image_url"] for row in selection}

    chance, lasts = random.Random(11), calm.seconds()
    kills: Counter[str] = Counter()
    for number in range(ROUNDS):
        work = tmp_path / f"killed-{number}"
        asked: Counter[str] = Counter()
        done: set[str] = set()
        for stage in [*PLAN, None]:
            let_time_pass(work)
            build = Build(recipe, work)
            if stage is not None and build.await_stage(stage):
                time.sleep(chance.uniform(0, lasts.get(stage, 0.02)))
                if build.stop(signal.SIGKILL):
                    kills[build.at] += 1
            else:
                build.end()
                assert build.process.returncode == 0, build.said
            new = sandbox.images_asked()
            # a failure is kept as <image_key>@<snapshot>
            finished = {url_of[name.partition("@")[0]] for name in done}
            assert not finished & new.keys(), "asked again for what was finished"
            asked += new
            done = finished_keys(work)
        assert contents(work / "release") == contents(tmp_path / "calm" / "release")
        assert contents(work / "packs", "*.tar") == contents(tmp_path / "calm" / "packs", "*.tar")
        assert not (work / "bench").exists()
        assert set(asked) == set(once)
    with capsys.disabled():
        print(f"\nkilled {kills.total()} times: {json.dumps(kills)}")  # noqa: T201 - a figure for the reader
    assert kills.total() >= LEAST_KILLS
    assert len(kills) >= len(NAMES) // 2 and kills["images"]  # a short stage may be over before the signal comes


def is_answered(options: SandboxOptions) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((GBIF_ADDRESS, options.port)) == 0


def interrupt(recipe: Path, work: Path, stage: str, number: int, after_s: float) -> bool:
    build = Build(recipe, work)
    assert build.await_stage(stage), build.said
    time.sleep(after_s)
    met = build.stop(number)
    assert build.process.returncode == (130 if met else 0), build.said
    assert build.said.splitlines() == ([STOPPED] if met else [])
    return met


def test_ctrl_c_ends_with_one_sentence_and_leaves_no_sandbox_behind(tmp_path: Path) -> None:
    options = small_sandbox()
    assert interrupt(write_recipe(tmp_path, options), tmp_path / "work", "images", signal.SIGINT, 0.3)
    assert not is_answered(options)


@pytest.mark.slow
def test_an_interruption_in_any_stage_is_one_sentence_and_the_next_run_completes(tmp_path: Path) -> None:
    options, chance, met = small_sandbox(), random.Random(5), 0
    recipe = write_recipe(tmp_path, options)
    for place, stage in enumerate(NAMES):
        number = (signal.SIGINT, signal.SIGTERM)[place % 2]
        met += interrupt(recipe, tmp_path / "work", stage, number, chance.uniform(0, 0.03))
        assert not is_answered(options)
    assert met >= len(NAMES) - 2
    for work in ("work", "calm"):
        build = Build(recipe, tmp_path / work)
        build.end()
        assert build.process.returncode == 0, build.said
    assert contents(tmp_path / "work" / "release") == contents(tmp_path / "calm" / "release")
    assert not is_answered(options)
