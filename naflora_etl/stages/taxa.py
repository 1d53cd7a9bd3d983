"""taxa: give every name on the checklist one verdict and its accepted taxon.

reads   checklist, wcvp
writes  taxa           one row per name on the checklist
"""

from __future__ import annotations

import pyarrow as pa

from naflora_etl.engine.stage import Stage
from naflora_etl.names.overrides import read_overrides
from naflora_etl.names.parse import parse_name
from naflora_etl.names.resolve import Resolver, Verdict
from naflora_etl.recipe import TaxaOptions

_OF_THE_TAXON = ("taxon_name", "taxon_authors", "taxon_rank", "family", "genus", "species", "ipni_id")


def resolve_checklist(checklist: pa.Table, wcvp: pa.Table, *, options: TaxaOptions) -> pa.Table:
    """Return one row per row of `checklist`, in its order: the verdict, and the taxon where there is one.

    A name whose verdict carries an issue has no taxon_id. Several names may lead to one taxon; each keeps its row.
    Raises Fault for a file of overrides that cannot be used.
    """
    resolver = Resolver(
        wcvp,
        options.fuzzy_similarity,
        ranks=options.ranks,
        infraspecific=options.infraspecific,
        homonyms=options.homonyms,
        overrides=read_overrides(options.overrides) if options.overrides else None,
    )
    names, authors = checklist["scientificName"].to_pylist(), checklist["scientificNameAuthorship"].to_pylist()
    told = "family" in checklist.column_names
    families = checklist["family"].to_pylist() if told else [None] * len(checklist)
    verdicts = [resolver.resolve(*question) for question in zip(names, authors, families, strict=True)]
    parsed = [parse_name(name or "", author) for name, author in zip(names, authors, strict=True)]
    matched = pa.array([verdict.row for verdict in verdicts], pa.int64())
    taxon = wcvp.select(_OF_THE_TAXON).take(pa.array([verdict.taxon_row for verdict in verdicts], pa.int64()))
    issues = _issues(verdicts, taxon["family"].to_pylist(), options)
    ids = [verdict.taxon_id if issue is None else None for verdict, issue in zip(verdicts, issues, strict=True)]
    return pa.table(
        {
            "checklist_key": checklist["checklist_key"],
            "scientificName": checklist["scientificName"],
            "scientificNameAuthorship": checklist["scientificNameAuthorship"],
            "canonical_name": pa.array([verdict.canonical_name for verdict in verdicts], pa.string()),
            "parsed_rank": pa.array([None if name.reason else name.rank for name in parsed], pa.string()),
            "parsed_authors": pa.array([None if name.reason else name.authorship for name in parsed], pa.string()),
            "verdict": pa.array([verdict.verdict for verdict in verdicts], pa.string()),
            "rule": pa.array([verdict.rule for verdict in verdicts], pa.string()),
            "match_type": pa.array([verdict.match_type for verdict in verdicts], pa.string()),
            "match_similarity": pa.array([verdict.match_similarity for verdict in verdicts], pa.float64()),
            "author_similarity": pa.array([verdict.author_similarity for verdict in verdicts], pa.float64()),
            "plant_name_id": wcvp["plant_name_id"].take(matched),
            "matched_name": wcvp["taxon_name"].take(matched),
            "matched_authors": wcvp["taxon_authors"].take(matched),
            "taxon_status": wcvp["taxon_status"].take(matched),
            "taxon_id": pa.array(ids, pa.string()),
            **{column: taxon[column] for column in _OF_THE_TAXON},
            "alternatives": pa.array([resolver.describe(verdict.alternatives) for verdict in verdicts], pa.string()),
            "override": pa.array([verdict.override for verdict in verdicts], pa.string()),
            "issue": pa.array(issues, pa.string()),
        }
    )


def _issues(verdicts: list[Verdict], families: list[str | None], options: TaxaOptions) -> list[str | None]:
    wanted = {family.lower() for family in options.families}
    return [
        verdict.issue or ("FAMILY_NOT_WANTED" if wanted and (family or "").lower() not in wanted else None)
        for verdict, family in zip(verdicts, families, strict=True)
    ]


STAGE = Stage(
    "taxa",
    reads=("checklist", "wcvp"),
    run=resolve_checklist,
    version=3,
    accounts_for="checklist_key",
    files=lambda options: (options.overrides,) if options.overrides else (),
)
