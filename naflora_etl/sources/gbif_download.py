"""GBIF's download API: one question for all taxa, one archive with a DOI for an answer. Bodies in and out, no socket.

Only the format DWCA carries media. pygbif (occurrences.download) asks the same, and a test holds our question against
its; it is not called, since it sends the password over plain http, has no time limits and no contact in its
User-Agent, tells a full queue (420) from a refusal by text alone, and cannot go on with a download after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.darwincore import Occurrence, clean_text
from naflora_etl.sources.gbif_login import Login
from naflora_etl.sources.paging import Unreadable, read_json

MOST_VALUES = 100_000
"""Values in one question, all its parts together; beyond it GBIF refuses (413)."""
PAGE_KEY = "gbif:download/"
"""How the page keys of downloads begin."""
QUEUE_FULL = frozenset({420, 429})
"""More than three downloads of a user at a time: 420 in GBIF's code, 429 in its documentation."""
WAITING = frozenset({"PREPARING", "RUNNING", "SUSPENDED"})
MARK = "naflora_etl"
PERSONAL = ("creator", "notificationAddresses", "notification_address")
Query = dict[str, Any]


def ask_for(taxon_keys: Sequence[str], options: HarvestOptions) -> list[Query]:
    """Return the questions for the specimens with images of some taxa, by GBIF's own keys; one, if they are few enough.

    Nothing in a question tells who asks.
    """
    countries = sorted({code.upper() for code in options.countries})
    at_once = MOST_VALUES - len(countries) - 2
    keys = sorted(set(taxon_keys))
    return [_query(keys[at : at + at_once], countries, options) for at in range(0, len(keys), at_once)]


def _query(keys: list[str], countries: list[str], options: HarvestOptions) -> Query:
    checklist = options.gbif_checklist_key
    predicates: list[Query] = [
        # said twice: at the root it chooses the names in the archive, here it says whose keys these are
        {"type": "in", "key": "TAXON_KEY", "values": keys, "checklistKey": checklist},
        {"type": "equals", "key": "BASIS_OF_RECORD", "value": "PRESERVED_SPECIMEN"},
        {"type": "equals", "key": "MEDIA_TYPE", "value": "StillImage"},
    ]
    if countries:
        predicates.append({"type": "in", "key": "COUNTRY", "values": countries})
    return {"format": "DWCA", "checklistKey": checklist, "predicate": {"type": "and", "predicates": predicates}}


def posted_body(query: Query, login: Login, mark: str) -> Query:
    """Return what is posted: the question, who asks, and a mark by which it is known again."""
    person = {"creator": login.user, "notificationAddresses": [login.email], "sendNotification": False}
    return query | person | {"description": f"{MARK} {mark}", "machineDescription": {MARK: mark}}


def read_key(body: bytes) -> str:
    """Return the key that GBIF gave a download, out of its answer (plain text, or JSON); raises Unreadable."""
    key = body.decode("utf-8", "replace").strip().strip('"')
    if not key or len(key) > 60 or not key.replace("-", "").isalnum():
        raise Unreadable("no key of a download")
    return key


@dataclass(frozen=True)
class Status:
    """How a download stands."""

    key: str
    state: str
    link: str
    size_bytes: int | None
    records: int | None
    doi: str | None
    created: str
    license: str | None

    @property
    def citation(self) -> str | None:
        """How GBIF wants the download cited; None while it has no DOI."""
        when = f" ({self.created[:10]})" if self.created else ""
        return f"GBIF.org{when} GBIF Occurrence Download https://doi.org/{self.doi}" if self.doi else None


def read_status(body: bytes, key: str, options: HarvestOptions) -> Status:
    """Return how a download stands; raises Unreadable."""
    answer = read_json(body)
    state = clean_text(answer.get("status"))
    if state is None:
        raise Unreadable("JSON, but without a status")
    doi = (clean_text(answer.get("doi")) or "").removeprefix("https://doi.org/").removeprefix("doi:")
    return Status(
        key,
        state,
        clean_text(answer.get("downloadLink")) or f"{options.gbif_api}/v1/occurrence/download/request/{key}.zip",
        _count(answer.get("size")),
        _count(answer.get("totalRecords")),
        doi or None,
        clean_text(answer.get("created")) or "",
        clean_text(answer.get("license")),
    )


def without_person(body: bytes) -> Query:
    """Return what GBIF told about a download, without the user's name and address; raises Unreadable."""
    answer = read_json(body)
    answer = {name: value for name, value in answer.items() if name not in PERSONAL}
    if isinstance(asked := answer.get("request"), dict):
        answer["request"] = {name: value for name, value in asked.items() if name not in PERSONAL}
    return answer


def find_marked(body: bytes, mark: str) -> str | None:
    """Return the key of the download that bears `mark`, out of a list of a user's downloads; raises Unreadable."""
    found = read_json(body).get("results")
    for entry in found if isinstance(found, list) else []:
        asked = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(asked, dict):
            continue
        said = asked.get("machineDescription")
        if (isinstance(said, dict) and said.get(MARK) == mark) or asked.get("description") == f"{MARK} {mark}":
            return clean_text(entry.get("key"))
    return None


def read_records(file: AbstractContextManager[str], page_key: str) -> Iterator[Occurrence]:
    """Yield the records of a download, as records of GBIF's; raises Fault for an archive that cannot be used."""
    with file as path:
        for record in Archive(path).read_records(page_key):
            yield replace(record, source="gbif")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
