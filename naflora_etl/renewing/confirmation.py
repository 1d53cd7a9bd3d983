"""Are records that a list lacks really gone? A sample is asked for by key.

GBIF answers 404 for a deleted record; that its fragment still answers proves nothing, so it is not asked. A record that
answers was not withdrawn: it left the question (another name, another country), or the list was not whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from naflora_etl.engine.http import HttpClient
from naflora_etl.recipe import HarvestOptions

SAMPLE = 20
"""Records a source."""
GONE = (404, 410)
Row = dict[str, Any]


@dataclass
class Confirmation:
    """What a sample of records that a source does not list any more said."""

    missing: int
    gone: int = 0
    silent: int = 0
    alive: list[dict[str, str]] = field(default_factory=list)
    """Records that answered, and under which name."""

    @property
    def asked(self) -> int:
        """How many were asked for."""
        return self.gone + self.silent + len(self.alive)


def confirm_missing(
    missing: Mapping[str, Sequence[str]], options: HarvestOptions, http: HttpClient
) -> dict[str, Confirmation]:
    """Return, by source, what became of records that are not listed any more, given by their ids there."""
    places = {
        "gbif": f"{options.gbif_api}/v1/occurrence/{{}}",
        "idigbio": f"{options.idigbio_api}/v2/view/records/{{}}",
    }

    async def ask_all() -> dict[str, Confirmation]:
        found = {}
        async with http.session() as ask:
            for source, ids in missing.items():
                found[source] = told = Confirmation(len(ids))
                for record in sample_of(ids) if source in places else ():
                    answer = await ask(places[source].format(record))
                    if answer.status in GONE:
                        told.gone += 1
                    elif answer.issue is None:
                        told.alive.append({"record": record, "name": _name_in(answer.body)})
                    else:
                        told.silent += 1
        return found

    result: dict[str, Confirmation] = http.run(ask_all())
    return result


def sample_of(ids: Sequence[str]) -> list[str]:
    """Return SAMPLE of the ids, evenly out of their order: the same ones whenever it is asked."""
    ordered = sorted(ids)
    step = max(1, len(ordered) // SAMPLE)
    return ordered[::step][:SAMPLE]


def _name_in(body: bytes) -> str:
    try:
        answer = json.loads(body)
        name = answer.get("scientificName") or answer.get("data", {}).get("dwc:scientificName")
    except (ValueError, AttributeError):
        name = None
    return str(name or "no name")
