"""Names that the backbone lacks: how often the matcher takes another one for them. Every such match is looked at.

    python -m benchmarks.names_stranger [--names 20000] [--seed 1] [../shared/data/names/tpl11]

A sample of names is taken out of the backbone (The Plant List, the genera of North America: 762,000 rows), then asked
for, with their authors and without. Nothing should be found; what is found anyway is right if it leads to the taxon
that the name itself led to (spelling variants that the list has as synonyms), else wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.names_speed import TPL
from naflora_etl.engine.tables import clean_rows
from naflora_etl.names.backbone import read_backbone
from naflora_etl.names.resolve import Resolver


def main() -> None:
    """Print, for names with authors and without, each rule's matches, right and wrong."""
    options = argparse.ArgumentParser()
    options.add_argument("folder", nargs="?", default="../shared/data/names/tpl11")
    options.add_argument("--names", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--show", type=int, default=0)
    given = options.parse_args()
    (path,) = Path(given.folder).glob("*.parquet")
    whole = clean_rows(read_backbone(path, TPL))
    names = whole["taxon_name"].to_pylist()
    chosen = set(random.Random(given.seed).sample(sorted(set(names)), given.names))
    gone = np.array([name in chosen for name in names])
    rest = whole.filter(pa.array(~gone))
    # A taxon whose own row is gone is not to be found, either; its id still tells whether two names are one taxon.
    resolver = Resolver(rest, ranks=None, infraspecific="set_aside")
    asked = whole.filter(pa.array(gone)).to_pylist()
    for with_authors in (True, False):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        shown = 0
        for row in asked:
            verdict = resolver.resolve(row["taxon_name"], row["taxon_authors"] if with_authors else None)
            if verdict.row is None:
                counts["not taken"][verdict.verdict] += 1
                continue
            found = rest["accepted_plant_name_id"][verdict.row].as_py()
            right = found is not None and found == row["accepted_plant_name_id"]
            counts[verdict.rule]["right" if right else "wrong"] += 1
            if not right and shown < given.show:
                shown += 1
                own = f"{row['taxon_name']} {row['taxon_authors']} ({row['taxon_status']})"
                other = f"{rest['taxon_name'][verdict.row]} {rest['taxon_authors'][verdict.row]}"
                say(f"  {verdict.rule}: {own} | {other} ({rest['taxon_status'][verdict.row]})")
        taken = sum(sum(count.values()) for rule, count in counts.items() if rule != "not taken")
        wrong = sum(count["wrong"] for count in counts.values())
        say(f"{'with' if with_authors else 'without'} authors: of {len(asked)} names {taken} taken, {wrong} wrong")
        for rule, count in counts.items():
            say(f"  {rule}: {dict(count)}")


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
