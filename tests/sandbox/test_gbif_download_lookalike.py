"""GBIF's look-alike prepares downloads: who may ask, how many at a time, how one stands, and the zip with ranges."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
import zipfile
from base64 import b64encode
from typing import Any

import pytest
from asking import Reply, ask, free_port

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running
from naflora_etl.sandbox.world import World, build_world

COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"
PREPARED_S = 1.0


@pytest.fixture(scope="module")
def slow() -> Any:
    """A world whose downloads take a while."""
    options = SandboxOptions(
        port=free_port(), species=3, specimens_per_species=6, min_sheet_px=300, max_sheet_px=400, download_s=PREPARED_S
    )
    with sandbox_running(options):
        yield build_world(options)


def query(*values: str, **parts: str) -> dict[str, Any]:
    keys = {"type": "in", "key": "TAXON_KEY", "values": list(values), "checklistKey": COL_XR}
    predicates = [keys, *({"type": "equals", "key": key, "value": value} for key, value in parts.items())]
    return {"format": "DWCA", "checklistKey": COL_XR, "predicate": {"type": "and", "predicates": predicates}}


def post(world: World, body: Any, user: str = "tess", password: str = "s3cr3t") -> Reply:
    pair = b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"{world.gbif_api}/v1/occurrence/download/request",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"} | ({"Authorization": f"Basic {pair}"} if user else {}),
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as answer:
        with answer:
            return Reply(answer.code, dict(answer.headers), answer.read())


def species_keys(world: World) -> list[str]:
    return [plant.accepted.key for plant in world.flora.species]


REFUSED = {
    "nobody": (("", "x"), query("A"), 401),
    "a wrong password": (("tess", "wrong"), query("A"), 401),
    "an e-mail for a user": (("tess@a.org", "x"), query("A"), 401),
    "no predicate": (("tess", "x"), {"format": "DWCA"}, 400),
    "another format": (("tess", "x"), query("A") | {"format": "SIMPLE_CSV"}, 400),
    "too many values": (("tess", "x"), query(*map(str, range(100_001))), 413),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(world: World, case: str) -> None:
    (user, password), body, status = REFUSED[case]
    assert post(world, body, user, password).status == status


def test_a_download_holds_what_the_search_finds(world: World) -> None:
    parts = {"BASIS_OF_RECORD": "PRESERVED_SPECIMEN", "MEDIA_TYPE": "StillImage"}
    keys = species_keys(world)[:3]
    key = post(world, query(*keys, **parts)).body.decode()
    told = ask(f"{world.gbif_api}/v1/occurrence/download/{key}").json
    assert told["status"] == "SUCCEEDED" and told["doi"].startswith("10.15468/dl.")
    moved = ask(told["downloadLink"])
    assert moved.status == 302
    body = ask(moved.headers["Location"]).body
    assert len(body) == told["size"]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        rows = archive.read("occurrence.txt").decode().splitlines()[1:]
        media = archive.read("multimedia.txt").decode().splitlines()[1:]
    params = {"taxonKey": keys, "checklistKey": COL_XR, "limit": 300}
    params |= {"basisOfRecord": "PRESERVED_SPECIMEN", "mediaType": "StillImage"}
    found = ask(f"{world.gbif_api}/v1/occurrence/search", params).json["results"]
    assert [row.split("\t")[0] for row in rows] == [record["gbifID"] for record in found] != []
    assert len(media) == sum(len(record["media"]) for record in found)
    assert told["totalRecords"] == len(found)


def test_a_zip_comes_in_ranges(world: World) -> None:
    key = post(world, query(*species_keys(world)[:1]), user="ranger").body.decode()
    url = f"{world.gbif_api}/downloads/{key}.zip"
    whole = ask(url).body
    request = urllib.request.Request(url, headers={"Range": "bytes=10-19"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        assert answer.status == 206 and answer.read() == whole[10:20]
        assert answer.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"


def test_three_at_a_time_each_in_its_time(slow: World) -> None:
    keys = [post(slow, query(*species_keys(slow))).body.decode() for _ in range(3)]
    assert len(set(keys)) == 3
    assert post(slow, query("A")).status == 420
    assert post(slow, query("A"), user="another").status == 201
    url = f"{slow.gbif_api}/v1/occurrence/download/{keys[0]}"
    seen = [ask(url).json["status"]]
    assert ask(f"{slow.gbif_api}/v1/occurrence/download/request/{keys[0]}.zip").status == 404
    patience = time.monotonic() + 20
    while seen[-1] != "SUCCEEDED" and time.monotonic() < patience:
        time.sleep(0.05)
        seen.append(ask(url).json["status"])
    assert list(dict.fromkeys(seen)) == ["PREPARING", "RUNNING", "SUCCEEDED"]
    assert ask(f"{slow.gbif_api}/v1/occurrence/download/none").status == 404
