"""What became of the names of the checklist: how many had each verdict, and those that a person should look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from naflora_etl.engine.tables import query_tables

MOST_DOUBTFUL = 200
"""Doubtful names that are listed; the rest is counted."""
UNTOLD = "untold"
DECIDED = ("rank", "dropped")
"""Verdicts that set a name aside and leave nothing to doubt."""


@dataclass(frozen=True)
class Verdict:
    """How many names had one verdict."""

    name: str
    sentence: str
    names: int
    taken: int
    """Those of them that lead to a taxon of the dataset."""


@dataclass(frozen=True)
class Names:
    """The names of a checklist by verdict."""

    total: int
    verdicts: tuple[Verdict, ...]
    doubtful: tuple[dict[str, Any], ...]
    """name, became, verdict, why, alternatives, images; those that were taken and stand in the release come first."""
    doubtful_total: int


def count_names(
    taxa: pa.Table, classes: pa.Table, verdicts: Mapping[str, str], rules: Mapping[str, str], flagged: Collection[str]
) -> Names:
    """Return the names of the whole table `taxa` by verdict, and the doubtful ones.

    `verdicts` and `rules` give the sentence of each; a name taken by a rule in `flagged` is doubtful, and so is one
    that was set aside, unless that was decided.
    """
    counted = query_tables(
        f"""select coalesce(verdict, '{UNTOLD}') as verdict, count(*) as names, count(taxon_id) as taken
            from taxa group by 1 order by 2 desc, 1""",
        taxa=taxa,
    ).to_pylist()
    doubtful = _find_doubtful(taxa, classes, flagged)
    return Names(
        total=taxa.num_rows,
        verdicts=tuple(
            Verdict(row["verdict"], verdicts.get(row["verdict"], ""), row["names"], row["taken"]) for row in counted
        ),
        doubtful=tuple(
            row | {"why": rules.get(row["rule"], "") if row["is_taken"] else verdicts.get(row["verdict"], "")}
            for row in doubtful[:MOST_DOUBTFUL]
        ),
        doubtful_total=len(doubtful),
    )


def _find_doubtful(taxa: pa.Table, classes: pa.Table, flagged: Collection[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = query_tables(
        """select t.scientificName as name, t.scientificNameAuthorship as authors, t.verdict, t.rule, t.alternatives,
                t.issue, t.issue is null as is_taken, case when t.issue is null then t.taxon_name end as became,
                coalesce(c.images_train + c.images_test, 0) as images
            from taxa t left join classes c on t.issue is null and c.taxon_id = t.taxon_id
            where (t.issue is null and list_contains($1, t.rule))
                or (t.issue is not null and not list_contains($2, coalesce(t.verdict, ''))
                    and t.issue not in ('FAMILY_NOT_WANTED', 'RANK_NOT_WANTED'))
            order by is_taken desc, images desc, t.issue, t.scientificName, t.checklist_key""",
        [sorted(flagged), list(DECIDED)],
        taxa=taxa,
        classes=classes,
    ).to_pylist()
    return rows
