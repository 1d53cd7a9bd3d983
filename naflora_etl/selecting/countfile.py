"""Counts from a file or from a build's records: Parquet or CSV in, a long table of species, host and n out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet


def read_counts(path: Path) -> tuple[pa.Table, int]:
    """Return the table of a .parquet, .csv or .tsv file, and the number of its first row as an editor shows it.

    Text stays text, so that a species named 007 keeps its zeros. Raises Fault for a file that is not there, is empty,
    or cannot be read.
    """
    if not path.is_file():
        raise Fault(f"{path}: no such file; give a long table of species, host and n as Parquet or CSV.")
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head.strip():
        raise Fault(f"{path} is empty; it needs a heading line (species, host, n) and a row for each count.")
    try:
        if head.startswith(b"PAR1"):
            return read_parquet(path), 1
        heading = head.decode("utf-8-sig", errors="replace").splitlines()[0]
        marks = "\t" if path.suffix == ".tsv" or "\t" in heading else ";" if heading.count(";") > 1 else ","
        names = next(iter(pv.open_csv(path, parse_options=pv.ParseOptions(delimiter=marks)))).schema.names
        table = pv.read_csv(
            path,
            parse_options=pv.ParseOptions(delimiter=marks, newlines_in_values=True),
            convert_options=pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True),
        )
        return table, 2
    except StopIteration:
        return pa.table({name.strip(): pa.array([], pa.string()) for name in heading.split(marks)}), 2
    except (pa.ArrowException, UnicodeDecodeError) as error:
        why = "".join(c if c.isprintable() else "?" for c in (str(error).splitlines() or [""])[0]).rstrip(". ")
        raise Fault(f"{path} cannot be read as a table: {why}.") from None


def count_records(records: pa.Table) -> pa.Table:
    """Return the unique images of each taxon_id and host, as n, of a table with a row per unique image."""
    counted = records.group_by(["taxon_id", "host"]).aggregate([([], "count_all")])
    return counted.rename_columns(["taxon_id", "host", "n"]).filter(pc.is_valid(counted["taxon_id"]))
