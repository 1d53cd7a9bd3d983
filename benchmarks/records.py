"""Archives of any size through `records`: seconds beside DuckDB's bare scan, memory, and the pairing against the truth.

    python benchmarks/records.py 1000000 4000000 8800000 --folder /tmp/records-bench

For each size: `naflora sandbox archive` writes both aggregators' archives, DuckDB reads all columns of all rows
(read_csv, two threads, no more than that), `naflora build --until records` builds, in a process of its own whose CPU
seconds and most memory the kernel tells, and the truth says how many pairs of records of one specimen share its key.
The time is that of the stage alone, as its receipt tells it; the CPU seconds are the whole process's, with its start.
`--selection` goes on to that stage.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, TextIO

import duckdb

from naflora_etl.sandbox.mass_archive import MassFiles, write_mass

HEADINGS = (
    "images", "text GB", "scan s", "scan CPU s", "records s", "records CPU s", "ratio", "CPU ratio", "peak MB", "pairs",
    "precision", "recall",
)  # fmt: skip


def tell(text: object, file: TextIO = sys.stdout) -> None:
    """Write a line at once."""
    file.write(f"{text}\n")
    file.flush()


def main() -> None:
    """Print a table row for each size."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("sizes", type=int, nargs="+")
    asked.add_argument("--folder", type=Path, required=True)
    asked.add_argument("--zip", action="store_true", help="zips instead of folders; the scan reads what was unzipped")
    asked.add_argument("--selection", action="store_true", help="go on to the stage selection")
    asked.add_argument("--keep", action="store_true", help="leave the files")
    options = asked.parse_args()
    tell("| " + " | ".join(HEADINGS) + " |\n|" + " --- |" * len(HEADINGS))
    for size in options.sizes:
        folder = options.folder / str(size)
        started = time.monotonic()
        files = write_mass(folder / ("big.zip" if options.zip else "big"), size)
        tell(f"written in {time.monotonic() - started:.0f} s", file=sys.stderr)
        tell("| " + " | ".join(measure(size, files, folder, options)) + " |")
        if not options.keep:
            shutil.rmtree(folder)


def measure(size: int, files: MassFiles, folder: Path, options: argparse.Namespace) -> list[str]:
    """Return the cells of one size."""
    work = folder / "work"
    build(files.recipe, work, "harvest")
    if options.zip:
        for path in (files.gbif, files.idigbio):
            shutil.unpack_archive(path, path.with_suffix(""))
    folders = (files.gbif.with_suffix(""), files.idigbio.with_suffix(""))
    texts = [path for place in folders for path in sorted(place.glob("*.[ct][sx][vt]"))]
    shutil.rmtree(work / "tables/records", ignore_errors=True)  # of files that were kept; it would be found unchanged
    scan_s, scan_cpu_s = scan(texts)
    cpu_s, peak_bytes = build(files.recipe, work, "records")
    receipt = json.loads((work / "tables/records/receipt.json").read_text())
    tell({name: receipt[name] for name in ("rows", "clean", "issues", "seconds")}, file=sys.stderr)
    pairs, precision, recall = judge(work, files, receipt)
    if options.selection:
        peak = build(files.recipe, work, "selection").peak_bytes
        told = json.loads((work / "tables/selection/receipt.json").read_text())
        tell(f"selection: {told['rows']:,} rows, {told['seconds']:.0f} s, {peak / 1e6:,.0f} MB", file=sys.stderr)
    return [
        f"{size:,}", f"{sum(path.stat().st_size for path in texts) / 1e9:.2f}", f"{scan_s:.1f}", f"{scan_cpu_s:.1f}",
        f"{receipt['seconds']:.1f}", f"{cpu_s:.1f}", f"{receipt['seconds'] / scan_s:.2f}", f"{cpu_s / scan_cpu_s:.2f}",
        f"{peak_bytes / 1e6:,.0f}", f"{pairs:,}", f"{precision:.6f}", f"{recall:.6f}",
    ]  # fmt: skip


def scan(texts: list[Path]) -> tuple[float, float]:
    """Return the seconds, and the CPU seconds, in which DuckDB reads every column of every row."""
    seconds, cpu = time.monotonic(), time.process_time()
    for path in texts:
        with duckdb.connect(config={"threads": 2}) as connection:
            marks = "delim='\t', quote=''" if path.suffix == ".txt" else "delim=',', quote='\"'"
            connection.sql(
                f"select count(*), sum(length(columns(*))) from read_csv('{path}', {marks}, header=true, "
                "all_varchar=true, ignore_errors=true, strict_mode=false, max_line_size=10000000)"
            ).fetchall()
    return time.monotonic() - seconds, time.process_time() - cpu


class Used(NamedTuple):
    """What a process took."""

    cpu_s: float
    peak_bytes: int


def build(recipe: Path, work: Path, until: str) -> Used:
    """Build up to a stage in a process of its own, which the kernel measures: a watch would take cores from it."""
    command = [sys.executable, "-m", "naflora_etl", "build", str(recipe), "--until", until, "--work", str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"naflora build --until {until} failed:\n{told}")
    return Used(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def judge(work: Path, files: MassFiles, receipt: dict[str, list[str]]) -> tuple[int, float, float]:
    """Return (true pairs, precision, recall) over pairs of one record each of GBIF and iDigBio."""
    parts = [str(work / "tables/records" / part.split(":")[0]) for part in receipt["parts"]]
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(work / "judging")}) as db:
        db.sql(f"""
            create table told as select distinct t.aggregator, r.source_record_id, hash(specimen_key) as said, specimen
            from read_parquet({parts}) r join read_csv('{files.truth}', all_varchar=true) t
                on t.record_id = r.source_record_id""")
        counts = db.sql("""
            with said as (select said, specimen, count(*) filter (aggregator = 'gbif') as g,
                    count(*) filter (aggregator = 'idigbio') as i from told group by all)
            select (select sum(g * i) from (select sum(g) as g, sum(i) as i from said group by specimen)),
                (select sum(g * i) from (select sum(g) as g, sum(i) as i from said group by said)),
                (select sum(g * i) from said),
                (select count(*) from (select said from said group by said having count(distinct specimen) > 1))
            """).fetchall()[0]
        silent = db.sql(f"""
            select count(*) from (select hash(specimen_key) as said, bool_or(flags is not null) as is_flagged
                from read_parquet({parts}) group by said)
            where not is_flagged and said in (select said from told group by said having count(distinct specimen) > 1)
            """).fetchall()[0]
    true, told, right, merged = (int(count) for count in counts)
    tell(f"keys of several specimens: {merged}, of them without a flag: {silent[0]}", file=sys.stderr)
    return true, right / told, right / true


if __name__ == "__main__":
    main()
