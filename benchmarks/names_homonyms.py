"""WCVP's homonyms: none of the names that authors cannot tell apart may be resolved by a guess.

    python -m benchmarks.names_homonyms [../shared/data/names]

Two tables hold rows of WCVP that share name and authors; where they lead to different taxa, with authors or without,
the only right answer is `ambiguous`. The third holds accepted names that have homonyms elsewhere in WCVP: these are
asked of The Plant List, whose homonyms are whole, with authors and without.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa

from benchmarks.names_speed import TPL
from naflora_etl.engine.tables import clean_rows
from naflora_etl.names.authors import AGREE
from naflora_etl.names.backbone import COLUMNS, read_backbone
from naflora_etl.names.resolve import Resolver

Rows = list[dict[str, str]]


def read_rows(path: Path) -> Rows:
    """Return a table of the repository of homonyms."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_backbone(rows: Rows) -> pa.Table:
    """Return the rows, and the accepted names that they tell, as a backbone."""
    found: dict[str, dict[str, str | None]] = {}
    for row in rows:
        found[row["plant_name_id"]] = {column: row.get(column) or None for column in COLUMNS}
    for row in rows:
        accepted = row["accepted_plant_name_id"]
        if accepted and accepted not in found:
            blank: dict[str, str | None] = dict.fromkeys(COLUMNS)
            name = {"plant_name_id": accepted, "accepted_plant_name_id": accepted, "taxon_status": "Accepted"}
            name |= {"taxon_name": f"Unknown x{accepted}", "taxon_rank": "Species", "genus": "Unknown", "species": "x"}
            found[accepted] = blank | name
    return pa.Table.from_pylist(list(found.values()), schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def ask_duplicates(folder: Path) -> None:
    """Ask for every name of the tables of duplicates, with authors and without."""
    for table in ("wcvp_duplicate_names_different_accepted", "wcvp_duplicate_names_with_authors"):
        rows = read_rows(folder / f"{table}.csv")
        resolver = Resolver(as_backbone(rows), ranks=None)
        taxa: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in rows:
            taxa[row["taxon_name"], row["taxon_authors"]].add(row["accepted_plant_name_id"])
        for with_authors in (True, False):
            counts: Counter[str] = Counter()
            for (name, authors), led in taxa.items():
                verdict = resolver.resolve(name, authors if with_authors else None)
                counts[f"{'several taxa' if len(led) > 1 else 'one taxon'}: {verdict.verdict}"] += 1
            say(f"{table}, {'with' if with_authors else 'without'} authors: {dict(counts)}")


def ask_accepted(data: Path) -> None:
    """Ask The Plant List for accepted names that have homonyms."""
    (path,) = (data / "tpl11").glob("*.parquet")
    wcvp = clean_rows(read_backbone(path, TPL))
    resolver = Resolver(wcvp, ranks=None)
    rows = read_rows(data / "wcvp_homonyms/wcvp_accepted_with_homonyms.csv")
    for with_authors in (True, False):
        counts: Counter[str] = Counter()
        for row in rows:
            verdict = resolver.resolve(row["taxon_name"], row["taxon_authors"] if with_authors else None)
            if verdict.verdict == "unresolved":
                counts["not in this list"] += 1
            elif verdict.row is None:
                counts[verdict.verdict] += 1
            elif with_authors:
                agree = verdict.author_similarity is None or verdict.author_similarity >= AGREE
                counts["a row of these authors" if agree else "a row of other authors"] += 1
            else:
                counts["a single taxon"] += 1
        say(f"accepted names with homonyms, {'with' if with_authors else 'without'} authors: {dict(counts)}")


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/names")
    ask_duplicates(data / "wcvp_homonyms")
    ask_accepted(data)
