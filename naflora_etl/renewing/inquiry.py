"""Ask every source whether anything may be new: few questions, and the taxa that are worth asking about again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.clock import now
from naflora_etl.engine.http import Ask, HttpClient
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif, news
from naflora_etl.sources.gbif_download import PAGE_KEY
from naflora_etl.sources.paging import Request, Taxon, Unreadable
from naflora_etl.sources.portals import PORTALS

MARGIN = timedelta(days=1)
"""What an aggregator changed so long before our harvest may not have been in its index then."""
FRESH = timedelta(days=2)
"""So long after an inquiry the same question is asked again, and an answer that did not change is no news."""
Signs = dict[str, list[int]]
"""By taxon_id: records, records that changed since the day in question, media that did."""
Row = dict[str, Any]


class Silent(Exception):
    """A source gives no usable answer."""


@dataclass
class News:
    """What one source said."""

    source: str
    since: str
    signs: Signs = field(default_factory=dict)
    taxa: list[str] = field(default_factory=list)
    """Taxa of which something may be new."""
    questions: int = 0
    is_silent: bool = False
    """Whether it gave no answer: then nothing of it is asked for."""
    asked_at: str = ""

    def as_told(self) -> dict[str, Any]:
        """Return what the next inquiry wants to know of this one."""
        return {"since": self.since, "asked_at": self.asked_at, "signs": self.signs}


class Inquiry:
    """The state of the harvest as it lies here, and the questions that follow from it."""

    def __init__(
        self, options: HarvestOptions, taxa: list[Taxon], harvest: list[Row], blobs: Blobs, told: Mapping[str, Any]
    ) -> None:
        self.options = options
        self.taxa = {taxon["taxon_id"]: taxon for taxon in taxa}
        self.harvest = harvest
        self.blobs = blobs
        self.told = told
        self.is_download = "gbif" in options.sources and options.ask_gbif_by(len(self.taxa)) == "download"

    def ask(self, http: HttpClient) -> list[News]:
        """Return what each aggregator says; a silent one is told as such and stops no other."""
        found: list[News] = http.run(self._ask_all(http))
        return found

    async def _ask_all(self, http: HttpClient) -> list[News]:
        async with http.session() as ask:
            asked = [self._ask(name, ask) for name in self.options.sources if name in PORTALS]
            return list(await asyncio.gather(*asked))

    async def _ask(self, source: str, ask: Ask) -> News:
        before = self.told.get(source) or {}
        is_fresh = bool(before) and now() - datetime.fromisoformat(before["asked_at"]) <= FRESH
        said = News(source, before["since"] if is_fresh else self._since(source, before), asked_at=now().isoformat())
        try:
            said.signs = await (self._ask_gbif(said, ask) if source == "gbif" else self._ask_idigbio(said, ask))
        except (Silent, Unreadable):
            said.is_silent = True
            return said
        totals = {taxon_id: sign[0] for taxon_id, sign in before["signs"].items()} if before else self._totals(source)
        for taxon_id, sign in said.signs.items():
            known = before["signs"].get(taxon_id) if is_fresh else [totals.get(taxon_id), 0, 0]
            if sign != known:
                said.taxa.append(taxon_id)
        if source == "gbif" and self.is_download and not before:
            said.taxa = [t for t, sign in said.signs.items() if sign[1]] or self._if_other_than_downloaded(said.signs)
        return said

    def _since(self, source: str, before: Mapping[str, Any]) -> str:
        """Return the day from which on a change may be news."""
        rows = [row["fetched_at"] for row in self.harvest if row["source"] == source and row["fetched_at"]]
        first = datetime.fromisoformat(before["asked_at"]) if before else min(rows, default=now())
        return (first - MARGIN).date().isoformat()

    def _totals(self, source: str) -> dict[str, int]:
        """Return how many records each taxon had, as the first pages of the harvest tell."""
        totals: dict[str, int] = {}
        for row in self.harvest:
            if row["source"] == source and row["taxon_id"] and row["issue"] is None and row["blob"]:
                kind, _, part = row["page_key"].rsplit("/", 2)[1].partition("-")
                if kind == "records" and row["page_number"] == 0 and not (part and source == "gbif"):
                    page = PORTALS[source].read_page(Request("records", ""), self.blobs.get(row["blob"]))
                    totals[row["taxon_id"]] = totals.get(row["taxon_id"], 0) + page.total
        return totals

    def _if_other_than_downloaded(self, signs: Signs) -> list[str]:
        held = sum(row["record_count"] or 0 for row in self.harvest if row["page_key"].startswith(PAGE_KEY))
        return list(signs) if held != sum(sign[0] for sign in signs.values()) else []

    # the questions

    async def _ask_gbif(self, said: News, ask: Ask) -> Signs:
        keys = self._gbif_keys()
        signs: Signs = {}
        for some in _chunks(sorted(keys)):
            wanted = [keys[taxon_id] for taxon_id in some]
            totals = news.read_gbif(await self._say(news.ask_gbif(wanted, self.options), said, ask), wanted)
            question = news.ask_gbif(wanted, self.options, said.since)
            changed = news.read_gbif(await self._say(question, said, ask), wanted)
            signs |= {taxon_id: [totals[keys[taxon_id]], changed[keys[taxon_id]], 0] for taxon_id in some}
        return signs

    def _gbif_keys(self) -> dict[str, str]:
        """Return GBIF's key of each taxon, as it told them."""
        keys: dict[str, str] = {}
        for row in self.harvest:
            if row["source"] == "gbif" and "/match" in row["page_key"] and row["issue"] is None:
                rank = (self.taxa.get(row["taxon_id"], {}).get("taxon_rank") or "Species").upper()
                if (key := gbif.read_match(self.blobs.get(row["blob"]), rank)) is not None:
                    keys[row["taxon_id"]] = key
        return {taxon_id: key for taxon_id, key in keys.items() if taxon_id in self.taxa}

    async def _ask_idigbio(self, said: News, ask: Ask) -> Signs:
        options, since = self.options, said.since
        signs: Signs = {}
        for some in _chunks(sorted(self.taxa)):
            taxa = [self.taxa[taxon_id] for taxon_id in some]
            totals = news.read_idigbio(await self._say(news.ask_idigbio(taxa, options), said, ask), taxa)
            changed = news.read_idigbio(await self._say(news.ask_idigbio(taxa, options, since), said, ask), taxa)
            media = dict.fromkeys(some, 0)
            if news.read_count(await self._say(news.ask_media(taxa, options, since), said, ask)):
                for taxon in taxa:  # the numbers of media are not told by name
                    body = await self._say(news.ask_media([taxon], options, since), said, ask)
                    media[taxon["taxon_id"]] = news.read_count(body)
            signs |= {taxon_id: [totals[taxon_id], changed[taxon_id], media[taxon_id]] for taxon_id in some}
        return signs

    async def _say(self, request: Request, said: News, ask: Ask) -> bytes:
        said.questions += 1
        answer = await ask(request.url, method=request.method, json=request.body)
        if answer.issue is not None:
            raise Silent(answer.note)
        return answer.body


def _chunks(taxon_ids: Sequence[str]) -> list[Sequence[str]]:
    return [taxon_ids[at : at + news.AT_ONCE] for at in range(0, len(taxon_ids), news.AT_ONCE)]
