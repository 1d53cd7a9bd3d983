"""A zoo of bad servers: what each does, on a real socket, and the verdict that it must get."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from raw_server import WISHES, Call, RawServer, ask, make_client, serving

BODY = bytes(range(256)) * 800  # 204,800 bytes: long enough to be resumed
LIMIT = 1_000_000
ETAG = '"e1"'
OLD = "Mon, 01 Jan 2024 00:00:00 GMT"
DATED = {"Last_Modified": OLD, "Date": "Mon, 01 Jan 2025 00:00:00 GMT"}
HEAD = b"HTTP/1.1 200 OK\r\n"
TROUBLE, ERROR, BLOCKED, GONE = "HOST_TROUBLE", "HTTP_ERROR", "HTTP_BLOCKED", "HTTP_GONE"
REFUSED, LARGE, UNUSABLE, OPTED_OUT = "ADDRESS_REFUSED", "IMAGE_TOO_LARGE", "URL_UNUSABLE", "ROBOTS_DISALLOWED"


@dataclass(frozen=True)
class Animal:
    """A behaviour, and what must come of it."""

    act: Any
    issue: str | None
    requests: int
    """As many as the server may see, and no more."""
    body: bytes | None = b""
    """What must come back; None: whatever came."""


def raw(*pieces: bytes, close: bool = True) -> Any:
    async def act(call: Call) -> None:
        for piece in pieces:
            await call.send(piece)
        if close:
            call.writer.close()

    return act


def reply(status: int = 200, body: bytes = BODY, **headers: str) -> Any:
    async def act(call: Call) -> None:
        await call.reply(status, body, **headers)

    return act


def redirect(place: str, status: int = 302) -> Any:
    async def act(call: Call) -> None:
        place_now = place.format(host=call.server.host, trap=TRAP.host, trap_port=TRAP.port)
        await call.reply(status, b"", Location=place_now)

    return act


def cut(at: int, *, then: Any = None, length: int = len(BODY), **headers: str) -> Any:
    """Send the first `at` bytes and cut the connection; from the second request on do `then`."""

    async def act(call: Call) -> None:
        if call.number > 1 and then is not None:
            await then(call)
            return
        named = "".join(f"{key.replace('_', '-')}: {text}\r\n" for key, text in headers.items())
        await call.send(HEAD + f"Content-Length: {length}\r\n{named}\r\n".encode() + BODY[:at])
        await asyncio.sleep(0.02)
        await call.reset()

    return act


def ranged(body: bytes = BODY, *, shift: int = 0, total: int | None = None, status: int = 206, **headers: str) -> Any:
    """Answer a Range as it should be, or (shift, total, another body) as it should not."""

    async def act(call: Call) -> None:
        wish = call.headers.get("range")
        if wish is None:
            await call.reply(200, body, **headers)
            return
        start = int(wish.removeprefix("bytes=").rstrip("-")) + shift
        size = total if total is not None else len(body)
        headers.setdefault("ETag", ETAG)
        await call.reply(status, body[start:], Content_Range=f"bytes {start}-{size - 1}/{size}", **headers)

    return act


async def hang(call: Call) -> None:
    await asyncio.sleep(3600)


async def hang_in_head(call: Call) -> None:
    await call.send(HEAD + b"Content-Le")
    await asyncio.sleep(3600)


async def drip(call: Call) -> None:
    await call.send(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(1000):
        await call.send(b"x")
        await asyncio.sleep(0.05)


async def drip_head(call: Call) -> None:
    await call.send(HEAD)
    for number in range(1000):
        await call.send(f"X-{number}: y\r\n".encode())
        await asyncio.sleep(0.05)


async def endless(call: Call) -> None:
    await call.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        await call.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")


async def endless_old(call: Call) -> None:
    await call.send(b"HTTP/1.0 200 OK\r\n\r\n")
    while True:
        await call.send(b"x" * 65536)


async def endless_continue(call: Call) -> None:
    while True:
        await call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.001)


async def reset(call: Call) -> None:
    await call.reset()


async def once_busy(call: Call) -> None:
    if call.number == 1:
        await call.reply(429, b"", Retry_After="1")
    else:
        await call.reply(200, BODY)


async def not_modified(call: Call) -> None:
    await call.reply(304, b"", Content_Length="-", ETag=ETAG)


async def not_modified_part(call: Call) -> None:
    await (not_modified(call) if "range" in call.headers else call.reply(200, BODY))


def hop(left: int) -> Any:
    return redirect(f"/hop-{left - 1}") if left else reply()


def closing(place: str) -> Any:
    """Redirect, and close the connection without having said so."""
    return raw(f"HTTP/1.1 302 So\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())


def packed(data: bytes, coding: str = "gzip") -> Any:
    return reply(200, data, Content_Encoding=coding)


BOMB = gzip.compress(bytes(50_000_000))
TRAP = RawServer({}, "127.0.0.9")
AT_ONCE_HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

ZOO: dict[str, Animal] = {
    # what is well
    "fine": Animal(reply(), None, 1, BODY),
    "empty 200": Animal(reply(200, b""), None, 1, b""),
    "no content": Animal(reply(204, b"", Content_Length="-"), None, 1, b""),
    "old HTTP without a length": Animal(raw(b"HTTP/1.0 200 OK\r\n\r\n", BODY), None, 1, BODY),
    "no length, closed": Animal(raw(HEAD + b"\r\n", BODY), None, 1, BODY),
    "chunked": Animal(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"), None, 1, b"fine"),
    "wrong charset and type": Animal(reply(Content_Type="text/plain; charset=klingon; charset="), None, 1, BODY),
    "header in Latin-1": Animal(raw(HEAD + b"X-Name: caf\xe9\r\nContent-Length: 4\r\n\r\nfine"), None, 1, b"fine"),
    "cookies": Animal(reply(Set_Cookie="a=b; Domain=.example.org"), None, 1, BODY),
    "early hints": Animal(raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + AT_ONCE_HTTP), None, 1, b"fine"),
    # what it weighs
    "over the limit": Animal(reply(200, bytes(LIMIT + 1)), LARGE, 1),
    "says it is over the limit": Animal(raw(HEAD + b"Content-Length: 99999999999\r\n\r\nx"), LARGE, 1),
    "endless": Animal(endless, LARGE, 1),
    "endless, old HTTP": Animal(endless_old, LARGE, 1),
    "packed": Animal(packed(gzip.compress(BODY)), None, 1, BODY),
    "packed twice": Animal(packed(gzip.compress(gzip.compress(BODY)), "gzip, gzip"), None, 1, BODY),
    "packed by deflate": Animal(packed(zlib.compress(BODY), "deflate"), None, 1, BODY),
    "gzip bomb": Animal(packed(BOMB), LARGE, 1),
    "gzip bomb in a bomb": Animal(packed(gzip.compress(BOMB), "gzip, gzip"), LARGE, 1),
    "gzip bomb of many members": Animal(packed(gzip.compress(bytes(900_000)) * 60), LARGE, 1),
    "gzip of a million empty members": Animal(packed(gzip.compress(b"") * 1_000_000), LARGE, 1),
    "gzip of many empty members, small enough": Animal(packed(gzip.compress(b"") * 49_000), ERROR, 1),
    "deflate bomb": Animal(packed(zlib.compress(bytes(50_000_000)), "deflate"), LARGE, 1),
    "gzip that is cut": Animal(packed(gzip.compress(BODY)[:-20]), ERROR, 1),
    "gzip that is broken": Animal(packed(b"\x1f\x8b" + os.urandom(50)), ERROR, 1),
    "says gzip, is not": Animal(packed(BODY), None, 1, BODY),
    "says utf-8 as its coding": Animal(packed(BODY, "utf-8"), None, 1, BODY),
    # how long it takes
    "hangs": Animal(hang, TROUBLE, 3),
    "hangs in its head": Animal(hang_in_head, TROUBLE, 3),
    "drips": Animal(drip, TROUBLE, 3),
    "drips its head": Animal(drip_head, TROUBLE, 3),
    "100 Continue for ever": Animal(endless_continue, TROUBLE, 3),
    "resets": Animal(reset, TROUBLE, 3),
    "closes at once": Animal(raw(), TROUBLE, 3),
    # what is no HTTP
    "no HTTP": Animal(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), ERROR, 3),
    "only noise": Animal(raw(bytes(range(1, 200))), ERROR, 3),
    "a status of five digits": Animal(raw(b"HTTP/1.1 20000 OK\r\n\r\n"), ERROR, 3),
    "a header of 100 kB": Animal(raw(HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n"), ERROR, 3),
    "10,000 headers": Animal(raw(HEAD + b"X: y\r\n" * 10_000 + b"\r\n"), ERROR, 3),
    "two lengths": Animal(raw(HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine!"), ERROR, 3),
    "a negative length": Animal(raw(HEAD + b"Content-Length: -4\r\n\r\nfine"), ERROR, 3),
    "chunks of nonsense": Animal(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nfine\r\n"), ERROR, 3),
    "the last chunk is missing": Animal(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n"), TROUBLE, 3),
    "a chunk of an exabyte": Animal(
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1000000000000000\r\nfine"), TROUBLE, 3
    ),
    "switches protocols unasked": Animal(
        raw(b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), ERROR, 1
    ),
    # bodies that are cut
    "shorter than it says": Animal(cut(100), TROUBLE, 3),
    "ends early, politely": Animal(raw(HEAD + b"Content-Length: 100\r\n\r\nfine"), TROUBLE, 3),
    "longer than it says": Animal(raw(HEAD + b"Content-Length: 4\r\n\r\nfine and more"), ERROR, 3),
    "cut, then resumed": Animal(cut(150_000, then=ranged(), ETag=ETAG), None, 2, BODY),
    "cut, then resumed by its date": Animal(cut(150_000, then=ranged(**DATED), **DATED), None, 2, BODY),
    "cut, then whole": Animal(cut(150_000, then=reply(ETag=ETAG), ETag=ETAG), None, 2, BODY),
    "cut, with a weak ETag": Animal(cut(150_000, then=ranged(), ETag='W/"e1"'), None, 2, BODY),
    "cut, then of another total": Animal(cut(150_000, then=ranged(total=999_999), ETag=ETAG), None, 3, BODY),
    "cut, then from another place": Animal(cut(150_000, then=ranged(shift=5), ETag=ETAG), None, 3, BODY),
    "cut, then of another ETag": Animal(cut(150_000, then=ranged(ETag='"e2"'), ETag=ETAG), None, 3, BODY),
    "cut, then of another body, its ETag lies": Animal(
        cut(150_000, then=ranged(BODY[::-1]), ETag=ETAG), None, 3, BODY[::-1]
    ),
    "cut, then the head once more as 206": Animal(
        cut(150_000, then=reply(206, BODY, Content_Range="bytes 0-204799/204800"), ETag=ETAG), None, 3, BODY
    ),
    "cut, then 304": Animal(cut(150_000, then=not_modified_part, ETag=ETAG), None, 3, BODY),
    "cut, then 416": Animal(cut(150_000, then=ranged(status=416), ETag=ETAG), None, 3, BODY),
    "a part unasked": Animal(reply(206, BODY[:100], Content_Range="bytes 0-99/204800"), ERROR, 1),
    "a part unasked, without a range": Animal(reply(206, BODY[:100]), ERROR, 1),
    "the whole as a part": Animal(reply(206, BODY, Content_Range="bytes 0-204799/204800"), None, 1, BODY),
    # statuses
    "gone": Animal(reply(404), GONE, 1),
    "blocked": Animal(reply(403), BLOCKED, 1),
    "for legal reasons": Animal(reply(451), BLOCKED, 1),
    "wants a login": Animal(reply(401, b"", WWW_Authenticate="Basic realm=x"), BLOCKED, 1),
    "wants money": Animal(reply(402), ERROR, 1),
    "304 unasked": Animal(not_modified, ERROR, 1),
    "300": Animal(reply(300), ERROR, 1),
    "status 999": Animal(reply(999), ERROR, 1),
    "500 for ever": Animal(reply(500), TROUBLE, 3),
    "520 for ever, which nobody registered": Animal(reply(520), TROUBLE, 3),
    "507 for ever: its disk is full": Animal(reply(507), TROUBLE, 3),
    "does not know how (501)": Animal(reply(501), ERROR, 1),
    "busy once": Animal(once_busy, None, 2, BODY),
    "429 for ever": Animal(reply(429, b"", Retry_After="0"), TROUBLE, 3),
    "come back in a year": Animal(reply(503, b"", Retry_After="31536000"), TROUBLE, 1),
    "come back never": Animal(reply(429, b"", Retry_After="9" * 400), TROUBLE, 1),
    "come back in the year 9999": Animal(reply(503, b"", Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"), TROUBLE, 1),
    "come back yesterday": Animal(reply(503, b"", Retry_After=OLD), TROUBLE, 3),
    "come back in -5": Animal(reply(503, b"", Retry_After="-5"), TROUBLE, 3),
    "come back soon": Animal(reply(503, b"", Retry_After="soon"), TROUBLE, 3),
    "come back in two, raised": Animal(reply(503, b"", Retry_After="²"), TROUBLE, 3),
    "come back on day 99": Animal(reply(503, b"", Retry_After="Mon, 99 Jan 2024 99:99:99 GMT"), TROUBLE, 3),
    # redirects
    "redirects five times": Animal(hop(5), None, 1, BODY),
    "redirects six times": Animal(hop(6), ERROR, 1),
    "redirects to itself": Animal(redirect("/redirects%20to%20itself"), ERROR, 6),
    "redirects to itself, closing unsaid": Animal(closing("/redirects%20to%20itself,%20closing%20unsaid"), ERROR, 12),
    "redirects three times, closing unsaid": Animal(closing("/hop-closing"), None, 3, b"fine"),
    "redirects to nothing": Animal(redirect(""), ERROR, 1),
    "redirects to noise": Animal(redirect("http://[not-an-address/"), ERROR, 1),
    "redirects to a file": Animal(redirect("file:///etc/hostname"), REFUSED, 1),
    "redirects to gopher": Animal(redirect("gopher://{trap}/"), REFUSED, 1),
    "redirects to data": Animal(redirect("data:image/jpeg;base64,AAAA"), REFUSED, 1),
    "redirects to the trap": Animal(redirect("http://{trap}/"), REFUSED, 1),
    "redirects to the trap without a scheme": Animal(redirect("//{trap}/"), REFUSED, 1),
    "redirects to the trap, mapped": Animal(redirect("http://[::ffff:127.0.0.9]:{trap_port}/"), REFUSED, 1),
    "redirects to the trap, as a number": Animal(redirect("http://2130706441:{trap_port}/"), REFUSED, 1),
    "redirects to the trap, octal": Animal(redirect("http://0177.0.0.9:{trap_port}/"), REFUSED, 1),
    "redirects to the trap, hexadecimal": Animal(redirect("http://0x7f000009:{trap_port}/"), REFUSED, 1),
    "redirects to the trap, short": Animal(redirect("http://127.9:{trap_port}/"), REFUSED, 1),
    "redirects to the trap, in wide digits": Animal(redirect("http://１２７.0.0.9:{trap_port}/"), REFUSED, 1),
    "redirects to the trap, percent": Animal(redirect("http://127.0.0.%39:{trap_port}/"), REFUSED, 1),
    "redirects to the trap, with a login": Animal(redirect("http://{host}@{trap}/"), REFUSED, 1),
    "redirects to the trap, with a dot": Animal(redirect("http://127.0.0.9.:{trap_port}/"), REFUSED, 1),
    "redirects to the trap by a name": Animal(redirect("http://localhost:{trap_port}/"), REFUSED, 1),
    "redirects to a stranger, and nobody said who asks": Animal(redirect("http://stranger.invalid/"), REFUSED, 1),
    "redirects to another port": Animal(redirect("http://127.0.0.1:1/"), REFUSED, 1),
    "redirects to link-local": Animal(redirect("http://[::1]:{trap_port}/"), REFUSED, 1),
    # opt-outs
    "opts out": Animal(reply(X_Robots_Tag="noai"), OPTED_OUT, 1),
    "opts out among others": Animal(reply(X_Robots_Tag="noindex, NoImageAI, max-snippet: 5"), OPTED_OUT, 1),
    "opts out for us": Animal(reply(X_Robots_Tag="otherbot: noindex, naflora_etl: noai"), OPTED_OUT, 1),
    "opts out for another": Animal(reply(X_Robots_Tag="otherbot: noai, noindex"), None, 1, BODY),
    "opts out in a second header": Animal(
        raw(HEAD + b"X-Robots-Tag: noindex\r\nX-Robots-Tag: noai\r\nContent-Length: 4\r\n\r\nfine"), OPTED_OUT, 1
    ),
    "opts out for all, and for another in a header before": Animal(
        raw(HEAD + b"X-Robots-Tag: otherbot: noindex\r\nX-Robots-Tag: noai\r\nContent-Length: 4\r\n\r\nfine"),
        OPTED_OUT,
        1,
    ),
    "opts out for another, in a header before": Animal(
        raw(HEAD + b"X-Robots-Tag: otherbot: noai\r\nX-Robots-Tag: noindex\r\nContent-Length: 4\r\n\r\nfine"),
        None,
        1,
        b"fine",
    ),
    "reserves its rights": Animal(reply(tdm_reservation="1", tdm_policy="https://example.org/p"), OPTED_OUT, 1),
    "reserves nothing": Animal(reply(tdm_reservation="0"), None, 1, BODY),
}


NEVER_END = {hang, hang_in_head, drip, drip_head, endless_continue}
"""The client's deadline ends these; it is none that the others could miss on a slow machine."""


