"""What a build would ask of whom, before any request: requests, bytes, hours, at the recipe's own polite rates."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from naflora_etl.engine.addresses import host_of
from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.tables import clean_rows
from naflora_etl.engine.workspace import Workspace
from naflora_etl.pipeline import build_recipe
from naflora_etl.recipe import Recipe

# measured means of real traffic, used for estimates alone: a GBIF page of 300 records 1.06 MB, an iDigBio page of
# 100 about 0.5 MB, a herbarium sheet 2.4 MB (median of 12.6 MP sheets)
PAGE_BYTES = {"gbif": 1_060_000, "idigbio": 500_000}
SHEET_BYTES = 2_400_000


@dataclass(frozen=True)
class Errand:
    """What one host would be asked."""

    host: str
    what: str
    requests_least: int
    requests_most: int
    bytes_most: int
    hours_most: float


@dataclass(frozen=True)
class Plan:
    """All errands of a build, and what they rest on."""

    taxa: int
    errands: tuple[Errand, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)


def plan_recipe(recipe: Recipe, workspace: Workspace) -> Plan:
    """Return what a build of `recipe` would ask. Builds the stages that ask nobody (up to `taxa`) on the way."""
    build_recipe(recipe, workspace, until="taxa")
    receipts, client = Receipts(workspace), HttpClient(recipe.http)
    taxa = len(set(clean_rows(receipts.table("taxa"))["taxon_id"].to_pylist()))
    portals = [source for source in recipe.harvest.sources if source != "archive"]
    errands = [_ask_aggregator(recipe, client, source, taxa) for source in portals]
    selection = receipts.find("selection")
    if selection is None:
        most = taxa * recipe.selection.cap
        servers = "all servers" if recipe.selection.servers is None else f"at most {recipe.selection.servers} servers"
        notes = (
            f"Images: at most {most:,} ({taxa:,} species x cap {recipe.selection.cap}), about "
            f"{most * SHEET_BYTES / 1e9:,.1f} GB, from {servers}; which ones, the harvest tells: run "
            "`naflora build RECIPE --until selection`, then plan again.",
        )
    else:
        errands += _ask_image_hosts(receipts, client)
        notes = ("Images that are already packed are not asked for again.",)
    return Plan(taxa, tuple(errands), (*notes, f"Sizes assume {SHEET_BYTES / 1e6:.1f} MB a sheet."))


def _ask_aggregator(recipe: Recipe, client: HttpClient, source: str, taxa: int) -> Errand:
    from yarl import URL

    options = recipe.harvest
    host = host_of(URL(options.gbif_api if source == "gbif" else options.idigbio_api))
    pages = -(-options.max_records_per_taxon // options.page_size)
    per_page = 1 if source == "gbif" else 2  # iDigBio's media are joined by a second query
    least = taxa * (1 + per_page if source == "gbif" else per_page)
    most = taxa * (1 + pages * per_page if source == "gbif" else pages * per_page)
    return Errand(host, source, least, most, most * PAGE_BYTES[source], _hours(client, host, most))


def _ask_image_hosts(receipts: Receipts, client: HttpClient) -> list[Errand]:
    rows = clean_rows(receipts.table("selection")).select(["image_key", "host", "role"]).to_pylist()
    done = set()
    if receipts.find("images") is not None:
        done = set(clean_rows(receipts.table("images"))["image_key"].to_pylist())
    chosen = Counter(row["host"] for row in rows if row["role"] == "chosen" and row["image_key"] not in done)
    spares = Counter(row["host"] for row in rows if row["role"] == "spare" and row["image_key"] not in done)
    errands = []
    for host in sorted(chosen | spares, key=lambda name: (-chosen[name], name)):
        most = chosen[host] + spares[host]
        hours = _hours(client, host, most)
        errands.append(Errand(host, "images", chosen[host] + 1, most + 1, most * SHEET_BYTES, hours))
    return errands


def _hours(client: HttpClient, host: str, requests: int) -> float:
    return round(requests / client.policy(host).per_second / 3600, 3)


def describe_plan(plan: Plan) -> str:
    """Return the plan as a table to read."""
    lines = [f"{plan.taxa:,} species. Nothing was asked yet; this is what a build would ask:", ""]
    lines.append(f"{'host':<34} {'for':<8} {'requests':>19} {'at most':>10} {'hours at most':>14}")
    for errand in plan.errands:
        requests = f"{errand.requests_least:,} - {errand.requests_most:,}"
        size = f"{errand.bytes_most / 1e6:,.0f} MB"
        lines.append(f"{errand.host:<34} {errand.what:<8} {requests:>19} {size:>10} {errand.hours_most:>14.2f}")
    lines += ["", *plan.notes]
    return "\n".join(lines)
