"""What passes between an aggregator's client and whoever holds the socket: a request out, the reading of a page in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from naflora_etl.recipe import HarvestOptions

Taxon = dict[str, Any]
"""A taxon to ask for: taxon_id, taxon_name, taxon_authors, taxon_rank, genus, species, ipni_id; names (synonyms.py)."""


class Unreadable(Exception):
    """An answer that is not what the aggregator promises: HTML, cut JSON, another shape."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question, without a socket."""

    kind: str
    """What is asked for: match, records or media."""
    address: str
    query: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] | None = None
    """JSON of a POST; None: a GET."""
    offset: int = 0
    page_number: int = 0
    part: int = 0
    """Number of the query, where a taxon takes several of a kind: partitions, or genera of its synonyms."""
    waiting: tuple[tuple[str, ...], ...] = ()
    """What the queries after this one are about, where a query had to be cut into parts."""
    is_beyond_ceiling: bool = False
    """Must not be sent: the aggregator serves no such page, or the recipe wants no more of this taxon."""

    @property
    def place(self) -> str:
        """The question's place among those about its taxon: the end of its page's key."""
        part = f"-{self.part:02}" if self.part else ""
        return f"{self.kind}{part}/{self.page_number:04}"

    @property
    def url(self) -> str:
        """The address with its query."""
        return f"{self.address}?{urlencode(self.query)}" if self.query else self.address

    @property
    def method(self) -> str:
        """GET, or POST where there is a body."""
        return "GET" if self.body is None else "POST"

    @property
    def text(self) -> str:
        """All that is asked, as one line: the URL, and the body as JSON after a space."""
        return self.url if self.body is None else f"{self.url} {json.dumps(self.body, sort_keys=True)}"


@dataclass(frozen=True, slots=True)
class Page:
    """What an answer says about the pages to come."""

    record_count: int | None
    """Records on the page; None for an answer that is not about records."""
    total: int = 0
    """Records of the whole query, as the aggregator counts them now."""
    end: bool = True
    taxon_key: str | None = None
    """The aggregator's own key of the taxon, where the answer gives it."""
    issue: str | None = None
    parts: tuple[tuple[str, ...], ...] = ()
    """What the queries are about into which a query that is too large is cut."""
    datasets: tuple[str, ...] = ()
    """Keys of the datasets or recordsets of the page's records."""


class Portal(Protocol):
    """The three functions by which any aggregator is paged through, one answer after the other."""

    def first_request(self, taxon: Taxon, options: HarvestOptions) -> Request:
        """Return the first question about a taxon."""

    def read_page(self, request: Request, body: bytes) -> Page:
        """Return what the answer says; raises Unreadable."""

    def next_request(self, request: Request, page: Page, taxon: Taxon, options: HarvestOptions) -> Request | None:
        """Return the question after this answer, or None when all is asked."""


def read_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`; raises Unreadable for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unreadable(f"JSON, but a {type(value).__name__} instead of an object")
    return value


def items_of(answer: dict[str, Any], name: str, key: str) -> list[dict[str, Any]]:
    """Return the objects in the list `name` of an answer; raises Unreadable unless each of them has its `key`."""
    items = answer.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) and item.get(key) is not None for item in items):
        raise Unreadable(f"JSON, but without a list of {name} that have a {key}")
    return items


def distinct_keys(values: Iterable[object]) -> tuple[str, ...]:
    """Return each text among some values once, sorted."""
    return tuple(sorted({value for value in values if isinstance(value, str) and value}))


def page_size_at(offset: int, size: int, ceiling: int) -> int:
    """Return how many records may be asked for from `offset`; 0 at the ceiling."""
    return max(0, min(size, ceiling - offset))
