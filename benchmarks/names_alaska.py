"""Names a botanist adjudicated (the Alaska flora): precision and recall of the matcher, every miss told.

    python benchmarks/names_alaska.py [../shared/data/names/gold_alaska]

The backbone is made of the canonical names that the gold matches to. A row of the gold counts once, twice where a
botanist decided it. `exact` and `auto_*` rows whose epithets are one Latin word are the first class, manual rows whose
epithets differ are fuzzy. Rows of `no_match` that nobody adjudicated are told apart and not counted: most of them
differ from a canonical name in the spelling of an author alone.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa

from naflora_etl.names.backbone import COLUMNS
from naflora_etl.names.resolve import Resolver, Verdict
from naflora_etl.names.rules import FLAGGED

PARTS = ("genus_hybrid", "genus", "species_hybrid", "species", "infraspecific_rank", "infraspecies")


def read_rows(path: Path) -> list[list[str]]:
    """Return the cells of a file with pipes and without headings."""
    return [line.split("|") for line in path.read_text(encoding="utf-8").splitlines()]


def make_backbone(names: dict[str, list[str]]) -> pa.Table:
    """Return the canonical names as a backbone of accepted names."""
    rows = []
    for name_id, cells in names.items():
        row = {part: cell or None for part, cell in zip((*PARTS, "taxon_authors"), cells, strict=True)}
        row |= {"taxon_name": " ".join(cell for cell in cells[:6] if cell), "taxon_status": "Accepted"}
        rank = "Infraspecific" if row["infraspecies"] else "Species" if row["species"] else "Genus"
        row |= {"plant_name_id": name_id, "accepted_plant_name_id": name_id, "taxon_rank": rank}
        rows.append(dict.fromkeys(COLUMNS) | row)
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def main(folder: Path) -> None:
    """Print the figures, and a line for every miss."""
    gold = read_rows(folder / "accs2canon_match.psv") + read_rows(folder / "wcsp2canon_match.psv")
    refused = {row[0] for row in read_rows(folder / "accs2canon_match_manual.psv") if row[3] == "no_match"}
    canon = {row[1]: row[10:17] for row in gold if row[1]}
    resolver = Resolver(make_backbone(canon), ranks=None, infraspecific="set_aside")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in gold:
        name, authors = " ".join(cell for cell in row[3:9] if cell), row[9]
        verdict = resolver.resolve(name, authors or None)
        manual = row[2].startswith("manual") or row[0] in refused
        kind = "fuzzy" if manual and row[3:9] != row[10:16] and row[1] else "exact + orthographic"
        if row[2] == "no_match" and row[0] not in refused:
            counts["not adjudicated"]["taken" if verdict.plant_name_id else "left"] += 1
            continue
        if row[0] in refused:
            kind = "exact + orthographic" if verdict.match_type.startswith("exact") else "fuzzy"
        weight = 2 if manual else 1
        right = (verdict.plant_name_id or "") == row[1]
        counts[kind]["wanted"] += weight * bool(row[1])
        counts[kind]["taken"] += weight * bool(verdict.plant_name_id)
        counts[kind]["right"] += weight * (right and bool(row[1]))
        if not right:
            wanted = tell(canon.get(row[1]))
            say(f"{row[2]:13} x{weight} {name} {authors} | gold: {wanted} | {explain(verdict, canon)}")
    for kind, count in counts.items():
        if "wanted" in count:
            precision, recall = count["right"] / count["taken"], count["right"] / count["wanted"]
            say(f"{kind}: precision {precision:.4f}, recall {recall:.4f} {dict(count)}")
        else:
            say(f"{kind}: {dict(count)}")


def tell(cells: list[str] | None) -> str:
    """Return a canonical name in one string."""
    return " ".join(cell for cell in cells if cell) if cells else "nothing"


def explain(verdict: Verdict, canon: dict[str, list[str]]) -> str:
    """Return what was taken instead, by which rule."""
    flag = "flagged " if verdict.rule in FLAGGED else ""
    return f"{flag}{verdict.verdict} {verdict.rule} {tell(canon.get(verdict.plant_name_id or ''))}"


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/names/gold_alaska"))
