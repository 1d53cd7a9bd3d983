"""A list of names against a backbone: one row in, one verdict row out, in its order, its own columns in front."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from naflora_etl.engine.tables import clean_rows, count_issues
from naflora_etl.names.backbone import Backbone, describe_backbone, read_backbone
from naflora_etl.names.namelist import NameList, read_name_list
from naflora_etl.names.overrides import Overrides
from naflora_etl.names.resolve import Resolver, Verdict

COLUMNS = (
    *("name", "verdict", "matched_name", "matched_id", "accepted_name", "accepted_id", "family", "genus"),
    *("similarity", "author_similarity", "rule", "alternatives", "issue"),
)
_NUMBERS = frozenset(("similarity", "author_similarity"))


@dataclass(frozen=True)
class Matched:
    """A list with its verdicts, row for row, and the resolver into whose backbone their positions point."""

    names: NameList
    verdicts: list[Verdict]
    resolver: Resolver
    backbone_issues: dict[str, int]
    """Rows of the backbone that could not be used, by issue."""
    backbone: Backbone | None = None
    """Which backbone it was."""


def match_names(
    names: NameList, wcvp: pa.Table, *, overrides: Overrides | None = None, fuzzy_similarity: float = 0.9
) -> Matched:
    """Return the verdict on every row of a list, taxa of every rank counted; Fault for overrides' unknown ids."""
    resolver = Resolver(clean_rows(wcvp), fuzzy_similarity, ranks=None, overrides=overrides)
    written = names.table[names.name_column].to_pylist()
    verdicts = []
    for at, (name, authors, family) in enumerate(zip(names.names, names.authors, names.families, strict=True)):
        verdict = resolver.resolve(name, authors, family, verbatim=written[at])
        if verdict.verdict == "unreadable" and names.issues[at]:
            verdict = verdict._replace(issue=names.issues[at])
        verdicts.append(verdict)
    return Matched(names, verdicts, resolver, count_issues(wcvp), describe_backbone(wcvp.schema.metadata))


def match_files(
    list_path: Path,
    backbone_path: Path,
    *,
    mapping: dict[str, str],
    name_column: str | None = None,
    author_column: str | None = None,
    overrides: Overrides | None = None,
) -> Matched:
    """Return the verdicts on a file of names. Raises Fault for a file that holds no list, or no backbone."""
    names = read_name_list(list_path, name_column, author_column)
    return match_names(names, read_backbone(backbone_path, mapping), overrides=overrides)


def make_table(matched: Matched) -> pa.Table:
    """Return the list's own columns and then COLUMNS; an own column called like one of ours becomes input_<name>."""
    cells: dict[str, list[Any]] = {column: [] for column in COLUMNS}
    written = matched.names.table[matched.names.name_column].to_pylist()
    wcvp = {name: matched.resolver.wcvp[name].combine_chunks() for name in ("taxon_name", "family", "genus")}
    for name, verdict in zip(written, matched.verdicts, strict=True):
        shown = verdict.row if verdict.taxon_row is None else verdict.taxon_row
        row = {
            "name": name,
            "verdict": verdict.verdict,
            "matched_name": _cell(wcvp["taxon_name"], verdict.row),
            "matched_id": verdict.plant_name_id,
            "accepted_name": _cell(wcvp["taxon_name"], verdict.taxon_row),
            "accepted_id": verdict.taxon_id,
            "family": _cell(wcvp["family"], shown),
            "genus": _cell(wcvp["genus"], shown),
            "similarity": verdict.match_similarity,
            "author_similarity": verdict.author_similarity,
            "rule": verdict.rule,
            "alternatives": matched.resolver.describe(verdict.alternatives),
            "issue": verdict.issue,
        }
        for column in COLUMNS:
            cells[column].append(row[column])
    own = own_columns(matched.names.table.column_names)
    table = matched.names.table.rename_columns(own)
    for column in COLUMNS:
        kind = pa.float64() if column in _NUMBERS else pa.string()
        table = table.append_column(column, pa.array(cells[column], kind))
    return table


def own_columns(columns: list[str]) -> list[str]:
    """Return what the list's columns are called in front of ours: `name` becomes `input_name`, `input_name` stays."""
    taken = {*COLUMNS, *columns}
    renamed = []
    for column in columns:
        while column in COLUMNS or column in renamed:
            column = f"input_{column}"
            while column in taken:
                column = f"input_{column}"
        renamed.append(column)
    return renamed


def summarise(matched: Matched) -> dict[str, Any]:
    """Return the counts that a person wants first: verdicts add up to rows, rules do, and issues with `clean` do."""
    verdicts = matched.verdicts
    issues = Counter(verdict.issue for verdict in verdicts if verdict.issue)
    return {
        "rows": len(verdicts),
        "clean": len(verdicts) - issues.total(),
        "taxa": len({verdict.taxon_id for verdict in verdicts if verdict.taxon_id}),
        "verdicts": _ranked(Counter(verdict.verdict for verdict in verdicts)),
        "rules": _ranked(Counter(verdict.rule for verdict in verdicts)),
        "issues": _ranked(issues),
        "overrides": _ranked(Counter(verdict.override for verdict in verdicts if verdict.override)),
        "mended": sum(1 for mended in matched.names.mended if mended),
        "backbone": {
            **(asdict(matched.backbone) if matched.backbone else {}),
            "rows": len(matched.resolver.wcvp),
            "set_aside": matched.backbone_issues,
        },
    }


def _ranked(counts: Counter[Any]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _cell(column: pa.Array, row: int | None) -> str | None:
    value: str | None = None if row is None else column[row].as_py()
    return value
