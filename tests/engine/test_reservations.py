"""/.well-known/tdmrep.json: what its rules say of an address, and that it is asked for once, before the address is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from raw_server import WISHES, Behaviour, Call, RawServer, ask, make_client, serving

from naflora_etl.engine import reservations
from naflora_etl.engine.reservations import read_rules

WELL_KNOWN = WISHES[1]
SPECS_OWN = [  # the report's own example, section 6.1.2
    {"location": "/directory-a/", "tdm-reservation": 1},
    {"location": "/directory-b/html/", "tdm-reservation": 1, "tdm-policy": "https://provider.com/policies/policy.json"},
    {"location": "/directory-b/images/*.jpg", "tdm-reservation": 0},
    {"location": "*", "tdm-reservation": 1},
]


def rule(location: Any, reservation: Any = 1, **more: Any) -> dict[str, Any]:
    return {"location": location, "tdm-reservation": reservation, **more}


# the file, a path -> whether it is reserved
PATHS: dict[str, tuple[Any, str, bool]] = {
    "the whole host": ([rule("/")], "/a/b.jpg", True),
    "another folder": ([rule("/b/")], "/a/b.jpg", False),
    "the first that matches holds": ([rule("/a/", 0), rule("/")], "/a/b.jpg", False),
    "the report's first group": (SPECS_OWN, "/directory-a/x.pdf", True),
    "the report's second group": (SPECS_OWN, "/directory-b/html/x.html", True),
    "the report's third group": (SPECS_OWN, "/directory-b/images/x.jpg", False),
    "the rest of it": (SPECS_OWN, "/directory-b/images/x.tif", True),
    "a star within": ([rule("/a/*/c")], "/a/b/b/c.jpg", True),
    "a star that finds nothing": ([rule("/a/*/d")], "/a/b/c.jpg", False),
    "pieces in their order": ([rule("/*b*a")], "/a/b", False),
    "the end": ([rule("/*.jpg$")], "/a.jpg.jpg", True),
    "beyond the end": ([rule("/*.jpg$")], "/a.jpg?size=9", False),
    "an end without a star": ([rule("/a$")], "/ab", False),
    "an end that would overlap": ([rule("/aba*ba$")], "/aba", False),
    "percent signs": ([rule("/%C3%A9t%c3%a9/")], "/été/1.jpg", True),
    "a dollar meant as one": ([rule("/foo-%24")], "/foo-$", True),
    "capital letters count": ([rule("/A/")], "/a/b.jpg", False),
    "1 as a text": ([rule("/", "1")], "/a", True),
    "a rule outside a list": (rule("/"), "/a", True),
    "another value is none": ([rule("/", 2), rule("/", None), rule("/", [1])], "/a", False),
    "a rule without a place": ([{"tdm-reservation": 1}, rule(7), rule(""), rule("a")], "/a", False),
    "what is no rule": (["/", 1, None, [], rule("/")], "/a", True),
    "an empty list": ([], "/a", False),
    "as many stars as it takes": ([rule("/" + "*a" * 5000 + "b")], "/" + "a" * 4000, False),
}


@pytest.mark.parametrize("name", PATHS)
def test_what_is_reserved(name: str) -> None:
    told, path, is_reserved = PATHS[name]
    found = next((rule for rule in read_rules(json.dumps(told).encode()) if rule.matches(path)), None)
    assert (found is not None and found.is_reserved) == is_reserved


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b'[{"location": "/", ', b"[" * 100_000, b"null", b"1"])
def test_what_is_no_such_file_reserves_nothing(body: bytes) -> None:
    assert read_rules(body) == ()


async def fine(call: Call) -> None:
    await call.reply(200, b"fine")


async def reserves(call: Call) -> None:
    rules = [rule("/closed/", **{"tdm-policy": "https://example.org/p"}), rule("/open/", 0)]
    await call.reply(200, json.dumps(rules).encode())


async def hang(call: Call) -> None:
    await asyncio.sleep(3600)


async def broken(call: Call) -> None:
    await call.reply(200, b"<!doctype html>")


async def unwell(call: Call) -> None:
    await call.reply(500)


async def cut(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")
    await call.reset()


async def astray(call: Call) -> None:
    await call.reply(302, b"", Location="http://127.0.0.9/tdmrep.json")


async def moved(call: Call) -> None:
    await call.reply(301, b"", Location="/elsewhere.json")


async def long(call: Call) -> None:
    await call.reply(200, b"[" + b" " * 600_000 + json.dumps(rule("/")).encode() + b"]")


SERVER = RawServer({})


@pytest.fixture(autouse=True, scope="module")
def _running() -> Iterator[None]:
    with serving(SERVER):
        yield


def given(well_known: Behaviour | None, **more: Behaviour) -> RawServer:
    SERVER.calls.clear()
    SERVER.behaviours = {f"/{place}/1.jpg": fine for place in ("closed", "open", "else")}
    SERVER.behaviours |= {WELL_KNOWN: well_known} if well_known else {}
    SERVER.behaviours |= {f"/{name}": act for name, act in more.items()}
    return SERVER


def test_it_is_asked_for_once_and_what_it_reserves_is_not_asked_for() -> None:
    server = given(reserves)
    urls = [server.url(f"/{place}/1.jpg") for place in ("closed", "open", "else")]
    client = make_client(server.host)
    answers = ask(client, *urls, *urls, robots=True)
    assert [answer.issue for answer in answers] == ["ROBOTS_DISALLOWED", None, None] * 2
    place = f"{server.host}/.well-known/tdmrep.json"
    assert answers[0].note == f"{place} reserves /closed/1.jpg (its policy: https://example.org/p)"
    assert (len(server.asked(WELL_KNOWN)), server.asked("/closed/1.jpg")) == (1, [])
    assert {answer.issue for answer in ask(client, *urls)} == {None}, "records are not asked for by these rules"
    ask(make_client(server.host, obey_robots=False), *urls, robots=True)
    assert len(server.asked(WELL_KNOWN)) == 1


@pytest.mark.parametrize("act", [None, hang, broken, unwell, cut, astray, long], ids=lambda act: act and act.__name__)
def test_a_file_that_fails_keeps_nobody_away(act: Behaviour | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservations, "PATIENCE_S", 0.3)
    server = given(act)
    client = make_client(server.host, total_timeout_s=60, deadline_s=300)
    answers = ask(client, *[server.url("/closed/1.jpg")] * 2, robots=True)
    assert [(answer.issue, answer.body) for answer in answers] == [(None, b"fine")] * 2
    assert len(server.asked(WELL_KNOWN)) == 1


def test_a_file_that_moved_is_followed() -> None:
    server = given(moved, **{"elsewhere.json": reserves})
    [answer] = ask(make_client(server.host), server.url("/closed/1.jpg"), robots=True)
    assert answer.issue == "ROBOTS_DISALLOWED"


def test_a_host_that_wishes_a_pause_when_asked_for_it_gets_one() -> None:
    async def busy(call: Call) -> None:
        await call.reply(429, b"", Retry_After="3600")

    server = given(busy)
    client = make_client(server.host)
    [answer] = ask(client, server.url("/else/1.jpg"), robots=True)
    assert (answer.issue, server.asked("/else/1.jpg")) == ("HOST_TROUBLE", [])


def test_a_robots_txt_may_keep_us_from_it() -> None:
    async def robots(call: Call) -> None:
        await call.reply(200, b"User-agent: *\nDisallow: /.well-known/\n")

    server = given(reserves, **{"robots.txt": robots})
    [answer] = ask(make_client(server.host), server.url("/closed/1.jpg"), robots=True)
    assert (answer.issue, server.asked(WELL_KNOWN)) == (None, [])
