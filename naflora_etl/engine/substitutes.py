"""One thing under several addresses: asked for in order, until one answers with what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from naflora_etl.engine.answers import Answer

REFUSALS = frozenset({"HTTP_GONE", "HTTP_ERROR"})
"""A form of an address that its server does not serve; a server that blocks or opts out is not asked in other words."""
UNREACHED = REFUSALS | {"HOST_TROUBLE"}


class AskOne(Protocol):
    """Asks for one address."""

    async def __call__(self, url: str, *, max_bytes: int | None = None, robots: bool = False) -> Answer:
        """Return its answer."""


async def ask_in_turn(
    ask: AskOne,
    url: str,
    *,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    is_wanted: Callable[[bytes], bool],
    max_bytes: int | None = None,
) -> Answer:
    """Return the first answer with a body that `is_wanted`; when none has one, the answer for `url` itself.

    `before`: forms of it that are better to have, at its own server; given up where the server refuses them.
    `after`: copies elsewhere, for when its own server is gone or out of reach; never for one that keeps us away.
    The answer tells in `asked` of all requests that were made.
    """
    asked: tuple[object, ...] = ()
    own: Answer | None = None
    for place in (*before, url, *after):
        answer = await ask(place, max_bytes=max_bytes, robots=True)
        asked += answer.asked
        if place == url:
            own = answer
        if answer.issue is None and is_wanted(answer.body):
            return replace(answer, asked=asked)  # type: ignore[arg-type]
        if own is None and not (answer.issue is None or answer.issue in REFUSALS or answer.status == 500):
            own = answer  # trouble, a refusal of us: other words would not change it
            break
        if own is answer and not (answer.issue is None or answer.issue in UNREACHED):
            break
    assert own is not None
    return replace(own, asked=asked)  # type: ignore[arg-type]
