"""What a build would ask of whom, before any request: requests, bytes, time, at the recipe's own polite rates.

The plan walks the path as a build does. Stages that ask nobody run on the way; at the first one that would ask, it
counts instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from yarl import URL

from naflora_etl.engine.addresses import host_of
from naflora_etl.engine.build import Site, SliceJob, build_stage, map_here
from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.packs import Packs
from naflora_etl.engine.receipts import Receipt, Receipts
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import clean_rows, read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.issues import ASKED_ANEW, TRANSIENT
from naflora_etl.names.backbone import describe_backbone
from naflora_etl.pipeline import build_recipe
from naflora_etl.recipe import Recipe
from naflora_etl.sources.archives import LARGEST_BYTES, is_address
from naflora_etl.sources.gbif_errand import PIECE_BYTES, SLOWER
from naflora_etl.sources.portals import PORTALS
from naflora_etl.sources.synonyms import add_names
from naflora_etl.stages.images import SliceWork

# measured means of real traffic, used for estimates alone: of a record's JSON, and of a herbarium sheet (median of
# 12.6 MP sheets)
RECORD_BYTES = {"gbif": 3_500, "idigbio": 5_000}
DOWNLOADED_RECORD_BYTES = 300  # in a zip of GBIF's, all its files together
DOWNLOADED_TAXON_BYTES = 200_000  # a guess: some hundred records of a taxon and its genus, in a zip
SHEET_BYTES = 2_400_000
POLLS = 30  # how a download stands, asked over some four hours; the pauses between are time, too
UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


@dataclass(frozen=True)
class Errand:
    """What one host would be asked."""

    host: str
    what: str
    requests_least: int
    requests_most: int
    bytes_most: int
    seconds_most: int
    """At the polite rate, with the pauses while a download is prepared; a slow host takes longer."""


@dataclass(frozen=True)
class Plan:
    """All errands of a build, and what they rest on."""

    taxa: int
    is_first: bool
    """Whether nobody was asked yet."""
    errands: tuple[Errand, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)


class _WouldAsk(Exception):
    """A stage that asks others has slices to run."""

    def __init__(self, jobs: Sequence[SliceJob]) -> None:
        super().__init__(jobs[0].stage.name)
        self.stage = jobs[0].stage.name
        self.fingerprint = jobs[0].fingerprint
        self.share = len(jobs) / jobs[0].of
        self.has_first = any(job.number == 0 for job in jobs)


def plan_recipe(recipe: Recipe, workspace: Workspace) -> Plan:
    """Return what a build of `recipe` would ask. Builds the stages that ask nobody on the way."""
    would_ask = _walk(recipe, workspace)
    receipts = Receipts(workspace)
    taxa = len(set(clean_rows(receipts.table("taxa"))["taxon_id"].to_pylist()))
    counting = Counting(recipe, workspace, receipts)
    notes: tuple[str, ...]
    if would_ask is not None and would_ask.stage == "harvest":
        some = dict.fromkeys(PORTALS, -int(-taxa * would_ask.share // 1))
        errands = counting.ask_aggregators(some, taxa, would_ask.has_first)
        notes = (*counting.tell_gbif(taxa), *counting.tell_others(taxa), counting.tell_images(taxa))
    else:
        errands = counting.ask_aggregators(counting.taxa_without_answer(), taxa)
        errands += counting.ask_image_hosts(would_ask)
        notes = ("What is here already is not asked for again.",)
    backbone = describe_backbone(receipts.metadata("wcvp"))
    if backbone:
        notes += (f"Names are those of {backbone.as_sentence()}.",)
    notes += counting.tell_contact(errands)
    if errands:
        notes += (f"Sizes assume {SHEET_BYTES / 1e6:.1f} MB a sheet; times are those of the polite rates; a question "
                  "a dataset, and what fails and is tried again, come on top.",)  # fmt: skip
    return Plan(taxa, receipts.find("harvest") is None, tuple(errands), notes)


def _walk(recipe: Recipe, workspace: Workspace) -> _WouldAsk | None:
    """Build along the path up to the first stage that would ask; return what it would, or None where all is here."""

    def run_or_stop(run: Callable[[SliceJob], str], jobs: Sequence[SliceJob]) -> Iterable[str]:
        if jobs and "http" in jobs[0].stage.uses:
            raise _WouldAsk(jobs)
        return map_here(run, jobs)

    def build(stage: Stage, site: Site) -> Receipt:
        # a plan must not take away the tables whose failures a build would try again
        return build_stage(replace(stage, transient=frozenset()), site)

    try:
        build_recipe(recipe, workspace, until="images", mapper=run_or_stop, build=build)
    except _WouldAsk as would_ask:
        return would_ask
    return None


class Counting:
    """Counts the errands of one recipe in one workspace."""

    def __init__(self, recipe: Recipe, workspace: Workspace, receipts: Receipts) -> None:
        self.recipe = recipe
        self.workspace = workspace
        self.receipts = receipts
        self.client = HttpClient(recipe.http)

    def ask_aggregators(self, taxa: Mapping[str, int], of: int, has_first: bool = False) -> list[Errand]:
        """Return what asking each source about so many taxa, of all, takes.

        `has_first`: the first slice is among what is asked, and with it what is asked once for all taxa.
        """
        options = self.recipe.harvest
        portals = [source for source in options.sources if source in PORTALS]
        errands = [self._ask_aggregator(source, taxa[source]) for source in portals if taxa.get(source)]
        if "idigbio" in portals and options.idigbio == "download":
            host = host_of(URL(options.idigbio_download_api))
            errands = [errand for errand in errands if errand.what != "idigbio"]
            asked = self._errand(host, "idigbio", 3, 3 + POLLS, of * DOWNLOADED_TAXON_BYTES, self._polling_s())
            errands += [asked] if has_first else []
        if "gbif" in portals and options.ask_gbif_by(of) == "download":
            errands = [errand for errand in errands if errand.what != "gbif"]
            errands += [self._ask_for_download(of)] if has_first else []
        places = [host_of(URL(place)) for place in options.archives if is_address(place) and has_first]
        return errands + [self._errand(place, "archive", 1, 1, LARGEST_BYTES) for place in places]

    def _ask_for_download(self, taxa: int) -> Errand:
        # a question a name, then the request, how it stands, and the archive in pieces
        options, host = self.recipe.harvest, host_of(URL(self.recipe.harvest.gbif_api))
        bytes_most = taxa * options.max_records_per_taxon * DOWNLOADED_RECORD_BYTES
        pieces = -(-bytes_most // PIECE_BYTES)
        return self._errand(host, "gbif", taxa + 4, taxa + 4 + POLLS + pieces, bytes_most, self._polling_s())

    def _polling_s(self) -> float:
        """Return the seconds between POLLS questions how a download stands."""
        options = self.recipe.harvest
        longest = max(options.gbif_poll_longest_s, options.gbif_poll_s)
        return sum(min(options.gbif_poll_s * SLOWER**number, longest) for number in range(POLLS))

    def tell_contact(self, errands: Iterable[Errand]) -> tuple[str, ...]:
        """Say that the recipe must tell who asks, where it does not and strangers would be asked."""
        strangers = [errand.host for errand in errands if self.client.needs_contact(URL(f"https://{errand.host}"))]
        if not strangers:
            return ()
        told = f"write your e-mail or web page into the recipe before {strangers[0]} is asked"
        return (f"http.contact is empty; {told}.",)

    def tell_gbif(self, taxa: int) -> tuple[str, ...]:
        """Say how GBIF would be asked, and why."""
        options = self.recipe.harvest
        if "gbif" not in options.sources:
            return ()
        way = options.ask_gbif_by(taxa)
        why = f'harvest.gbif = "{options.gbif}"'
        if options.gbif == "auto":
            sign = "more than" if way == "download" else "at most"
            why = f"{taxa:,} taxa are {sign} harvest.gbif_search_taxa ({options.gbif_search_taxa:,})"
        if way == "search":
            return (f"GBIF is asked by its search API, page by page: {why}.",)
        return (
            f"GBIF is asked by its download API, once for all taxa: {why}. One archive with a DOI comes, prepared in "
            "some minutes to hours; GBIF_USER, GBIF_PWD and GBIF_EMAIL must be set.",
        )

    def tell_others(self, taxa: int) -> Iterator[str]:
        """Say how iDigBio and archives would be asked."""
        options = self.recipe.harvest
        if "idigbio" in options.sources and options.idigbio == "download":
            yield (
                'iDigBio is asked for one download of all genera (harvest.idigbio = "download"), of which much is set '
                "aside by name. When it does not come, the build goes on without it."
            )
        elif "idigbio" in options.sources:
            yield (
                "iDigBio is asked by its search API under accepted names and synonyms, a query a genus: "
                f"{self.genera_a_taxon():.1f} queries a taxon. When it is out of reach, the build goes on without it."
            )
        for place in options.archives:
            yield f"The archive {place} is " + ("fetched once." if is_address(place) else "read; that asks nobody.")

    def genera_a_taxon(self) -> float:
        """Return in how many genera a taxon has names, on average; at least 1."""
        table = clean_rows(self.receipts.table("taxa"))
        taxa = list({row["taxon_id"]: row for row in table.to_pylist()}.values())
        named = add_names(taxa, clean_rows(self.receipts.table("wcvp")))
        return sum(len(taxon["names"]) for taxon in named) / max(1, len(named))

    def _ask_aggregator(self, source: str, taxa: int) -> Errand:
        options = self.recipe.harvest
        host = host_of(URL(options.gbif_api if source == "gbif" else options.idigbio_api))
        pages = -(-options.max_records_per_taxon // options.page_size)
        # GBIF is asked for its key of a name, then for records; iDigBio for records, then for their media, a genus at a
        # time
        queries = taxa if source == "gbif" else round(taxa * self.genera_a_taxon())
        least = taxa * 2 if source == "gbif" else queries
        most = taxa * (1 + pages) if source == "gbif" else 2 * pages * queries
        records = taxa * options.max_records_per_taxon * (1 if source == "gbif" else 2)
        return self._errand(host, source, least, most, records * RECORD_BYTES[source])

    def taxa_without_answer(self) -> dict[str, int]:
        """Return about how many taxa each source gave no answer for now, and so would be asked again."""
        failed = {(row["source"], row["taxon_id"]) for row in self._rows_to_repeat("harvest", ASKED_ANEW)
                  if row["taxon_id"] and row["issue"] in ASKED_ANEW}  # fmt: skip
        return Counter(source for source, _ in failed)

    def ask_image_hosts(self, would_ask: _WouldAsk | None) -> list[Errand]:
        """Return what each image server would be asked for; spares only as far as images fail."""
        if would_ask is None:
            rows = [row for row in self._rows_to_repeat("images", TRANSIENT) if row["pack"] is None]
            sure = Counter(row["host"] for row in rows if row["issue"] != "SPARE_NOT_NEEDED")
        else:
            rows = self._not_fetched(would_ask.fingerprint)
            sure = Counter(row["host"] for row in rows if row["role"] == "chosen")
        most = Counter(row["host"] for row in rows)
        wishes = 2 * int(self.recipe.http.obey_robots)  # robots.txt, tdmrep.json
        return [
            self._errand(host, "images", sure[host] + wishes, most[host] + wishes, most[host] * SHEET_BYTES)
            for host in sorted(most, key=lambda name: (-sure[name], name))
        ]

    def _not_fetched(self, fingerprint: str) -> list[dict[str, Any]]:
        """Return the selected images that are neither packed nor on the bench of an interrupted build."""
        selected = clean_rows(self.receipts.table("selection"))
        rows: list[dict[str, Any]] = selected.select(["image_key", "host", "role"]).to_pylist()
        benches = [name for name in self.workspace.names("bench") if name.startswith(fingerprint[:12])]
        benched = {name for bench in benches for name in self.workspace.names(f"bench/{bench}")}
        if not benched and not self.workspace.names("packs"):
            return rows
        work = SliceWork(rows, self.recipe.images, Packs(self.workspace, "plan"), lambda *told: None)
        return [row for row in rows if not work.is_here(row["image_key"], benched)]

    def _rows_to_repeat(self, stage: str, again: frozenset[str]) -> list[dict[str, Any]]:
        """Return the rows of the slices of a finished stage that another build runs again."""
        receipt = self.receipts.find(stage)
        if receipt is None or not any(receipt.issues.get(issue) for issue in again):
            return []
        rows: list[dict[str, Any]] = []
        for path in self.receipts.parts(receipt):
            with self.workspace.open(path) as stream:
                part = read_parquet(stream).to_pylist()
            rows += part if any(row["issue"] in again for row in part) else []
        return rows

    def tell_images(self, taxa: int) -> str:
        """Say how many images there may be, while only the harvest can tell which."""
        options = self.recipe.selection
        most = taxa * options.cap
        said = {"all": "all servers", "frontier": "as many servers as the knee of the frontier says"}
        servers = said.get(str(options.servers), f"at most {options.servers} servers")
        if options.coverage is not None:
            servers = f"as few servers as cover {options.coverage:.1%} of the species"
        size = f"{most * SHEET_BYTES / 1e9:,.1f} GB"
        return (
            f"Images: at most {most:,} ({taxa:,} species x cap {options.cap}), about {size}, from {servers}; "
            "which ones, the harvest tells: run `naflora build RECIPE --until selection`, then plan again."
        )

    def _errand(
        self, host: str, what: str, least: int, most: int, bytes_most: int, pauses_s: float = 0.0
    ) -> Errand:
        seconds = most / self.client.policy(host).per_second + pauses_s
        return Errand(host, what, least, most, bytes_most, -int(-seconds // 1))


def describe_plan(plan: Plan) -> str:
    """Return the plan as a table to read."""
    if not plan.errands:
        return f"{plan.taxa:,} species. A build would ask nobody: all that it needs is here."
    begun = "Nothing was asked yet; this" if plan.is_first else "This"
    lines = [f"{plan.taxa:,} species. {begun} is what a build would{'' if plan.is_first else ' still'} ask:", ""]
    lines.append(f"{'host':<34} {'for':<8} {'requests':>19} {'data at most':>13} {'time at most':>13}")
    for errand in plan.errands:
        requests = f"{errand.requests_least:,} - {errand.requests_most:,}"
        size = f"{errand.bytes_most / 1e6:,.0f} MB"
        row = f"{errand.host:<34} {errand.what:<8} {requests:>19} {size:>13} {_time(errand.seconds_most):>13}"
        lines.append(row)
    lines += ["", *plan.notes]
    return "\n".join(lines)


def _time(seconds: int) -> str:
    for unit, worth in UNITS:
        if seconds >= 2 * worth:
            return f"{seconds / worth:,.1f} {unit}"
    return f"{seconds} s"
