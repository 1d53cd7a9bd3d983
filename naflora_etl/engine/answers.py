"""What a server's answer means: the verdict on its status, its wishes (opt-outs, Retry-After), what it cost.

Every answer is a value. What a server did wrong is an issue in it, so that the caller sets the row aside and goes on.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from naflora_etl.engine.clock import now

TRY_AGAIN = frozenset({408, 420, 425, 429})
LASTING = frozenset({501, 505, 506, 510, 511})
"""Those of the 5xx that trying again will not mend; one that nobody knows is as good as 500 (RFC 9110, 15)."""
THROTTLED = frozenset({420, 429})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ISSUE_OF_STATUS = {401: "HTTP_BLOCKED", 403: "HTTP_BLOCKED", 451: "HTTP_BLOCKED", 404: "HTTP_GONE", 410: "HTTP_GONE"}
LONGEST_NOTE = 300
OPT_OUTS = frozenset({"noai", "noimageai", "noml"})
OUR_NAMES = frozenset({"naflora_etl", "naflora"})
# directives of X-Robots-Tag with a colon of their own; any other word before a colon names an agent
_WITH_VALUES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


@dataclass(frozen=True)
class Asked:
    """One request that was made: what it cost the host, and us."""

    host: str
    status: int | None
    """None when no answer came."""
    bytes: int
    """Of the body, as they came over the wire."""
    seconds: float
    """From the request to the last byte."""
    opened: bool = False
    """Whether its failure put the host to rest."""


@dataclass(frozen=True)
class Answer:
    """What came back: with `issue` null a 2xx with its whole body, or a 304 to a conditional request."""

    url: str
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    issue: str | None
    fetched_at: datetime
    note: str = ""
    asked: tuple[Asked, ...] = ()
    """Every request that it took: robots.txt, redirects and tries included."""


class TryAgain(Exception):
    """A failure that may pass; `after_s` is the server's own wish, None when it has none."""

    def __init__(
        self, what: str, status: int | None = None, *, after_s: float | None = None, host: str = "", issue: str = ""
    ) -> None:
        super().__init__(what)
        self.status = status
        self.after_s = after_s
        self.host = host
        self.issue = issue or "HOST_TROUBLE"
        """What is the matter when it did not pass."""


class Stop(Exception):
    """A failure that will not pass."""

    def __init__(self, issue: str, note: str, status: int | None = None) -> None:
        super().__init__(note)
        self.issue = issue
        self.status = status


def failed(url: str, issue: str, note: str, status: int | None = None) -> Answer:
    """Return the answer for a failure; its note is one line, however much of the answer an error quotes."""
    return Answer(url, status, {}, b"", issue, now(), " ".join(note[: 2 * LONGEST_NOTE].split())[:LONGEST_NOTE])


def may_pass(status: int) -> bool:
    """Return whether a status tells of trouble that may be over at the next try."""
    return status in TRY_AGAIN or (500 <= status < 600 and status not in LASTING)


def judge_status(status: int, *, conditional: bool = False) -> None:
    """Raise Stop for a status that is no success."""
    if not (200 <= status < 300 or (status == 304 and conditional)):
        raise Stop(ISSUE_OF_STATUS.get(status, "HTTP_ERROR"), f"HTTP {status}", status)


def join_headers(raw: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names in lower case; those that came several times are joined, as RFC 9110 5.2 has it.

    Those of X-Robots-Tag stay lines: an agent that one of them names is not meant by the next.
    """
    joined: dict[str, str] = {}
    for name, value in raw:
        key = name.lower()
        between = "\n" if key == "x-robots-tag" else ", "
        joined[key] = f"{joined[key]}{between}{value}" if key in joined else value
    return joined


def opts_out(headers: Mapping[str, str]) -> bool:
    """Return whether headers keep machines that learn away from an answer (X-Robots-Tag, TDM Reservation Protocol)."""
    if headers.get("tdm-reservation", "").split(",")[0].strip() == "1":
        return True
    return any(_is_wished(line) for line in headers.get("x-robots-tag", "").lower().split("\n"))


def _is_wished(line: str) -> bool:
    """Return whether one X-Robots-Tag keeps us away."""
    for_us = True
    for wish in line.split(","):
        agent, colon, rest = wish.partition(":")
        if colon and agent.strip() not in _WITH_VALUES:
            for_us = agent.strip() in OUR_NAMES | {"*"}
        else:
            rest = wish
        if for_us and rest.strip() in OPT_OUTS:
            return True
    return False


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After asks for, given as seconds or as an HTTP date (RFC 9110, 10.2.3).

    None where there is none, or nothing that could be understood: a negative number, a word.
    """
    wish = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", wish, re.ASCII):
        return float(wish)
    try:
        when = email.utils.parsedate_to_datetime(wish)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
