"""Archives that the recipe names: files and folders here, or addresses whose file is fetched and kept by its sha256."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from naflora_etl.engine.answers import Answer
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Ask, HttpClient
from naflora_etl.engine.receipts import digest_path
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.page_errand import Journal, version_of

LARGEST_BYTES = 1 << 31
"""Of an archive by address; GBIF's larger ones come by its download API, piece by piece."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Supply:
    """An archive that is another one than was harvested."""

    address: str


def is_address(place: str) -> bool:
    """Return whether an archive is to be fetched."""
    return place.startswith(("http://", "https://"))


def name_of(place: str) -> str:
    """Return the name of an archive: its file's, without the ending."""
    return PurePosixPath(urlsplit(place).path).stem if is_address(place) else Archive(place).name


def check_archives(options: HarvestOptions) -> None:
    """Raise Fault where sources and archives disagree, or two archives have the same name."""
    if ("archive" in options.sources) != bool(options.archives):
        raise Fault(
            "harvest.sources and harvest.archives disagree: "
            + ("name the archives, or take archive out of the sources." if not options.archives
               else 'add "archive" to the sources, or take the archives out.')
        )  # fmt: skip
    seen: dict[str, str] = {}
    for place in options.archives:
        name = name_of(place)
        if name in seen:
            raise Fault(f"{seen[name]} and {place} have the same name; rename one of them.")
        seen[name] = place


def read_local(places: Iterable[str]) -> list[Row]:
    """Return the rows of archives that lie here; raises Fault for one that cannot be used."""
    rows = []
    for place in places:
        if not is_address(place):
            archive = Archive(place)
            rows.append(_row(archive, archive.path) | {"blob": digest_path(archive.path)})
    return rows


def _row(archive: Archive, asked: str) -> Row:
    name = name_of(asked)
    return {
        "page_key": f"archive:{name}",
        "taxon_id": None,
        "source": "archive",
        "request": asked,
        "page_number": 0,
        "size_bytes": archive.size_bytes,
        "record_count": archive.count_rows(),
        "issue": None,
    }


class ArchiveErrand:
    """The archives by address, fetched; one that lies here under the version that its server still has is left."""

    def __init__(self, options: HarvestOptions, blobs: Blobs, earlier: Sequence[Row], journal: Journal) -> None:
        self.places = [place for place in options.archives if is_address(place)]
        self.blobs = blobs
        self.journal = journal
        self.earlier = {row["request"]: row for row in earlier}
        self.rows: list[Row] = []
        self.taxa: list[str] = self.places
        self.done = 0

    async def run(self, ask: Ask, tell: Any) -> None:
        """Fetch them, one after the other. Raises Fault for one that does not come, or is no archive."""
        for place in self.places:
            row = self.journal.find(place)
            if row is None or not self.blobs.has_file(row["blob"]):
                row = await self._fetch(place, ask)
                self.journal.add(place, row)
            self.rows.append(row)
            self.done += 1
            tell(f"archive {name_of(place)}")

    async def _fetch(self, place: str, ask: Ask) -> Row:
        known = self.earlier.get(place)
        if known is not None and self.blobs.has_file(known["blob"]):
            answer = await ask(place, headers=conditions_of(known), max_bytes=LARGEST_BYTES)
            if answer.status == 304 or answer.issue is not None:
                return known  # out of reach: what came before is whole
        else:
            answer = await ask(place, max_bytes=LARGEST_BYTES)
        if answer.issue is not None:
            why = answer.note or answer.issue
            raise Fault(f"the archive {place} does not come ({why}); `naflora build` asks again.")
        return self._keep(place, answer)

    def _keep(self, place: str, answer: Answer) -> Row:
        arrival = self.blobs.arrival(f"archive-{name_of(place)}")
        arrival.discard()
        arrival.add(answer.body)
        digest = arrival.settle()
        try:
            with self.blobs.file(digest) as path:
                row = _row(Archive(path), place)
        except Fault:
            self.blobs.drop_file(digest)
            raise Fault(
                f"{place} sent no Darwin Core archive that can be used; see what is there, or take it out of "
                "harvest.archives."
            ) from None
        facts = {"blob": digest, "status": answer.status, "fetched_at": answer.fetched_at, "etag": version_of(answer)}
        return row | facts


def conditions_of(row: Row) -> dict[str, str]:
    """Return the headers by which a server need not send again what it sent."""
    version = row.get("etag") or ""
    if not version:
        return {}
    return {"If-None-Match": version} if version.startswith(('"', "W/")) else {"If-Modified-Since": version}


def find_new_archives(options: HarvestOptions, harvest: Sequence[Row], http: HttpClient) -> list[Supply]:
    """Return the archives of the recipe that are other ones than those of the harvest."""
    known = {row["request"]: row for row in harvest if row["source"] == "archive"}
    found = [
        Supply(place)
        for place in options.archives
        if not is_address(place) and (known.get(place) or {}).get("blob") != digest_path(place)
    ]
    places = [place for place in options.archives if is_address(place)]

    async def ask_all() -> list[Supply]:
        async with http.session() as ask:
            answers = [(place, await ask(place, method="HEAD")) for place in places]
        return [Supply(place) for place, answer in answers if _is_new(known.get(place), answer)]

    return found + (http.run(ask_all()) if places else [])


def _is_new(known: Row | None, answer: Answer) -> bool:
    if known is None:
        return True
    return answer.issue is None and (version_of(answer) or "") != (known.get("etag") or "")
