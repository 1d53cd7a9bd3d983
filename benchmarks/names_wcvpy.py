"""Names that another WCVP matcher resolved (wcvpy's own test cases): every difference told.

    python benchmarks/names_wcvpy.py [../shared/data/names/gold_wcvpy]

The backbone is made of what its recorded outputs tell: every accepted name, and every matched synonym, whose name is
read off the tool's own `matched_name`. The outputs are the tool's, not a person's.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import pyarrow as pa

from naflora_etl.names.backbone import COLUMNS
from naflora_etl.names.parse import parse_name
from naflora_etl.names.resolve import Resolver

_PUBLICATION = re.compile(r"\s(?:[A-Z][a-z]*\.? [A-Z(].*?|in .*?)\d+.*?\(\d{4}.*?\)\s+")
_YEAR = re.compile(r"\s\d{4}$")
NAMES = {"species_list": "Labelled", "unmatched": "submitted_to_knms"}


def read_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of every recorded output, each with the file it is from and the name that was asked."""
    rows = []
    for path in sorted((folder / "test_outputs").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows.append(row | {"file": path.stem, "asked": row[NAMES.get(path.stem, "Name")]})
    return rows


def make_backbone(rows: list[dict[str, str]]) -> pa.Table:
    """Return accepted names and matched synonyms as a backbone."""
    found: dict[str, dict[str, str | None]] = {}

    def add(name_id: str, text: str, status: str, accepted: str, family: str) -> None:
        name = parse_name(text)
        if name_id not in found and not name.reason:
            found[name_id] = dict.fromkeys(COLUMNS) | {
                "plant_name_id": name_id,
                "accepted_plant_name_id": accepted,
                "taxon_name": name.canonical,
                "taxon_authors": name.authorship,
                "taxon_status": status,
                "taxon_rank": name.rank or "Species",
                "family": family,
                "genus": name.genus,
                "genus_hybrid": "×" if name.genus_hybrid else None,
                "species": name.epithet,
                "species_hybrid": "×" if name.species_hybrid else None,
                "infraspecific_rank": name.infraspecific_rank,
                "infraspecies": name.infraspecific,
            }

    for row in rows:
        if row["accepted_ipni_id"]:
            accepted, family = row["accepted_ipni_id"], row["accepted_family"]
            add(accepted, row["accepted_name_w_author"], "Accepted", accepted, family)
            if row["accepted_species_ipni_id"]:
                species = row["accepted_species_ipni_id"]
                add(species, row["accepted_species_w_author"], "Accepted", species, family)
    for row in rows:
        if row["taxon_status"] not in ("", "Accepted") and row["matched_name"]:
            matched = _YEAR.sub("", _PUBLICATION.sub(" ", row["matched_name"]))
            status = row["taxon_status"]
            add(row["plant_name_id"], matched, status, row["accepted_ipni_id"], row["accepted_family"])
    return pa.Table.from_pylist(list(found.values()), schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def main(folder: Path) -> None:
    """Print the agreement and every difference."""
    rows = read_rows(folder)
    resolver = Resolver(make_backbone(rows), ranks=None)
    agreed = 0
    for row in rows:
        verdict = resolver.resolve(row["asked"], None, row.get("Family"))
        same = (verdict.taxon_id or "") == row["accepted_ipni_id"]
        agreed += same
        if not same:
            own = verdict.taxon_row is not None and resolver.describe((verdict.taxon_row,))
            others = resolver.describe(verdict.alternatives)
            say(
                f"{row['file']}: {row['asked']!r} | wcvpy: {row['accepted_name_w_author'] or 'nothing'} "
                f"({row['matched_by']}, by {row['matched_name']!r}) | here: {own or 'nothing'} "
                f"({verdict.verdict}, {verdict.rule}; {others})"
            )
    say(f"{agreed} of {len(rows)} ({agreed / len(rows):.4f})")


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/names/gold_wcvpy"))
