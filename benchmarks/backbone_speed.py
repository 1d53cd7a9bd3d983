"""How long a backbone of WCVP's size takes to load, first and again, and the most memory it takes.

    python benchmarks/backbone_speed.py make wcvp.zip --rows 1400000     a seeded table in WCVP's own layout
    python benchmarks/backbone_speed.py read wcvp.zip                    first, then from the cache, each in a process
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HEADER = (
    "plant_name_id|ipni_id|taxon_rank|taxon_status|family|genus_hybrid|genus|species_hybrid|species|infraspecific_rank|"
    "infraspecies|parenthetical_author|primary_author|publication_author|place_of_publication|volume_and_page|"
    "first_published|nomenclatural_remarks|geographic_area|lifeform_description|climate_description|taxon_name|"
    "taxon_authors|accepted_plant_name_id|basionym_plant_name_id|replaced_synonym_author|homotypic_synonym|"
    "parent_plant_name_id|powo_id|hybrid_formula|reviewed"
)
SYLLABLES = (
    *("ba", "ca", "dri", "el", "fo", "gla", "hy", "is", "lo", "ma", "ni", "or", "pu"),
    *("ri", "ste", "tra", "um", "ve", "xan", "zi", "phy", "lle", "cor", "mo", "la", "ta"),
)
READ = """
import json, resource, sys, time
from pathlib import Path
from naflora_etl.names.backbone import read_backbone
began, cpu = time.perf_counter(), time.process_time()
table = read_backbone(Path(sys.argv[1]), {})
print(json.dumps({"rows": len(table), "wall_s": round(time.perf_counter() - began, 2),
    "cpu_s": round(time.process_time() - cpu, 2), "table_mb": round(table.nbytes / 1e6),
    "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}))
"""


def word(chance: random.Random, ending: str) -> str:
    """Return a Latin-looking word."""
    return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) + ending


def rows(count: int) -> list[str]:
    """Return the lines of the table: 15,000 genera, a third of the names accepted, as WCVP has them."""
    chance = random.Random(1)
    genera = [(word(chance, "a").capitalize(), word(chance, "aceae").capitalize()) for _ in range(15_000)]
    people = [f"{chance.choice('ABCDEFGHJKLMNPRSTW')}.{word(chance, '').capitalize()}" for _ in range(20_000)]
    lines = [HEADER]
    for at in range(1, count + 1):
        genus, family = genera[int(len(genera) * chance.random() ** 2)]
        species, author, first = word(chance, "us"), chance.choice(people), chance.choice(people)
        infra = word(chance, "us") if chance.random() < 0.2 else ""
        rank = ("Variety", "var.") if infra else ("Species", "")
        kind = chance.random()
        status = "Accepted" if kind < 0.31 else "Unplaced" if kind > 0.97 else "Synonym"
        accepted = at if status == "Accepted" else "" if status == "Unplaced" else chance.randint(1, count)
        name = f"{genus} {species} var. {infra}" if infra else f"{genus} {species}"
        moved = chance.random() < 0.4
        authors = f"({first}) {author}" if moved else author
        lines.append(
            f"{at}|{at}-1|{rank[0]}|{status}|{family}||{genus}||{species}|{rank[1]}|{infra}|{first if moved else ''}|"
            f'{author}||Nordic "J. Bot.|{chance.randint(1, 99)}: {chance.randint(1, 999)}|(1985)||Mexico to Peru|'
            f"annual|temperate|{name}|{authors}|{accepted}|||{'T' if moved else ''}||{at}-1||Y"
        )
    return lines


def make(path: Path, count: int) -> None:
    """Write the table, into a zip if the path says so, as Kew does."""
    text = "\n".join(rows(count)) + "\n"
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("wcvp_names.csv", text)
            archive.writestr("README_WCVP.txt", "World Checklist of Vascular Plants, version 14")
    else:
        path.write_text(text, encoding="utf-8")


def read(path: Path) -> None:
    """Read it twice with an empty cache, each time in a process of its own, and print what it took."""
    with tempfile.TemporaryDirectory() as cache:
        for when in ("first", "again"):
            command = ["env", f"NAFLORA_CACHE={cache}", sys.executable, "-c", READ, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            sys.stdout.write(f"{when}: {json.dumps(json.loads(done.stdout))}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "read"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=1_400_000)
    given = parser.parse_args()
    if given.what == "make":
        make(given.path, given.rows)
    else:
        read(given.path)
