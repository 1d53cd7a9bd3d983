"""Under which names an aggregator that keeps publishers' own names may have filed a taxon: its own, and its synonyms.

iDigBio indexes genus and epithet as they were sent, so a sheet filed under a synonym is found under that synonym alone.
"""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources.paging import Taxon

RANK = "Species"
NOT_ITS_NAMES = ("Misapplied",)
"""Status of names that were used for the taxon by mistake and are another's."""


def add_names(taxa: list[Taxon], wcvp: pa.Table) -> list[Taxon]:
    """Return the taxa, each with `names`: genus -> its epithets in that genus, the accepted genus first.

    Synonyms at the rank of species count; what stands under a variety is found with the variety's species.
    """
    wanted = pa.array([taxon["taxon_id"] for taxon in taxa], pa.string())
    is_name = pc.and_(pc.is_in(wcvp["accepted_plant_name_id"], wanted), pc.equal(wcvp["taxon_rank"], RANK))
    usual = pc.invert(pc.is_in(pc.fill_null(wcvp["taxon_status"], ""), pa.array(NOT_ITS_NAMES)))
    rows = wcvp.filter(pc.and_(is_name, usual)).select(["accepted_plant_name_id", "genus", "species"]).to_pylist()
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if row["genus"] and row["species"]:
            found[row["accepted_plant_name_id"]].append((row["genus"], row["species"]))
    return [taxon | {"names": _grouped(taxon, sorted(found[taxon["taxon_id"]]))} for taxon in taxa]


def _grouped(taxon: Taxon, names: list[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for genus, epithet in [(taxon.get("genus") or "", taxon.get("species") or ""), *names]:
        epithets = groups.setdefault(genus.lower(), [])
        if epithet.lower() not in epithets:
            epithets.append(epithet.lower())
    return groups
