"""`naflora build` by GBIF's download API: the same images as by searching, one request through a kill, no password."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.tables import read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running
from naflora_etl.sandbox.world import GBIF_ADDRESS

LOGIN = {"GBIF_USER": "tess-turner", "GBIF_PWD": "pw-4f9a7c-unheard-of", "GBIF_EMAIL": "tess@herb.example"}
PREPARED_S = 1.5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.10.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def options() -> Iterator[SandboxOptions]:
    """A small world with its sandbox running, which outlives any build."""
    options = SandboxOptions(
        seed=7, species=4, specimens_per_species=8, port=free_port(), min_sheet_px=400, max_sheet_px=450,
        download_s=PREPARED_S,
    )  # fmt: skip
    with sandbox_running(options):
        yield options


def write_recipe(folder: Path, options: SandboxOptions, harvest: str, images: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "small.toml"
    path.write_text(
        f'name = "small"\n[images]\nredact = "none"\nsize_px = 300\n{images}\n'
        "[selection]\nservers = 6\nthreshold = 3\ncap = 5\nspares = 3\n[split]\nminimum = 3\nmin_test = 1\n"
        f"[harvest]\n{harvest}\ngbif_poll_s = 0.1\ngbif_poll_longest_s = 0.2\ntaxa_per_slice = 2\n"
        "[http.default]\nconcurrency = 2\nper_second = 60\n[sandbox]\n"
        + "".join(f"{name} = {value}\n" for name, value in options.model_dump().items())
    )
    return path


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)


def build(recipe: Path, *more: str) -> str:
    given = ["build", str(recipe), "--work", str(recipe.parent / "work"), *more]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def table(recipe: Path, name: str) -> list[dict[str, Any]]:
    return Receipts(Workspace(str(recipe.parent / "work"))).table(name).to_pylist()


def log_of(options: SandboxOptions) -> list[dict[str, Any]]:
    return list(requests.get(f"http://{GBIF_ADDRESS}:{options.port}/sandbox/log", timeout=10).json())


def posts(options: SandboxOptions) -> int:
    return sum(line["method"] == "POST" and "/occurrence/download/" in line["path"] for line in log_of(options))


def texts_in(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file's bytes as they lie, unpacked, and as a table's values."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            body = path.read_bytes()
            yield path, body
            if path.suffix == ".zst":
                with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as packed:
                    yield path, packed.read()
            if path.suffix == ".parquet" and body:
                yield path, json.dumps(read_parquet(path).to_pylist(), default=str).encode()


@pytest.mark.slow
def test_a_download_gives_the_same_images_as_the_search(tmp_path: Path, options: SandboxOptions) -> None:
    searched = write_recipe(tmp_path / "search", options, 'gbif = "search"')
    downloaded = write_recipe(tmp_path / "download", options, "gbif_search_taxa = 3")
    before = posts(options)
    told = build(searched)
    assert posts(options) == before
    told += build(downloaded)
    assert posts(options) == before + 1, "one request for all taxa"
    search, download = (
        read_parquet(recipe.parent / "work" / "release" / "manifest.parquet") for recipe in (searched, downloaded)
    )
    assert download.num_rows > 10
    same = [name for name in search.column_names if name != "license_verbatim"]  # GBIF writes it otherwise in archives
    assert search.select(same).equals(download.select(same))
    kept = [{row["record_key"]: row["issue"] for row in table(recipe, "records")} for recipe in (searched, downloaded)]
    assert kept[0] == kept[1]
    titles = [_titles(recipe.parent / "work" / "release") for recipe in (searched, downloaded)]
    assert titles[0] == titles[1], "one asks GBIF what each dataset is called, the other reads it in the archive"
    assert all(title and cited for source, title, _, cited in titles[0] if source == "gbif")
    assert all(title for _, title, *_ in titles[0]) and {source for source, *_ in titles[0]} == {"gbif", "idigbio"}
    _check_citations(downloaded.parent / "work" / "release", download)
    assert "GBIF Occurrence Download" not in (searched.parent / "work/release/citations.bib").read_text()
    secrets = [value.encode() for value in LOGIN.values()]
    for path, body in texts_in(tmp_path):
        assert not any(secret in body for secret in secrets), path
    assert not any(value in told for value in LOGIN.values())
    assert "unchanged" in build(downloaded) and posts(options) == before + 1


def _titles(release: Path) -> list[tuple[str, ...]]:
    rows = read_parquet(release / "datasets.parquet").to_pylist()
    return [(row["source"], row["title"], row["doi"], row["citation"]) for row in rows]


def _check_citations(release: Path, manifest: pa.Table) -> None:
    derived = json.loads((release / "derived_dataset.json").read_text())
    rows = [row for row in manifest.to_pylist() if row["source"] == "gbif"]
    assert sum(derived["relatedDatasets"].values()) == len(rows) > 0
    assert set(derived["relatedDatasets"]) == {row["datasetKey"] for row in rows}
    doi = derived["originalDownloadDOI"]
    assert doi in (release / "citations.bib").read_text()
    assert doi in [item.get("DOI") for item in json.loads((release / "citations.json").read_text())]
    thanks = (release / "ACKNOWLEDGEMENTS.txt").read_text()
    for name in ("institutionCode", "datasetKey", "rightsHolder"):
        assert all(value in thanks for value in set(manifest[name].to_pylist()) - {None}), name
    assert CliRunner().invoke(main, ["verify", str(release)]).exit_code == 0


@pytest.mark.slow
def test_killed_while_waiting_the_next_build_goes_on_with_the_same_key(tmp_path: Path, options: SandboxOptions) -> None:
    recipe = write_recipe(tmp_path, options, 'gbif = "download"')
    work, before = tmp_path / "work", posts(options)
    command = [sys.executable, "-m", "naflora_etl", "build", str(recipe), "--work", str(work), "--until", "records"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | LOGIN)
    patience = time.monotonic() + 60
    while not _noted(work).get("key") and time.monotonic() < patience:
        assert process.poll() is None, "it ended before its download was ready"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    key = _noted(work)["key"]
    assert "digest" not in _noted(work), "killed too late to try anything"
    build(recipe, "--until", "records")
    assert posts(options) == before + 1
    assert _noted(work)["key"] == key and "digest" in _noted(work)
    (archive,) = [row for row in table(recipe, "harvest") if row["page_key"] == "gbif:download/0000"]
    assert archive["doi"] and archive["record_count"]


def _noted(work: Path) -> dict[str, Any]:
    for path in work.glob("notes/gbif-download-*.json"):
        return dict(json.loads(path.read_text()))
    return {}


@pytest.mark.slow
def test_a_full_queue_is_waited_for(tmp_path: Path, options: SandboxOptions) -> None:
    predicate = {"type": "equals", "key": "TAXON_KEY", "value": "none"}
    body = {"format": "DWCA", "checklistKey": "7ddf754f-d193-4cc9-b351-99906754a03b", "predicate": predicate}
    url = f"http://{GBIF_ADDRESS}:{options.port}/v1/occurrence/download/request"
    for _ in range(3):
        login = (LOGIN["GBIF_USER"], LOGIN["GBIF_PWD"])
        assert requests.post(url, json=body, auth=login, timeout=10).status_code == 201
    build(write_recipe(tmp_path, options, 'gbif = "download"\nsources = ["gbif"]'), "--until", "harvest")
    answers = [line["status"] for line in log_of(options) if line["method"] == "POST" and "download" in line["path"]]
    assert answers[-1] == 201 and answers[-2] == 420
    agents = {line["user_agent"] for line in log_of(options) if line["path"].endswith("/request")}
    assert any(agent.startswith("naflora_etl/") for agent in agents)


def test_without_an_account_the_build_says_what_to_do(
    tmp_path: Path, options: SandboxOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GBIF_PWD")
    recipe = write_recipe(tmp_path, options, 'gbif = "download"')
    result = CliRunner().invoke(main, ["build", str(recipe), "--work", str(tmp_path / "work")])
    assert result.exit_code == 1 and "GBIF_PWD is not set in the environment" in result.output
    assert "Traceback" not in result.output


def test_the_plan_says_which_way_and_why(tmp_path: Path, options: SandboxOptions) -> None:
    ways = {
        "": "page by page: 4 taxa are at most harvest.gbif_search_taxa (300)",
        "gbif_search_taxa = 3": "once for all taxa: 4 taxa are more than harvest.gbif_search_taxa (3)",
        'gbif = "download"': 'once for all taxa: harvest.gbif = "download"',
    }
    for number, (knob, sentence) in enumerate(ways.items()):
        recipe = write_recipe(tmp_path / str(number), options, knob)
        work = str(recipe.parent / "work")
        result = CliRunner().invoke(main, ["plan", str(recipe), "--work", work], catch_exceptions=False)
        assert sentence in result.output


def test_copies_stand_in_for_images_that_their_server_lost(tmp_path: Path) -> None:
    options = SandboxOptions(
        seed=24, species=4, specimens_per_species=8, port=free_port(), min_sheet_px=400, max_sheet_px=450
    )
    some, all_of_them = "servers = 6\nthreshold = 3\ncap = 5", "servers = 8\nthreshold = 1\ncap = 30"
    with sandbox_running(options):
        rows = []
        for lanes in ("[]", '["gbif", "idigbio"]'):
            recipe = write_recipe(tmp_path / str(len(rows)), options, 'gbif = "search"', f"fallback = {lanes}")
            recipe.write_text(recipe.read_text().replace(some, all_of_them))
            build(recipe, "--until", "images")
            rows.append({row["image_key"]: row for row in table(recipe, "images")})
        asked = [line["path"] for line in log_of(options) if "/image/cache/" in line["path"]]
    without, with_copies = rows
    copied = {key: row for key, row in with_copies.items() if row["issue"] is None and row["fetched_url"]}
    assert copied and all(without[key]["issue"] == "HTTP_GONE" for key in copied)
    assert all("/v1/image/cache/1200x1200/occurrence/" in row["fetched_url"] for row in copied.values())
    assert not any(row["fetched_url"] for row in without.values()) and asked
    # a server that keeps us away is not gone round
    for key, row in without.items():
        if row["issue"] in ("ROBOTS_DISALLOWED", "HTTP_BLOCKED"):
            assert with_copies[key]["issue"] == row["issue"]
