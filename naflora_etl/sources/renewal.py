"""A harvest brought up to date: which taxa are asked about again, and what is taken over from the harvest before.

`naflora reharvest` writes the note; from then on the workspace harvests under the note's label, until the recipe's own
`harvest.snapshot` is changed, which asks everything anew.
"""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.tables import read_parquet
from naflora_etl.issues import ASKED_ANEW
from naflora_etl.recipe import HarvestOptions, Recipe

NOTE = "renewal"
PUBLISHED = "published"
"""Source of the row that holds what earlier releases published: Parquet, as publishing/withdrawn.py writes it."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Renewal:
    """The latest renewal of a workspace's harvest."""

    base: str
    """harvest.snapshot of the recipe that it renews."""
    label: str
    """The snapshot under which the renewed harvest stands."""
    ask: dict[str, list[str]]
    """By source, the taxa to ask about again; of what is not named here, all that came before is kept."""
    before: str
    """Digest of the blob that holds the harvest before: the table, as Parquet."""
    published: str | None = None
    """Digest of the blob that holds what was published so far."""
    told: dict[str, Any] = field(default_factory=dict)
    """By source, what it answered when it was asked for news, and when."""
    is_done: bool = False
    is_judged: bool = False
    """Whether it was asked if what the sources no longer list is gone; before, nothing is chosen from what came."""

    def write(self, notes: Notes) -> None:
        """Keep the renewal."""
        notes.write(NOTE, asdict(self))


def find_renewal(notes: Notes) -> Renewal | None:
    """Return the workspace's latest renewal."""
    note = notes.read(NOTE)
    return Renewal(**note) if note else None


def find_published(notes: Notes) -> str | None:
    """Return the digest of the list of what was published so far; it ends with no renewal and no snapshot."""
    note, renewal = notes.read(PUBLISHED), find_renewal(notes)
    return str(note["blob"]) if note else renewal.published if renewal else None


def note_published(notes: Notes, digest: str) -> None:
    """Keep the digest of the list of what was published so far."""
    notes.write(PUBLISHED, {"blob": digest})


def renew_recipe(recipe: Recipe, notes: Notes) -> Recipe:
    """Return the recipe under the label of its latest renewal; as it is where its snapshot was never renewed."""
    renewal = find_renewal(notes)
    if renewal is None or renewal.base != recipe.harvest.snapshot:
        return recipe
    return recipe.model_copy(update={"harvest": recipe.harvest.model_copy(update={"snapshot": renewal.label})})


def check_judged(recipe: Recipe, notes: Notes) -> None:
    """Raise Fault where a reharvest of this recipe was interrupted before its losses were judged."""
    renewal = find_renewal(notes)
    if renewal is None or renewal.base != recipe.harvest.snapshot or renewal.is_done or renewal.is_judged:
        return
    raise Fault(
        f"the reharvest {renewal.label} was interrupted before it was looked at what the sources no longer list; run "
        "`naflora reharvest` with this recipe, it goes on where it stopped."
    )


class Earlier:
    """What the harvest before holds, as far as it is not asked for again; nothing where there is no renewal.

    `released` is the digest of what was published so far, which stays so when all is asked anew.
    """

    def __init__(self, renewal: Renewal | None, released: str | None, blobs: Blobs, taxa: list[str]) -> None:
        self.renewal = renewal
        self.released = released
        self.rows: dict[tuple[str, str | None], list[Row]] = defaultdict(list)
        if renewal is not None:
            table = _earlier_table(blobs, renewal.before)
            of_these = pc.or_(pc.is_null(table["taxon_id"]), pc.is_in(table["taxon_id"], pa.array(taxa, pa.string())))
            for row in table.filter(of_these).to_pylist():
                self.rows[row["source"], row["taxon_id"]].append(row)

    def is_kept(self, source: str, taxon_id: str) -> bool:
        """Return whether a taxon's pages are taken over: they are whole, and nothing about them may be new."""
        if self.renewal is None or taxon_id in self.renewal.ask.get(source, ()):
            return False
        return any("/records" in row["page_key"] or row["issue"] for row in self.rows[source, taxon_id]) and not any(
            row["issue"] in ASKED_ANEW for row in self.rows[source, taxon_id]
        )

    def take(self, source: str, taxon_id: str | None) -> list[Row]:
        """Return the earlier rows of a taxon."""
        return self.rows[source, taxon_id]

    def mend(self, rows: list[Row]) -> list[Row]:
        """Return the rows of one taxon at one source; the earlier ones where the new ones did not all come.

        A source that is out of reach must not look like one that withdrew what it had.
        """
        if not rows or not any(row["issue"] in ASKED_ANEW for row in rows):
            return rows
        earlier = self.rows[rows[0]["source"], rows[0]["taxon_id"]]
        return earlier if any(row["issue"] is None for row in earlier) else rows

    def take_download(self, source: str, page_key: str) -> list[Row]:
        """Return the rows of a source's download, when it is taken over; none where one must be asked for."""
        if self.renewal is None or source in self.renewal.ask:
            return []
        rows = self.rows[source, None]
        return [row for row in rows if row["page_key"].startswith(page_key) and row["issue"] is None]

    def published(self) -> list[Row]:
        """Return the row that tells what earlier releases published."""
        if self.released is None:
            return []
        stem = {"page_key": f"{PUBLISHED}:{self.released[:16]}", "source": PUBLISHED, "page_number": 0}
        return [stem | {"request": "images of earlier releases", "blob": self.released, "issue": None}]


def _earlier_table(blobs: Blobs, digest: str) -> pa.Table:
    return read_parquet(io.BytesIO(blobs.get(digest)))


def find_earlier(notes: Notes, options: HarvestOptions, blobs: Blobs, taxa: list[str]) -> Earlier:
    """Return what is taken over into a harvest of these options."""
    latest = find_renewal(notes)
    renewal = latest if latest and latest.label == options.snapshot else None
    return Earlier(renewal, find_published(notes), blobs, taxa)
