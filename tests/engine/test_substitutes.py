"""One thing under several addresses: which are asked, and whose answer counts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from naflora_etl.engine.answers import Answer, Asked
from naflora_etl.engine.substitutes import ask_in_turn

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OUTCOMES: dict[str, tuple[str | None, int | None, bytes]] = {
    "good": (None, 200, b"good"),
    "junk": (None, 200, b"junk"),
    "gone": ("HTTP_GONE", 404, b""),
    "refused": ("HTTP_ERROR", 400, b""),
    "blocked": ("HTTP_BLOCKED", 403, b""),
    "opted-out": ("ROBOTS_DISALLOWED", 200, b""),
    "trouble": ("HOST_TROUBLE", 503, b""),
    "broken": ("HOST_TROUBLE", 500, b""),
    "huge": ("IMAGE_TOO_LARGE", 200, b""),
}
# before, own, after -> what is asked, whose answer counts, its issue
CASES: list[tuple[str, str, str, str, str, str | None]] = [
    ("", "good", "good", "own", "own", None),
    ("good", "good", "", "before", "before", None),
    ("refused", "good", "", "before own", "own", None),
    ("gone", "good", "", "before own", "own", None),
    ("junk", "good", "", "before own", "own", None),
    ("broken", "good", "", "before own", "own", None),
    ("junk", "junk", "", "before own", "own", None),
    ("blocked", "good", "good", "before", "before", "HTTP_BLOCKED"),
    ("opted-out", "good", "good", "before", "before", "ROBOTS_DISALLOWED"),
    ("trouble", "good", "good", "before", "before", "HOST_TROUBLE"),
    ("huge", "good", "", "before", "before", "IMAGE_TOO_LARGE"),
    ("", "gone", "good", "own after", "after", None),
    ("", "trouble", "good", "own after", "after", None),
    ("", "junk", "good", "own after", "after", None),
    ("", "gone", "gone", "own after", "own", "HTTP_GONE"),
    ("", "trouble", "junk", "own after", "own", "HOST_TROUBLE"),
    ("", "blocked", "good", "own", "own", "HTTP_BLOCKED"),
    ("", "opted-out", "good", "own", "own", "ROBOTS_DISALLOWED"),
    ("", "huge", "good", "own", "own", "IMAGE_TOO_LARGE"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case[:3]))
def test_which_addresses_are_asked(case: tuple[str, str, str, str, str, str | None]) -> None:
    before, own, after, asked, counts, issue = case
    outcomes = {"before": before, "own": own, "after": after}
    seen: list[str] = []

    async def ask(url: str, **how: Any) -> Answer:
        seen.append(url)
        told, status, body = OUTCOMES[outcomes[url]]
        assert how == {"max_bytes": 9, "robots": True}
        return Answer(url, status, {}, body, told, NOW, asked=(Asked(url, status, len(body), 0.1),))

    answer = asyncio.run(ask_in_turn(
        ask, "own", before=["before"] if before else (), after=["after"] if after else (),
        is_wanted=lambda body: body == b"good", max_bytes=9,
    ))  # fmt: skip
    assert (" ".join(seen), answer.url, answer.issue) == (asked, counts, issue)
    assert [one.host for one in answer.asked] == seen
