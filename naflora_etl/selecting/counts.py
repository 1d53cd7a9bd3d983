"""The counts that servers are chosen by: one row a species and host, looked through before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault

NAMES = {"species": ("species", "taxon_id"), "host": ("host",), "n": ("n",)}
MOST_IMAGES = 2**31 - 1


@dataclass(frozen=True)
class Counts:
    """Sound counts: species, host (text), n (1 or more), each pair once, sorted by host; and what was odd in them."""

    table: pa.Table
    remarks: tuple[str, ...]


def sound_counts(given: pa.Table, first_line: int = 1) -> Counts:
    """Return the counts of a long table with the columns species (or taxon_id), host and n (unique images).

    Rows of no images are left out; a species that has no others is told of in a remark. `first_line` is what the first
    row is called in a fault. Raises Fault for missing columns, and for counts that are missing, negative, not whole,
    or there twice.
    """
    table = _named(given)
    species, host = (_as_text(table[name]) for name in ("species", "host"))
    n = _as_number(table["n"])
    rows = _Rows(species, host, table["n"], first_line)
    rows.refuse(pc.is_null(species), "has no species; name it, or remove the row")
    rows.refuse(pc.and_(pc.is_valid(table["n"]), pc.is_null(n)), "has n = {n}, which is no number")
    rows.refuse(pc.and_(pc.is_null(n), pc.is_valid(host)), "has no n; give the number of images, or remove the row")
    n = pc.fill_null(n, 0.0)
    rows.refuse(pc.less(n, 0), "has n = {n}; a number of images is not negative")
    rows.refuse(pc.or_(pc.not_equal(n, pc.floor(n)), pc.is_nan(n)), "has n = {n}; a number of images is whole")
    rows.refuse(pc.greater(n, MOST_IMAGES), "has n = {n}, more images than a server can have")
    rows.refuse(pc.and_(pc.is_null(host), pc.greater(n, 0)), "has {n} images and no host; name the host")
    sound = pa.table({"species": species, "host": host, "n": n.cast(pa.int64())})
    pairs = sound.filter(pc.is_valid(host)).group_by(["species", "host"]).aggregate([([], "count_all")])
    twice = pairs.filter(pc.greater(pairs["count_all"], 1)).sort_by([("species", "ascending"), ("host", "ascending")])
    if len(twice):
        first = twice.slice(0, 1).to_pylist()[0]
        raise Fault(
            f'The counts hold species "{first["species"]}" on {first["host"]} {first["count_all"]} times; add those '
            "rows up first."
        )
    used = sound.filter(pc.greater(sound["n"], 0)).sort_by([("host", "ascending"), ("species", "ascending")])
    return Counts(used, tuple(_remarks(sound, used)))


def _named(given: pa.Table) -> pa.Table:
    """Return the three columns under their own names."""
    found = {
        name: next((c for other in others for c in given.column_names if c.strip().lower() == other), None)
        for name, others in NAMES.items()
    }
    missing = [name for name, column in found.items() if column is None]
    if missing:
        has = ", ".join(given.column_names) if given.num_columns else "no columns at all"
        raise Fault(
            f"The counts have no column {' and no column '.join(missing)}; found: {has}. They need species (or "
            "taxon_id), host and n."
        )
    return pa.table({name: given[column] for name, column in found.items()})


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as text; what is empty is null."""
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _as_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as floating-point numbers; null where there is none. Whole numbers up to 2**53 stay exact."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return column.cast(pa.float64(), safe=False)
    text = _as_text(column)
    looks = pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    return pc.if_else(looks, text, pa.scalar(None, pa.string())).cast(pa.float64())


@dataclass(frozen=True)
class _Rows:
    species: pa.ChunkedArray
    host: pa.ChunkedArray
    n: pa.ChunkedArray
    first_line: int

    def refuse(self, bad: pa.ChunkedArray, why: str) -> None:
        """Raise Fault for the first row that is bad, and say how many are."""
        places = pc.indices_nonzero(pc.fill_null(bad, False))
        if not len(places):
            return
        at = places[0].as_py()
        n, species, host = (column[at].as_py() for column in (self.n, self.species, self.host))
        who = ", ".join(f'{name} "{value}"' for name, value in (("species", species), ("host", host)) if value)
        more = f" {len(places)} rows are like it." if len(places) > 1 else ""
        place = f"line {at + self.first_line}" + (f" ({who})" if who else "")
        raise Fault(f"The counts, {place}: the row {why.format(n=n)}.{more}")


def _remarks(sound: pa.Table, used: pa.Table) -> list[str]:
    """Return a sentence for each odd thing that harms nothing."""
    remarks = []
    everyone, hosted = pc.unique(sound["species"]), pc.unique(used["species"])
    homeless = everyone.filter(pc.invert(pc.is_in(everyone, hosted))).sort()
    if len(homeless) == 1:
        remarks.append(f'1 species has no image on any server ("{homeless[0].as_py()}"); no choice reaches it.')
    elif len(homeless):
        remarks.append(
            f'{len(homeless)} species have no image on any server (the first is "{homeless[0].as_py()}"); no choice '
            "reaches them."
        )
    hosts = pc.unique(used["host"])
    if len(hosts) == 1:
        remarks.append(f"There is one server only, {hosts[0].as_py()}; there is nothing to choose.")
    if not len(used):
        remarks.append("The counts hold no image at all; no server can be chosen.")
    return remarks
