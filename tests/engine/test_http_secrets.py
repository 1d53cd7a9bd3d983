"""What a request tells, and whom: nothing of one host to another, and no address that must not be asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from raw_server import WISHES, Call, RawServer, ask, make_client, note_turns, serving

from naflora_etl.engine.addresses import AddressRefused, check_url, is_public
from naflora_etl.engine.http import Answer
from naflora_etl.engine.lanes import Lanes
from naflora_etl.engine.robots import LONGEST_BYTES

ETAG = '"e1"'


async def fine(call: Call) -> None:
    await call.reply(200, b"fine", Set_Cookie="secret=1; Path=/")


async def to_other(call: Call) -> None:
    await call.reply(302, b"", Location=f"http://someone:secret@{OTHER.host}/fine#secret")


async def post_to_other(call: Call) -> None:
    await call.reply(307, b"", Location=f"http://{OTHER.host}/fine")


async def known(call: Call) -> None:
    is_known = call.headers.get("if-none-match") == ETAG
    await call.reply(304 if is_known else 200, b"" if is_known else b"fine", ETag=ETAG)


POISONED = threading.Event()


async def poison(call: Call) -> None:
    await call.reply(200, b"fine")
    await asyncio.sleep(0.02)
    await call.reply(200, b"poison")
    POISONED.set()


async def long_robots(call: Call) -> None:
    await call.reply(200, b"User-agent: *\nDisallow: /fine\n" + b"# more\n" * (LONGEST_BYTES // 6))


async def robots_elsewhere(call: Call) -> None:
    await call.reply(302, b"", Location="http://127.0.0.9/robots.txt")


async def slow_robots(call: Call) -> None:
    await call.reply(200, b"User-agent: *\nCrawl-delay: 0.2\n")


BEHAVIOURS = {"/fine": fine, "/to-other": to_other, "/post": post_to_other, "/known": known, "/poison": poison}
SERVER, OTHER = RawServer(BEHAVIOURS), RawServer(BEHAVIOURS, "127.0.0.3")


@pytest.fixture(autouse=True, scope="module")
def _running() -> Iterator[None]:
    with serving(SERVER, OTHER):
        yield


@pytest.fixture(autouse=True)
def _fresh() -> None:
    SERVER.calls.clear()
    OTHER.calls.clear()
    SERVER.behaviours = dict(BEHAVIOURS)


def test_what_is_said_to_one_host_is_not_told_to_another() -> None:
    secrets = {"Authorization": "Bearer secret", "Cookie": "secret=1", "If-None-Match": ETAG, "X-Key": "secret"}
    [answer] = ask(make_client(SERVER.host, OTHER.host), SERVER.url("/to-other"), headers=secrets)
    assert (answer.issue, answer.body) == (None, b"fine")
    assert SERVER.calls[0].headers["authorization"] == "Bearer secret"
    told = OTHER.calls[0].headers
    assert not {"authorization", "cookie", "if-none-match", "x-key", "referer"} & told.keys()
    assert "secret" not in str(told) + OTHER.calls[0].path


def test_a_login_in_an_address_is_not_sent_and_cookies_are_not_kept() -> None:
    url = SERVER.url("/fine").replace("://", "://someone:secret@")
    ask(make_client(SERVER.host), url, url)
    assert [call.headers.keys() & {"authorization", "cookie"} for call in SERVER.calls] == [set(), set()]


def test_a_question_is_not_passed_on_to_another_host() -> None:
    client = make_client(SERVER.host, OTHER.host)
    [answer] = ask(client, SERVER.url("/post"), method="POST", json={"secret": 1})
    assert (answer.issue, OTHER.calls) == ("HTTP_ERROR", [])


def test_a_conditional_question_may_be_answered_by_304() -> None:
    client = make_client(SERVER.host)
    [first] = ask(client, SERVER.url("/known"))
    [second] = ask(client, SERVER.url("/known"), headers={"If-None-Match": first.headers["etag"]})
    assert [(a.issue, a.status, a.body) for a in (first, second)] == [(None, 200, b"fine"), (None, 304, b"")]


def test_an_answer_to_no_question_is_never_taken_for_the_next_one() -> None:
    async def asking() -> list[Answer]:
        async with client.session() as ask_one:
            first = await ask_one(SERVER.url("/poison"))
            assert await asyncio.to_thread(POISONED.wait, 60)
            await asyncio.sleep(0.1)  # the loop looks at what has come before it looks at the time
            return [first, await ask_one(SERVER.url("/fine"))]

    client = make_client(SERVER.host)
    assert [answer.body for answer in client.run(asking())] == [b"fine", b"fine"]


def test_a_robots_txt_of_any_length_is_read_as_far_as_needed() -> None:
    SERVER.behaviours["/robots.txt"] = long_robots
    [answer] = ask(make_client(SERVER.host), SERVER.url("/fine"), robots=True)
    assert (answer.issue, len(answer.asked)) == ("ROBOTS_DISALLOWED", 1)


def test_a_robots_txt_that_leads_astray_is_none() -> None:
    SERVER.behaviours["/robots.txt"] = robots_elsewhere
    [answer] = ask(make_client(SERVER.host), SERVER.url("/fine"), robots=True)
    assert answer.issue is None


def test_a_crawl_delay_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = note_turns(monkeypatch)
    SERVER.behaviours["/robots.txt"] = slow_robots
    ask(make_client(SERVER.host, total_timeout_s=5), *[SERVER.url("/fine")] * 4, robots=True)
    assert len(SERVER.asked("/fine")) == 4
    turns = turns[len(WISHES) :]  # these were not asked slowly
    assert min(second - first for first, second in pairwise(turns)) >= 0.2 - 1e-6


def test_a_redirect_is_held_to_the_robots_txt_of_where_it_leads() -> None:
    async def closed(call: Call) -> None:
        await call.reply(200, b"User-agent: *\nDisallow: /\n")

    OTHER.behaviours = {**BEHAVIOURS, "/robots.txt": closed}
    [answer] = ask(make_client(SERVER.host, OTHER.host), SERVER.url("/to-other"), robots=True)
    assert (answer.issue, [call.path for call in OTHER.calls]) == ("ROBOTS_DISALLOWED", ["/robots.txt"])


def test_the_deadline_holds_over_all_tries() -> None:
    async def unwell(call: Call) -> None:
        await asyncio.sleep(0.2)
        await call.reply(500)

    SERVER.behaviours["/unwell"] = unwell
    [answer] = ask(make_client(SERVER.host, tries=50, deadline_s=0.7), SERVER.url("/unwell"))
    assert answer.issue == "HOST_TROUBLE"
    assert len(SERVER.asked("/unwell")) <= 4, "each takes 0.2 s, and none begins after 0.7 s"


def test_a_long_retry_after_keeps_everybody_away() -> None:
    async def sulky(call: Call) -> None:
        await call.reply(503, b"", Retry_After="3600")

    SERVER.behaviours["/sulky"] = sulky
    lanes = Lanes()
    for path in ("/sulky", "/fine", "/fine"):
        [answer] = ask(make_client(SERVER.host, lanes=lanes), SERVER.url(path))
        assert answer.issue == "HOST_TROUBLE"
    assert [call.path for call in SERVER.calls] == ["/sulky"]
    assert "asked to be left alone" in answer.note


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706441/", "http://0177.0.0.9/", "http://0x7f.0.0.9/", "http://127.9/", "http://127.0.0.9./",
        "http://127.0.0.%39/", "http://１２７.0.0.9/", "http://127。0。0。9/", "http://[::ffff:7f00:9]/", "http://[::1]/",
        "http://[::127.0.0.9]/", "http://[2002:7f00:9::]/", "http://[64:ff9b::7f00:9]/", "http://[fe80::1%25lo]/",
        "http://0.0.0.0/", "http://169.254.169.254/", "http://10.0.0.1/", "http://100.64.0.1/", "http://224.0.0.1/",
        "http://255.255.255.255/", "http://[::]/", "http://99999999999/", "http://1.2.3.4.5/", "ftp://8.8.8.8/",
        "file:///etc/hostname", "http:///x", "//8.8.8.8/", "javascript:alert(1)", "http:\\\\127.0.0.9/",
    ],
)  # fmt: skip
def test_no_spelling_of_a_forbidden_address_is_asked(url: str) -> None:
    from yarl import URL

    with pytest.raises(AddressRefused):
        check_url(URL(url), ("127.0.0.1",))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::"])
def test_a_public_address_may_be_asked(address: str) -> None:
    assert is_public(address)
