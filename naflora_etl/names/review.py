"""The doubtful names, the best alternatives beside them: a sheet that becomes a file of overrides when filled in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.names.authors import AGREE
from naflora_etl.names.matching import Matched
from naflora_etl.names.overrides import read_overrides
from naflora_etl.names.resolve import MOST_ALTERNATIVES, Verdict
from naflora_etl.names.rules import FLAGGED

_OPEN = frozenset(("ambiguous", "review", "unresolved", "doubtful"))
_OWN = ("name", "authors", "accepted_id", "who", "why", "rows", "verdict", "rule", "matched_name", "matched_id")


def is_doubtful(verdict: Verdict) -> bool:
    """Say whether a person should look: nothing was found or too much, or a flagged rule fired without the authors.

    So is another spelling under other authors, as the very name under other authors is.
    """
    if verdict.verdict in _OPEN:
        # a genus or a tribe that the backbone lacks is nobody's doubt
        return verdict.verdict != "unresolved" or " " in (verdict.canonical_name or "")
    if verdict.verdict == "misapplied":
        return verdict.row is None  # it is the list that says so, and only a person knows what was meant
    if verdict.rule == "orthographic":
        return verdict.author_similarity is not None and verdict.author_similarity < AGREE
    if verdict.rule not in FLAGGED:
        return False
    sure = verdict.author_similarity is not None and verdict.author_similarity >= AGREE
    return not (sure and verdict.rule in ("fuzzy_in_genus", "fuzzy_genus", "other_rank"))


def refuse_decided(path: Path) -> None:
    """Raise Fault if the sheet that lies at `path` was filled in: a person's decisions are not written over."""
    try:
        decided = len(read_overrides(path)) if path.is_file() else 0
    except Fault:
        return  # no sheet of ours
    if decided:
        raise Fault(f"{path} holds {decided:,} decisions already; give it as --overrides, and --review another name.")


def make_review(matched: Matched) -> pa.Table:
    """Return one row per doubtful name (and authors, where the list keeps them apart), the most frequent first.

    accepted_id, who and why are empty: what is filled in decides, what is left empty decides nothing.
    """
    names = matched.names
    written = names.table[names.name_column].to_pylist()
    authors = names.table[names.author_column].to_pylist() if names.author_column else [None] * len(written)
    doubtful: dict[tuple[str, str | None], Verdict] = {}
    rows: Counter[tuple[str, str | None]] = Counter()
    for name, author, verdict in zip(written, authors, matched.verdicts, strict=True):
        if name and is_doubtful(verdict):
            doubtful.setdefault((name, author), verdict)
            rows[name, author] += 1
    order = sorted(doubtful, key=lambda key: (-rows[key], key[0], key[1] or ""))
    sheet = [_line(key, doubtful[key], rows[key], matched) for key in order]
    columns = [*_OWN, *(f"alternative_{at + 1}{end}" for at in range(MOST_ALTERNATIVES) for end in ("", "_id"))]
    return pa.table({column: pa.array([line.get(column) for line in sheet], pa.string()) for column in columns})


def _line(key: tuple[str, str | None], verdict: Verdict, rows: int, matched: Matched) -> dict[str, str | None]:
    resolver = matched.resolver
    line = {
        "name": key[0],
        "authors": key[1],
        "rows": str(rows),
        "verdict": verdict.verdict,
        "rule": verdict.rule,
        "matched_name": None if verdict.row is None else resolver.describe((verdict.row,)),
        "matched_id": verdict.plant_name_id,
    }
    for at, row in enumerate(verdict.alternatives, start=1):
        line[f"alternative_{at}"] = f"{resolver.describe((row,))} {resolver.wcvp['taxon_status'][row].as_py()}"
        line[f"alternative_{at}_id"] = resolver.wcvp["plant_name_id"][row].as_py()
    return line
