"""naflora reharvest: ask what may be new, ask again about that alone, build, and tell what changed.

Before anything is asked again, what was published so far is put aside, so that the next release can tell what of it was
withdrawn. A run that was killed is gone on with: the same questions, the same label. Before anything is chosen anew,
the brake looks at what each source no longer lists.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.clock import now
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import Receipt, Receipts
from naflora_etl.engine.tables import clean_rows, parquet_bytes, read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.pipeline import build_recipe, list_released
from naflora_etl.recipe import Recipe
from naflora_etl.renewing.brake import FACTS, Held, find_troubled, keep_before
from naflora_etl.renewing.change import COLUMNS, Change, compare_records
from naflora_etl.renewing.confirmation import Confirmation, confirm_missing
from naflora_etl.renewing.inquiry import Inquiry, News
from naflora_etl.sources.archives import Supply, find_new_archives
from naflora_etl.sources.renewal import Renewal, find_renewal
from naflora_etl.sources.synonyms import add_names


class Build(Protocol):
    """Build a recipe along its path, up to a stage."""

    def __call__(self, recipe: Recipe, until: str | None) -> list[Receipt]:
        """Return the receipts."""


@dataclass
class Outcome:
    """What a reharvest found and did."""

    label: str
    news: list[News]
    new_archives: list[str] = field(default_factory=list)
    change: Change | None = None
    """None: nothing was new, and nothing was done."""
    confirmed: dict[str, Confirmation] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    """Sources of which everything is kept as it was, since their loss is not believed."""
    published_before: frozenset[str] = frozenset()
    """Images of earlier releases."""
    names: dict[str, str] = field(default_factory=dict)
    """Names of taxa, by taxon_id."""


def reharvest(
    recipe: Recipe, workspace: Workspace, *, build: Build | None = None, accept_losses: bool = False
) -> Outcome:
    """Bring a built workspace up to date and return what changed; `accept_losses` lets the brake go.

    Raises Fault where nothing was built yet. Where nothing is new, nothing is built or written.
    """
    notes, receipts = Notes(workspace), Receipts(workspace)
    for stage in ("harvest", "records"):
        if receipts.find(stage) is None:
            raise Fault(f"{workspace.root} holds no table {stage} to bring up to date; run `naflora build` first.")
    renewal = find_renewal(notes)
    said: list[News] = []
    supplies: list[Supply] = []
    if renewal is None or renewal.base != recipe.harvest.snapshot or renewal.is_done:
        known = renewal if renewal is not None and renewal.base == recipe.harvest.snapshot else None
        said, supplies = _inquire(recipe, workspace, known)
        if not any(news.taxa for news in said) and not supplies:
            return Outcome(known.label if known else recipe.harvest.snapshot, said)
        renewal = _begin(recipe, workspace, said, supplies, known)
        renewal.write(notes)
    before = read_parquet(io.BytesIO(Blobs(workspace).get(renewal.told["records"])))
    build = build or (lambda recipe, until: build_recipe(recipe, workspace, until=until))
    if not accept_losses and not renewal.is_judged:
        build(recipe, "records")
        renewal = _brake(recipe, workspace, renewal, before)
    renewal = replace(renewal, is_judged=True)
    renewal.write(notes)
    build(recipe, None)
    outcome = Outcome(renewal.label, said, [supply.address for supply in supplies])
    outcome.held = [Held(**held) for held in renewal.told.get("held", ())]
    outcome.change = compare_records(before, receipts.table("records"))
    outcome.names = _names(receipts)
    outcome.published_before = _published_keys(workspace, renewal)
    outcome.confirmed = _confirm(before, outcome.change, receipts.table("records"), recipe)
    replace(renewal, is_done=True).write(notes)
    return outcome


def _inquire(recipe: Recipe, workspace: Workspace, known: Renewal | None) -> tuple[list[News], list[Supply]]:
    receipts, http = Receipts(workspace), HttpClient(recipe.http)
    taxa = {row["taxon_id"]: row for row in clean_rows(receipts.table("taxa")).to_pylist()}
    named = add_names(list(taxa.values()), clean_rows(receipts.table("wcvp")))
    harvest = receipts.table("harvest").to_pylist()
    told = known.told["sources"] if known else {}
    inquiry = Inquiry(recipe.harvest, named, harvest, Blobs(workspace), told)
    return inquiry.ask(http), find_new_archives(recipe.harvest, harvest, http)


def _begin(
    recipe: Recipe, workspace: Workspace, said: list[News], supplies: list[Supply], known: Renewal | None
) -> Renewal:
    """Put aside what the renewal is compared with, and return it."""
    blobs, receipts = Blobs(workspace), Receipts(workspace)
    told = {news.source: news.as_told() for news in said if not news.is_silent}
    told = (known.told["sources"] if known else {}) | told
    facts = receipts.table("records", COLUMNS)
    published = list_released(workspace)
    return Renewal(
        base=recipe.harvest.snapshot,
        label=_label(recipe.harvest.snapshot, known),
        ask={news.source: news.taxa for news in said if news.taxa},
        before=blobs.put(parquet_bytes(receipts.table("harvest"))),
        published=blobs.put(parquet_bytes(published)) if published.num_rows else None,
        told={"sources": told, "records": blobs.put(parquet_bytes(facts))},
    )


def _brake(recipe: Recipe, workspace: Workspace, renewal: Renewal, before: pa.Table) -> Renewal:
    """Return the renewal; where a source's loss is not believed, another that keeps what it sent before.

    What the other sources sent is taken over too, so that nobody is asked twice.
    """
    blobs, receipts = Blobs(workspace), Receipts(workspace)
    taxa = clean_rows(receipts.table("taxa"))["taxon_id"].to_pylist()
    held = find_troubled(
        before, receipts.table("records", FACTS), taxa, recipe.reharvest.most_lost,
        lambda missing: confirm_missing(missing, recipe.harvest, HttpClient(recipe.http)),
    )  # fmt: skip
    if not held:
        return renewal
    names = {one.source for one in held}
    earlier = read_parquet(io.BytesIO(blobs.get(renewal.before)))
    kept = keep_before(earlier, receipts.table("harvest"), names)
    sources = {source: told for source, told in renewal.told["sources"].items() if source not in names}
    return replace(
        renewal,
        label=_label(renewal.base, renewal),
        ask={},
        before=blobs.put(parquet_bytes(kept)),
        told=renewal.told | {"sources": sources, "held": [asdict(one) for one in held]},
    )


def _label(base: str, known: Renewal | None) -> str:
    """Return a label that no renewal of this snapshot had: the day, and a number on the same day."""
    label = f"{base}+{now().date().isoformat()}"
    if known is None or not known.label.startswith(label):
        return label
    number = known.label[len(label) :].removeprefix(".") or "1"
    return f"{label}.{int(number) + 1}"


def _published_keys(workspace: Workspace, renewal: Renewal) -> frozenset[str]:
    if renewal.published is None:
        return frozenset()
    table = read_parquet(io.BytesIO(Blobs(workspace).get(renewal.published)), ["image_key"])
    return frozenset(table["image_key"].to_pylist())


def _names(receipts: Receipts) -> dict[str, str]:
    table = receipts.table("wcvp").select(["plant_name_id", "taxon_name"])
    return dict(zip(table["plant_name_id"].to_pylist(), table["taxon_name"].to_pylist(), strict=True))


def _confirm(before: pa.Table, change: Change, after: pa.Table, recipe: Recipe) -> dict[str, Confirmation]:
    """Ask for some of the records by whose absence images are taken for withdrawn."""
    gone = change.of_kind("withdrawn")
    ids = pa.array({row["source_record_id"] for row in gone}, pa.string())
    near = after.filter(pc.is_in(after["source_record_id"], ids)).select(["source", "source_record_id"]).to_pylist()
    here = {(row["source"], row["source_record_id"]) for row in near}
    missing: dict[str, set[str]] = {}
    for row in gone:
        if (row["source"], row["source_record_id"]) not in here:
            missing.setdefault(row["source"], set()).add(row["source_record_id"])
    if not missing:
        return {}
    listed = {source: sorted(ids) for source, ids in missing.items()}
    return confirm_missing(listed, recipe.harvest, HttpClient(recipe.http))
