"""The image servers' manners, through a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from asking import ask

from naflora_etl.sandbox.gatherings import Picture
from naflora_etl.sandbox.world import World

Find = Callable[..., Picture]


def decode(body: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)


# manner and trouble -> status, content type, first bytes, whether the whole image can be decoded
TRUTHS = {
    ("steady", ""): (200, "image/jpeg", b"\xff\xd8", True),
    ("small", ""): (200, "image/jpeg", b"\xff\xd8", True),
    ("closed", ""): (200, "image/jpeg", b"\xff\xd8", True),
    ("lying", "html"): (200, "text/html", b"<!doctype", False),
    ("lying", "svg"): (200, "image/svg+xml", b"<svg", False),
    ("lying", "as_text"): (200, "text/plain", b"\xff\xd8", True),
    ("lying", "png"): (200, "image/jpeg", b"\x89PNG", True),
    ("lying", "cut_short"): (200, "image/jpeg", b"\xff\xd8", False),
    ("dead_links", "not_found"): (404, "text/plain", b"Not found", False),
    ("dead_links", "gone"): (410, "text/plain", b"This image", False),
}


@pytest.mark.parametrize("case", TRUTHS, ids="-".join)
def test_what_really_comes(world: World, find_picture: Find, case: tuple[str, str]) -> None:
    status, kind, first, is_whole = TRUTHS[case]
    reply = ask(find_picture(*case).url)
    assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (status, kind)
    assert reply.body.startswith(first)
    ends_well = reply.body.endswith((b"\xff\xd9", b"IEND\xaeB`\x82"))
    assert (ends_well and decode(reply.body) is not None) == is_whole


def test_the_same_picture_is_the_same_bytes(world: World, find_picture: Find) -> None:
    url = find_picture("steady").url
    first, second = ask(url), ask(url)
    assert first.body == second.body
    assert first.headers["ETag"] == second.headers["ETag"]


def test_a_throttling_host_says_how_long_to_wait_and_keeps_its_word(world: World, find_picture: Find) -> None:
    url = find_picture("throttling").url
    with ThreadPoolExecutor(8) as askers:  # at once, so that a slow machine asks too fast as well
        replies = list(askers.map(ask, [url] * 8))
    refused = [reply for reply in replies if reply.status == 429]
    assert refused
    assert {reply.headers["Retry-After"] for reply in refused} == {"1"}
    time.sleep(1.05)
    assert ask(url).status == 200


def test_a_slow_host_takes_its_time(world: World, find_picture: Find) -> None:
    began = time.monotonic()
    assert ask(find_picture("slow").url).status == 200
    assert time.monotonic() - began >= 0.3


def test_a_flaky_host_fails_once_and_then_delivers(world: World) -> None:
    urls = {p.url for s in world.all_specimens() for p in s.pictures if p.host.manner == "flaky"}
    first = {url: ask(url).status for url in sorted(urls)}
    failed = [url for url, status in first.items() if status == 503]
    assert 0 < len(failed) < len(urls)
    assert {ask(url).status for url in failed} == {200}


ROBOTS = {"steady": (200, "Disallow: /admin/"), "closed": (200, "Disallow: /\n"), "small": (404, "")}


@pytest.mark.parametrize("manner", ROBOTS)
def test_robots_of_a_host(world: World, manner: str) -> None:
    host = next(host for host in world.hosts if host.manner == manner)
    status, line = ROBOTS[manner]
    reply = ask(f"http://{host.name}/robots.txt")
    assert reply.status == status
    assert line in reply.body.decode()


def test_a_host_has_only_its_own_pictures(world: World, find_picture: Find) -> None:
    picture = find_picture("steady")
    other = next(host for host in world.hosts if host.manner == "small")
    assert ask(f"http://{other.name}{picture.path}").status == 404
    assert ask(f"http://{picture.host.name}/sheets/nonsense.jpg").status == 404
    assert ask(picture.page_url).headers["Content-Type"].startswith("text/html")


def test_every_request_is_in_the_log(world: World, find_picture: Find) -> None:
    picture = find_picture("steady")
    ask(picture.url)
    last = [line for line in ask(f"{world.gbif_api}/sandbox/log").json if line["path"] == picture.path][-1]
    assert (last["host"], last["status"], last["user_agent"]) == (picture.host.name, 200, "test (+a@b.c)")
    assert last["concurrent"] >= 1