def path_of(name: str) -> str:
    return "/" + name.replace(" ", "%20")


@pytest.fixture(scope="module")
def zoo() -> Iterator[RawServer]:
    behaviours = {path_of(name).encode().decode("latin-1"): animal.act for name, animal in ZOO.items()}
    behaviours |= {f"/hop-{left}": hop(left) for left in range(6)}
    behaviours |= {"/hop-closing": closing("/hop-closed"), "/hop-closed": raw(AT_ONCE_HTTP)}
    server = RawServer(behaviours)
    with serving(server, TRAP):
        yield server


@pytest.mark.parametrize("name", ZOO)
def test_every_animal_gets_its_verdict(zoo: RawServer, name: str) -> None:
    animal = ZOO[name]
    zoo.calls.clear()
    in_time = {} if animal.act in NEVER_END else {"total_timeout_s": 60, "deadline_s": 300}
    client = make_client(zoo.host, **in_time)
    [answer] = ask(client, f"http://{zoo.host}/{name}", max_bytes=LIMIT, robots=True)
    asked = [call for call in zoo.calls if not call.path.startswith((*WISHES, "/hop-"))]
    assert answer.issue == animal.issue, answer.note
    assert animal.body is None or answer.body == animal.body
    assert len(asked) <= animal.requests
    assert len(answer.note) <= 300 and "\n" not in answer.note
    assert TRAP.calls == []
    assert {entry.host for entry in answer.asked} == {zoo.host}
    unheard = len(answer.asked) - len(zoo.calls)  # by a server that had closed the connection without a word
    assert unheard == 0 or (unheard > 0 and name.endswith("closing unsaid"))


ROBOTS: dict[str, Any] = {
    "hangs": hang,
    "drips": drip,
    "resets": reset,
    "fails": reply(500),
    "is no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "is cut": cut(100),
}


@pytest.mark.parametrize("name", ROBOTS)
def test_a_host_whose_robots_txt_never_comes_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of its addresses are wanted: each would wait for it as long as an image may take."""
    monkeypatch.setattr("naflora_etl.engine.lanes.REST_WAITED_S", 0.1)
    server = RawServer({"/robots.txt": ROBOTS[name]})
    with serving(server):
        answers = ask(
            make_client(server.host, total_timeout_s=0.2), *map(server.url, map("/{}".format, range(40))), robots=True
        )
    assert {answer.issue for answer in answers} <= {TROUBLE, ERROR}
    assert len(server.asked("/robots.txt")) == len(server.calls) <= 12
