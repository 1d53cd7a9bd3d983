"""A thousand sheets through fifty kills, a network that cuts one connection in five, a host that dies half-way."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import requests
from remains import contents, finished_keys, let_time_pass

from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running

pytestmark = pytest.mark.slow

KILLS = 50
CONCURRENCY = 4
RECIPE = f"""\
name = "survivor"

[selection]
servers = "all"
threshold = 3
cap = 60
spares = 8

[images]
redact = "none"
size_px = 200
images_per_slice = 120

[release]
audit_sample = 0

[split]
minimum = 3
min_test = 1

[http]
tries = 4

[http.default]
concurrency = {CONCURRENCY}
per_second = 400

[sandbox]
"""


def options(species: int, specimens: int, **more: float) -> SandboxOptions:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = int(probe.getsockname()[1])
    return SandboxOptions(
        seed=9, species=species, specimens_per_species=specimens, port=port, min_sheet_px=420, max_sheet_px=480, **more
    )


def write_recipe(path: Path, sandbox: SandboxOptions) -> Path:
    path.write_text(RECIPE + "".join(f"{name} = {value}\n" for name, value in sandbox.model_dump().items()))
    return path


def start(recipe: Path, work: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "naflora_etl", "build", str(recipe), "--work", str(work)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def build(recipe: Path, work: Path) -> None:
    process = start(recipe, work)
    _, said = process.communicate(timeout=500)
    assert process.returncode == 0, said


def pictures_handed_out(api: str, after: int = 0) -> tuple[Counter[str], int]:
    log = requests.get(f"{api}/sandbox/log", timeout=30).json()
    lines = [line for line in log[after:] if "/sheets/" in line["path"] and line["status"] == 200]
    return Counter(f"http://{line['host']}{line['path']}" for line in lines), len(log)


def troubled(work: Path) -> set[str]:
    """Return the URLs that were out of reach at every try."""
    receipts = Receipts(Workspace(str(work)))
    url_of = {row["image_key"]: row["image_url"] for row in receipts.table("selection").to_pylist()}
    rows = receipts.table("images").to_pylist()
    return {url_of[row["image_key"]] for row in rows if row["issue"] == "HOST_TROUBLE"}


def finished(work: Path) -> set[str]:
    return {re.sub("@.*", "", key) for key in finished_keys(work)}


def test_fifty_kills_of_a_thousand_sheets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = options(24, 44)
    recipe, chance = write_recipe(tmp_path / "survivor.toml", world), random.Random(3)
    with sandbox_running(world) as sandbox:
        began = time.monotonic()
        build(recipe, tmp_path / "calm")
        lasted = time.monotonic() - began
        once, seen = pictures_handed_out(sandbox.gbif_api)
        assert set(once.values()) == {1} and len(once) > 800
        selection = Receipts(Workspace(str(tmp_path / "calm"))).table("selection").to_pylist()
        url_of = {row["image_key"]: row["image_url"] for row in selection}

        work, kills, again, done = tmp_path / "killed", 0, 0, set[str]()
        while True:
            let_time_pass(work)
            process = start(recipe, work)
            # so long that fifty kills fall all over the build, wherever it stands by then
            time.sleep(chance.uniform(0.2, 2 + lasted / 12))
            stopped = kills < KILLS and process.poll() is None
            if stopped:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            said = process.communicate(timeout=500)[1]
            new, seen = pictures_handed_out(sandbox.gbif_api, seen)
            assert not {url_of[key] for key in done} & new.keys(), "asked again for what was finished"
            again += sum((new & once).values())
            done = finished(work)
            if stopped:
                continue
            assert process.returncode == 0, said
            if kills < KILLS:  # whole before its time: from an empty folder once more
                assert contents(work / "packs", "*.tar") == contents(tmp_path / "calm" / "packs", "*.tar")
                work, done = tmp_path / f"killed-{kills}", set()
                continue
            break
    assert contents(work / "packs", "*.tar") == contents(tmp_path / "calm" / "packs", "*.tar")
    assert contents(work / "release") == contents(tmp_path / "calm" / "release")
    assert not (work / "bench").exists()
    with capsys.disabled():
        print(f"\n{len(once)} sheets, {kills} kills, {again} handed out in all")  # noqa: T201 - a figure for the reader


def test_a_network_that_cuts_one_connection_in_five(tmp_path: Path) -> None:
    calm = options(8, 20)
    rough = calm.model_copy(update={"drop_share": 0.2})
    with sandbox_running(calm):
        build(write_recipe(tmp_path / "calm.toml", calm), tmp_path / "calm")
    recipe = write_recipe(tmp_path / "rough.toml", rough)
    with sandbox_running(rough) as sandbox:
        for _ in range(4):
            build(recipe, tmp_path / "rough")
            if not troubled(tmp_path / "rough"):
                break
        log = requests.get(f"{sandbox.gbif_api}/sandbox/log", timeout=30).json()
    pictures = [line for line in log if "/sheets/" in line["path"]]
    assert sum(line["status"] == 0 for line in pictures) > 0.15 * len(pictures), "the network was not rough"
    assert not troubled(tmp_path / "rough")
    assert contents(tmp_path / "rough" / "shards") == contents(tmp_path / "calm" / "shards")


def test_a_host_that_dies_half_way_is_left_alone_and_asked_by_the_next_build(tmp_path: Path) -> None:
    calm = options(8, 20)
    dying = calm.model_copy(update={"dies_after": 15})
    with sandbox_running(calm):
        build(write_recipe(tmp_path / "calm.toml", calm), tmp_path / "calm")
    with sandbox_running(dying):
        build(write_recipe(tmp_path / "dying.toml", dying), tmp_path / "work")
    out_of_reach = troubled(tmp_path / "work")
    assert out_of_reach
    with sandbox_running(calm) as sandbox:
        build(tmp_path / "calm.toml", tmp_path / "work")
        asked, _ = pictures_handed_out(sandbox.gbif_api)
    assert set(asked) == out_of_reach, "asks for what was out of reach, and for nothing else"
    assert contents(tmp_path / "work" / "shards") == contents(tmp_path / "calm" / "shards")
