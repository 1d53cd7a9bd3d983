"""selection: choose which specimen images to download.

reads   records
writes  selection      one row per image: chosen, spare, or set aside with a reason
        servers.json   in its folder: the servers chosen, the frontier, and the bounds that prove it
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.folders import Folder
from naflora_etl.engine.stage import Stage
from naflora_etl.recipe import SelectionOptions, SplitOptions
from naflora_etl.selecting.draw import rank_images
from naflora_etl.selecting.frontier import Effort
from naflora_etl.selecting.servers import Wish, choose_servers

FACTS = ["image_key", "taxon_id", "specimen_key", "gathering_key", "image_url", "host", "copy_urls"]
SPREAD = {"institution": ("institutionCode",), "region": ("countryCode", "stateProvince"), "year": ("year",)}
"""Which columns of a record say the value of selection.spread."""
CERTIFICATE = "servers.json"
LIGHT_NODES = 5
"""Nodes for the bound of a number of servers that was not asked for, which only the report's figure shows."""
LARGE = 200_000
"""Species times hosts beyond which a node costs so much that fewer are tried, and only for what was asked for."""


def select_images(
    records: pa.Table, *, options: SelectionOptions, split_options: SplitOptions, folder: Folder
) -> pa.Table:
    """Choose servers, then rank each species' images on them; up to the cap chosen, then spares, the rest set aside.

    Each row of `records` is one unique image. The servers are chosen by unique images per species and host. Whether a
    species keeps its minimum, `split` decides after the downloads; but where even all spares would not reach it, no
    server is asked for nothing.
    """
    images = records.select(FACTS)
    if options.spread != "off":
        images = images.append_column("spread", _spread_of(records, options.spread))
    counts = images.group_by(["taxon_id", "host"]).aggregate([([], "count_all")]).rename_columns(
        ["taxon_id", "host", "n"]
    )
    choice = choose_servers(counts, _wish(options), _effort(options, counts))
    with folder.open(CERTIFICATE, "wb") as stream:
        # no seconds in it: the same records give the same bytes
        certificate = {name: value for name, value in choice.as_dict().items() if name != "seconds"}
        stream.write((json.dumps(certificate, indent=2, ensure_ascii=False) + "\n").encode())
    on_chosen = pc.is_in(images["host"], pa.array(choice.hosts, pa.string()))
    table = pa.concat_tables([
        _without_hopeless(_ranked(images.filter(on_chosen), options), split_options.minimum),
        _left_out(images.select(FACTS).filter(pc.invert(on_chosen))),
    ])
    return table.sort_by([("taxon_id", "ascending"), ("rank", "ascending"), ("image_key", "ascending")])


def _wish(options: SelectionOptions) -> Wish:
    return Wish(
        servers=options.servers,
        coverage=options.coverage,
        threshold=options.threshold,
        cap=options.cap,
        require=options.require_hosts,
        exclude=options.exclude_hosts,
        costs=options.host_costs,
        prefer=options.prefer_hosts,
        within=options.prefer_within,
    )


def _effort(options: SelectionOptions, counts: pa.Table) -> Effort:
    """Return the nodes of the proof: as many as the recipe says, or as much work where species and hosts are many."""
    cells = pc.count_distinct(counts["taxon_id"]).as_py() * pc.count_distinct(counts["host"]).as_py()
    if cells <= LARGE:
        return Effort(nodes=options.proof_nodes, others=LIGHT_NODES)
    return Effort(nodes=-(-options.proof_nodes * LARGE // cells), others=0)


def _spread_of(records: pa.Table, spread: str) -> pa.Array:
    """Return the value of each image over which its species' images take turns; null where none of it is told."""
    told = [pc.cast(records[column], pa.string()) for column in SPREAD[spread]]
    joined = pc.binary_join_element_wise(*told, "|", null_handling="replace", null_replacement="")
    known = pc.is_valid(told[0])
    for column in told[1:]:
        known = pc.or_(known, pc.is_valid(column))
    return pc.if_else(known, joined, pa.scalar(None, pa.string()))


def _ranked(images: pa.Table, options: SelectionOptions) -> pa.Table:
    """Append role, rank and issue: what comes after cap and spares has neither role nor rank."""
    spread = images["spread"] if options.spread != "off" else None
    images = images.select(FACTS)
    keys = images["taxon_id"], images["specimen_key"], images["image_key"]
    rank = pa.array(rank_images(*keys, seed=options.seed, spread=spread))
    in_cap = pc.less_equal(rank, options.cap)
    kept = pc.less_equal(rank, options.cap + options.spares)
    nothing = pa.nulls(len(rank), pa.string())
    role = pc.if_else(kept, pc.if_else(in_cap, "chosen", "spare"), nothing)
    issue = pc.if_else(kept, nothing, "OVER_CAP")
    return _append(images, role, pc.if_else(kept, rank, pa.scalar(None, pa.int64())), issue)


def _without_hopeless(ranked: pa.Table, minimum: int) -> pa.Table:
    """Set aside the species that have fewer images, spares included, than the minimum."""
    kept = ranked.filter(pc.is_valid(ranked["role"])).group_by("taxon_id").aggregate([([], "count_all")])
    enough = kept.filter(pc.greater_equal(kept["count_all"], minimum))["taxon_id"]
    hopeless = pc.invert(pc.is_in(ranked["taxon_id"], enough.combine_chunks()))
    facts = ranked.select(FACTS)
    return _append(
        facts,
        pc.if_else(hopeless, pa.scalar(None, pa.string()), ranked["role"]),
        pc.if_else(hopeless, pa.scalar(None, pa.int64()), ranked["rank"]),
        pc.if_else(hopeless, "TOO_FEW_IMAGES", ranked["issue"]),
    )


def _left_out(images: pa.Table) -> pa.Table:
    """Append role, rank and issue to images on servers that were not chosen."""
    rows = len(images)
    issue = pa.repeat("HOST_NOT_CHOSEN", rows)
    return _append(images, pa.nulls(rows, pa.string()), pa.nulls(rows, pa.int64()), issue)


def _append(images: pa.Table, role: pa.Array, rank: pa.Array, issue: pa.Array) -> pa.Table:
    return images.append_column("role", role).append_column("rank", rank).append_column("issue", issue)


STAGE = Stage(
    "selection",
    reads=("records",),
    run=select_images,
    uses=("folder",),
    columns={"records": [*FACTS, *(name for names in SPREAD.values() for name in names)]},
    version=4,
    accounts_for="image_key",
    also=("split",),
)
