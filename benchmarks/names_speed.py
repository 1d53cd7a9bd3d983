"""A whole checklist against a whole backbone, as the command does it: seconds of processor, memory, growth with rows.

    python benchmarks/names_speed.py [../shared/data] [--names 58000] [--rows 10000,100000,762000]

The list is made of the Tropicos, BoCP and USDA checklists; the backbone is The Plant List (762,000 rows) and, for the
growth, its first rows. Each run is `naflora match` in a process of its own, cold start, fuzzy matching and writing
included.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from naflora_etl.engine.tables import clean_rows, parquet_bytes, read_parquet
from naflora_etl.names.checklist import read_checklists
from naflora_etl.names.tablefile import write_table
from naflora_etl.recipe import ChecklistOptions

TPL = {
    "plant_name_id": "ID",
    "ipni_id": "IPNI id",
    "family": "Family",
    "genus_hybrid": "Genus hybrid marker",
    "genus": "Genus",
    "species_hybrid": "Species hybrid marker",
    "species": "Species",
    "infraspecific_rank": "Infraspecific rank",
    "infraspecies": "Infraspecific epithet",
    "taxon_authors": "Authorship",
    "taxon_status": "Taxonomic status in TPL",
    "accepted_plant_name_id": "Accepted ID",
}


def make_list(data: Path, count: int, path: Path) -> int:
    """Write the first `count` different names of the three checklists; return how many there are."""
    paths = [*sorted((data / "checklist").glob("*.dat")), *sorted((data / "checklist").glob("*.csv"))]
    table = clean_rows(read_checklists(paths, ChecklistOptions()))
    columns = table["scientificName"].to_pylist(), table["scientificNameAuthorship"].to_pylist()
    pairs = list(dict.fromkeys(zip(*columns, strict=True)))[:count]
    names, authors = zip(*pairs, strict=True)
    write_table(pa.table({"scientificName": names, "author": pa.array(authors, pa.string())}), path)
    return len(pairs)


def run_match(names: Path, backbone: Path, out: Path) -> tuple[float, float, float]:
    """Return (wall seconds, processor seconds, peak MB) of one `naflora match`."""
    command = [sys.executable, "-m", "naflora_etl", "match", str(names), "--backbone", str(backbone), "--out", str(out)]
    for column, own in TPL.items():
        command += ["--mapping", f"{column}={own}"]
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"naflora match ended with {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print a line for each size of backbone."""
    options = argparse.ArgumentParser()
    options.add_argument("data", nargs="?", default="../shared/data")
    options.add_argument("--names", type=int, default=58_000)
    options.add_argument("--rows", default="10000,100000,762000")
    given = options.parse_args()
    data = Path(given.data)
    (whole,) = (data / "names/tpl11").glob("*.parquet")
    with tempfile.TemporaryDirectory() as folder:
        names, out = Path(folder) / "names.csv", Path(folder) / "matched.parquet"
        count = make_list(data, given.names, names)
        for rows in map(int, given.rows.split(",")):
            table = read_parquet(whole)
            backbone = Path(folder) / f"{rows}.parquet"
            backbone.write_bytes(parquet_bytes(table.slice(0, rows)))
            del table
            wall, processor, memory = run_match(names, backbone, out)
            figures = f"{wall:.1f} s, {processor:.1f} s of processor, {memory:.0f} MB"
            say(f"{count:,} names, {rows:,} rows: {figures}")


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
