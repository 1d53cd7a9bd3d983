"""NAFlora's own standardisation (39,144 CVPA names to WCVP v5) against the matcher, difference by difference.

    python benchmarks/names_cvpa.py [../shared/data/names/gold_cvpa_to_wcvp5.tsv] [--show 10]

The backbone is what the result allows: its 31,685 accepted names, and no synonyms, since the result does not tell which
name was matched. A name that the authors followed to a name of other words is therefore a synonym that this backbone
lacks; all that can be asked of it is that no other taxon be taken for it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa

from naflora_etl.names.backbone import COLUMNS
from naflora_etl.names.parse import ParsedName, parse_name
from naflora_etl.names.resolve import Resolver
from naflora_etl.names.spelling import fold_word, stem_epithet


def make_backbone(names: list[str]) -> pa.Table:
    """Return accepted names as a backbone."""
    rows = []
    for name in names:
        parsed = parse_name(name)
        rows.append(
            dict.fromkeys(COLUMNS)
            | {
                "plant_name_id": name,
                "accepted_plant_name_id": name,
                "taxon_name": parsed.canonical,
                "taxon_authors": parsed.authorship,
                "taxon_status": "Accepted",
                "taxon_rank": parsed.rank or "Species",
                "genus": parsed.genus or "?",
                "genus_hybrid": "×" if parsed.genus_hybrid else None,
                "species": parsed.epithet,
                "species_hybrid": "×" if parsed.species_hybrid else None,
                "infraspecific_rank": parsed.infraspecific_rank,
                "infraspecies": parsed.infraspecific,
            }
        )
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def is_same_name(one: ParsedName, other: ParsedName) -> bool:
    """Say whether two names have the same words, by Latin spelling, down to the species at least."""
    same = fold_word(one.genus) == fold_word(other.genus)
    return same and stem_epithet(fold_word(one.epithet or "")) == stem_epithet(fold_word(other.epithet or ""))


def main() -> None:
    """Print each class of agreement and difference with its count, by rule, and examples."""
    options = argparse.ArgumentParser()
    options.add_argument("path", nargs="?", default="../shared/data/names/gold_cvpa_to_wcvp5.tsv")
    options.add_argument("--show", type=int, default=0)
    given = options.parse_args()
    lines = Path(given.path).read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    resolver = Resolver(make_backbone(sorted({row[1] for row in rows if row[1]})), ranks=None)
    classes: dict[str, Counter[str]] = defaultdict(Counter)
    examples: dict[tuple[str, str], list[str]] = defaultdict(list)
    for asked, accepted, _ in rows:
        verdict = resolver.resolve(asked)
        if verdict.taxon_id == (accepted or None):
            what = "same taxon" if accepted else "both unresolved"
        elif not accepted:
            what = "unresolved there, taken here"
        elif is_same_name(parse_name(asked), parse_name(accepted)):
            what = "the same name, not taken here" if verdict.taxon_id is None else "the same name, another taxon here"
        else:
            what = "a synonym there, not taken here" if verdict.taxon_id is None else "a synonym there, taken here"
        how = verdict.rule if verdict.taxon_id else verdict.verdict
        classes[what][how] += 1
        examples[what, how].append(f"{asked} | {accepted or 'unresolved'} | {verdict.taxon_id or verdict.verdict}")
    for what, counts in sorted(classes.items(), key=lambda item: -item[1].total()):
        say(f"{what}: {counts.total()} ({counts.total() / len(rows):.4f}) {dict(counts.most_common())}")
        for how in counts:
            for example in examples[what, how][:: max(1, len(examples[what, how]) // max(given.show, 1))][: given.show]:
                say(f"    {how}: {example}")


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
