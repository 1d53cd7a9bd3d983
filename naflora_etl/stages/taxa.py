"""taxa: give every name on the checklist one verdict and its accepted taxon.

reads   checklist, wcvp
writes  taxa           one row per name on the checklist
"""

from __future__ import annotations

import pyarrow as pa

from naflora_etl.engine.stage import Stage
from naflora_etl.names.resolve import Resolver, Verdict
from naflora_etl.recipe import TaxaOptions

_OF_THE_TAXON = ("taxon_name", "taxon_authors", "taxon_rank", "family", "genus", "species", "ipni_id")


def resolve_checklist(checklist: pa.Table, wcvp: pa.Table, *, options: TaxaOptions) -> pa.Table:
    """Return one row per row of `checklist`, in its order: the verdict, and the taxon where there is one.

    A name whose verdict carries an issue has no taxon_id. Several names may lead to one taxon; each keeps its row.
    """
    resolver = Resolver(wcvp, options.fuzzy_similarity, ranks=options.ranks, infraspecific=options.infraspecific)
    names, authors = checklist["scientificName"].to_pylist(), checklist["scientificNameAuthorship"].to_pylist()
    verdicts = [resolver.resolve(name, author) for name, author in zip(names, authors, strict=True)]
    matched = pa.array([verdict.row for verdict in verdicts], pa.int64())
    taxon = wcvp.select(_OF_THE_TAXON).take(pa.array([verdict.taxon_row for verdict in verdicts], pa.int64()))
    issues = _issues(verdicts, taxon["family"].to_pylist(), options)
    ids = [verdict.taxon_id if issue is None else None for verdict, issue in zip(verdicts, issues, strict=True)]
    table = pa.table(
        {
            "checklist_key": checklist["checklist_key"],
            "scientificName": checklist["scientificName"],
            "scientificNameAuthorship": checklist["scientificNameAuthorship"],
            "canonical_name": pa.array([verdict.canonical_name for verdict in verdicts], pa.string()),
            "match_type": pa.array([verdict.match_type for verdict in verdicts], pa.string()),
            "match_similarity": pa.array([verdict.match_similarity for verdict in verdicts], pa.float64()),
            "plant_name_id": wcvp["plant_name_id"].take(matched),
            "taxon_status": wcvp["taxon_status"].take(matched),
            "taxon_id": pa.array(ids, pa.string()),
        }
    )
    for column in _OF_THE_TAXON:
        table = table.append_column(column, taxon[column])
    return table.append_column("issue", pa.array(issues, pa.string()))


def _issues(verdicts: list[Verdict], families: list[str | None], options: TaxaOptions) -> list[str | None]:
    wanted = {family.lower() for family in options.families}
    return [
        verdict.issue or ("FAMILY_NOT_WANTED" if wanted and (family or "").lower() not in wanted else None)
        for verdict, family in zip(verdicts, families, strict=True)
    ]


STAGE = Stage("taxa", reads=("checklist", "wcvp"), run=resolve_checklist, accounts_for="checklist_key")
