"""A person's decisions about names: a file of verbatim name, accepted id or `drop`, who and why. It wins."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.names.textfile import decode_text, find_delimiter, read_bytes

DROP = "drop"
COLUMNS = ("name", "accepted_id", "who", "why")
_FEW = 5


@dataclass(frozen=True, slots=True)
class Override:
    """One decision: the name as the list writes it, and the id that it leads to, or `drop`."""

    name: str
    authors: str | None
    accepted_id: str
    who: str
    why: str
    line: int

    @property
    def reason(self) -> str:
        """Who decided, and why, in one string."""
        return ": ".join(part for part in (self.who, self.why) if part) or "no reason told"


class Overrides:
    """The decisions of one file by the verbatim name (spaces aside), and its authors where the file has them."""

    def __init__(self, path: Path, decisions: list[Override]) -> None:
        self.path = path
        self._decisions: dict[tuple[str, str | None], Override] = {}
        for decision in decisions:
            key = decision.name, decision.authors
            if key in self._decisions:
                raise Fault(
                    f"{path}, line {decision.line}: {decision.name!r} was decided in line "
                    f"{self._decisions[key].line} already; keep one of the two."
                )
            self._decisions[key] = decision

    def __iter__(self) -> Iterator[Override]:
        return iter(self._decisions.values())

    def __len__(self) -> int:
        return len(self._decisions)

    def find(self, name: str, authors: str | None = None) -> Override | None:
        """Return the decision on a verbatim name: that on it with these authors, else that on the name alone."""
        bare, by = _squeeze(name), _squeeze(authors or "")
        keys = ((bare, by), (_squeeze(f"{bare} {by}"), None), (bare, None))
        return next((self._decisions[key] for key in keys if key in self._decisions), None)

    def rows(self, wcvp: pa.Table) -> dict[str, int]:
        """Return {id: its row in the backbone}; raises Fault, telling which, if the backbone lacks one."""
        ids = sorted({decision.accepted_id for decision in self} - {DROP})
        places = pc.index_in(pa.array(ids, pa.string()), value_set=wcvp["plant_name_id"].combine_chunks()).to_pylist()
        unknown = {name_id for name_id, place in zip(ids, places, strict=True) if place is None}
        if unknown:
            told = [f"{d.accepted_id} (line {d.line}, {d.name!r})" for d in self if d.accepted_id in unknown]
            more = f" and {len(told) - _FEW} more" if len(told) > _FEW else ""
            raise Fault(
                f"{self.path}: the backbone has no id {', '.join(told[:_FEW])}{more}; "
                f"write the id of an accepted name, or {DROP}."
            )
        return dict(zip(ids, places, strict=True))


def read_overrides(path: str | Path) -> Overrides:
    """Return the decisions in a CSV or TSV with the columns name, accepted_id, who and why (authors, if it has them).

    Rows whose accepted_id is empty decide nothing: a file of reviews may be filled in little by little. Raises Fault
    for missing columns, for a row without a name, and for a name decided twice.
    """
    path = Path(path)
    text, _ = decode_text(read_bytes(path, "the file of overrides"), path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=find_delimiter(text.split("\n", 1)[0]) or ",")
    header = [heading.strip().lower() for heading in next(reader, [])]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise Fault(
            f"{path} has no column {', '.join(missing)}; its columns are: {', '.join(header)}. "
            f"A file of overrides has the columns {', '.join(COLUMNS)}."
        )
    decisions = []
    for row in reader:
        cells = {heading: _squeeze(cell) for heading, cell in zip(header, row, strict=False)}
        if not cells.get("accepted_id"):
            continue
        if not cells["name"]:
            where = f"{path}, line {reader.line_num}"
            raise Fault(f"{where}: an accepted_id without a name; write the name as the list does.")
        accepted = cells["accepted_id"]
        decisions.append(
            Override(
                cells["name"],
                cells.get("authors") or None,
                DROP if accepted.lower() == DROP else accepted,
                cells.get("who", ""),
                cells.get("why", ""),
                reader.line_num,
            )
        )
    return Overrides(path, decisions)


def _squeeze(text: str) -> str:
    return " ".join(text.split())
