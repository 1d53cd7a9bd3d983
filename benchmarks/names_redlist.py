"""Fuzzy matches that a person kept or rejected (IUCN Red List against WCVP): agreement of the matcher's own judgement.

    python benchmarks/names_redlist.py [../shared/data/names/gold_redlist]

A row is a name and one candidate. The matcher is given the backbone of every candidate that the file tells, and agrees
where it takes a kept candidate, or does not take a rejected one. (The file blanks most rejected candidates, so its
rejected rows say little; `names_stranger.py` measures wrong matches on a real backbone instead.) Folds: the
agreement on five parts of the names, drawn by a digest, so that no part was looked at more than another.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa

from naflora_etl.names.authors import author_similarity
from naflora_etl.names.backbone import COLUMNS
from naflora_etl.names.parse import parse_name
from naflora_etl.names.resolve import Resolver

FOLDS = 5


def make_backbone(rows: list[dict[str, str]]) -> pa.Table:
    """Return the candidates as a backbone; each leads to its accepted id, or to itself."""
    found = {}
    for row in rows:
        if row["wcvp_id"] == "NA":
            continue
        name = parse_name(row["wcvp_name"])
        found[row["wcvp_id"]] = dict.fromkeys(COLUMNS) | {
            "plant_name_id": row["wcvp_id"],
            "accepted_plant_name_id": row["wcvp_id"],
            "taxon_rank": row["wcvp_rank"],
            "taxon_status": "Accepted",
            "taxon_name": row["wcvp_name"],
            "taxon_authors": row["wcvp_authors"],
            "genus": name.genus,
            "species": name.epithet if name.infraspecific else row["wcvp_name"].partition(" ")[2],
            "infraspecific_rank": name.infraspecific_rank,
            "infraspecies": name.infraspecific,
        }
    return pa.Table.from_pylist(list(found.values()), schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def main(folder: Path) -> None:
    """Print the agreement, that of the two figures to beat, and a line for every disagreement."""
    with (folder / "redlist-fuzzy-checked.csv").open(encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    resolver = Resolver(make_backbone(rows), ranks=None)
    agreed: Counter[str] = Counter()
    folds: dict[int, list[bool]] = defaultdict(list)
    for row in rows:
        verdict = resolver.resolve(row["scientific_name"], row["authority"].replace("&amp;", "&"))
        kept, taken = row["keep"] == "1", verdict.plant_name_id == row["wcvp_id"]
        like = row["match_similarity"] != "NA" and float(row["match_similarity"]) >= 0.9
        equal = row["wcvp_author_edit_distance"] == "0"
        agreed["similarity >= 0.9 alone"] += like == kept
        agreed["similarity >= 0.9 or equal authors"] += (like or equal) == kept
        agreed["the matcher"] += taken == kept
        folds[hashlib.sha256(row["scientific_name"].encode()).digest()[0] % FOLDS].append(taken == kept)
        if taken != kept:
            name, authors = row["wcvp_name"], row["wcvp_authors"]
            alike = author_similarity(row["authority"].replace("&amp;", "&"), authors)
            say(
                f"{'kept' if kept else 'rejected'}: {row['scientific_name']} {row['authority']} | {name} {authors} | "
                f"{row['match_similarity'][:5]}, authors {alike} | {verdict.verdict} {verdict.rule}"
            )
    for rule, count in agreed.items():
        say(f"{rule}: {count} of {len(rows)} ({count / len(rows):.4f})")
    say("five parts: " + ", ".join(f"{sum(fold) / len(fold):.4f}" for _, fold in sorted(folds.items())))


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/names/gold_redlist"))
