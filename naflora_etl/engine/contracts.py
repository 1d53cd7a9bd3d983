"""The contracts in schemas/*.json (Frictionless Table Schema), enforced at every write.

Checked here in Arrow rather than by the frictionless library, which reads row by row: a hundred times slower on
millions of rows. The tests hold the JSON files themselves against that library.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.resources import resource_folder
from naflora_etl.issues import ISSUES

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True)
class Contract:
    """What a table promises: its columns, their types and constraints, and its primary key."""

    name: str
    description: str
    fields: tuple[dict[str, Any], ...]
    primary_key: tuple[str, ...]
    digest: str

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema that a table under this contract has."""
        return pa.schema([pa.field(field["name"], ARROW_TYPES[field["type"]]) for field in self.fields])

    def without(self, *names: str) -> Contract:
        """Return what this contract promises of the other columns."""
        return replace(self, fields=tuple(field for field in self.fields if field["name"] not in names))

    def only(self, *names: str) -> Contract:
        """Return what this contract promises of some columns, one by one."""
        fields = tuple(field for field in self.fields if field["name"] in names)
        return replace(self, fields=fields, primary_key=())

    def empty(self) -> pa.Table:
        """Return the table without rows."""
        return self.arrow_schema.empty_table()


@cache
def read_contract(name: str) -> Contract:
    """Read schemas/<name>.json; KeyError when there is none."""
    path = resource_folder("schemas") / f"{name}.json"
    if not path.is_file():
        raise KeyError(f"no contract {name} in {path.parent}")
    text = path.read_text(encoding="utf-8")
    schema = json.loads(text)
    key = schema.get("primaryKey", [])
    return Contract(
        name=name,
        description=schema["description"],
        fields=tuple(schema["fields"]),
        primary_key=(key,) if isinstance(key, str) else tuple(key),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def conform(table: pa.Table, contract: Contract) -> pa.Table:
    """Return `table` with the contract's column order and types; as it is where that would lose anything."""
    schema = contract.arrow_schema
    if set(table.column_names) != set(schema.names):
        return table
    try:
        return table.select(schema.names).cast(schema.with_metadata(table.schema.metadata))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return table


def check_table(table: pa.Table, contract: Contract) -> list[str]:
    """Return every way in which `table` breaks `contract`, each a sentence with its place; empty when it holds."""
    expected, found = contract.arrow_schema.names, table.column_names
    if set(expected) != set(found):
        return [f"{contract.name}: column {name} is missing." for name in expected if name not in found] + [
            f"{contract.name}: column {name} is not in schemas/{contract.name}.json." for name in found
            if name not in expected
        ]
    faults = []
    for field in contract.fields:
        column = table[field["name"]]
        if not column.type.equals(ARROW_TYPES[field["type"]]):
            faults.append(
                f"{contract.name}: column {field['name']} is {column.type}, not {ARROW_TYPES[field['type']]}."
            )
            continue
        faults += [f"{contract.name}: column {field['name']}: {fault}" for fault in _broken_constraints(column, field)]
    return faults + _broken_key(table, contract)


def _broken_constraints(column: pa.ChunkedArray, field: dict[str, Any]) -> list[str]:
    constraints, faults = field.get("constraints", {}), []
    if constraints.get("required") and column.null_count:
        faults.append(f"{column.null_count} values are missing, and it is required.")
    allowed = list(ISSUES) if field["name"] == "issue" else constraints.get("enum")
    if allowed is not None:
        faults += _told(pc.invert(pc.is_in(column, pa.array(allowed))), column, f"are not one of {', '.join(allowed)}")
    if "pattern" in constraints:
        matches = pc.match_substring_regex(column, f"^(?:{constraints['pattern']})$")
        faults += _told(pc.invert(matches), column, f"do not match {constraints['pattern']}")
    return faults


def _told(broken: pa.ChunkedArray, column: pa.ChunkedArray, what: str) -> list[str]:
    bad = column.filter(pc.and_(pc.fill_null(broken, False), pc.is_valid(column)))
    return [f'{len(bad)} values {what}, first "{bad[0].as_py()}".'] if len(bad) else []


def _broken_key(table: pa.Table, contract: Contract) -> list[str]:
    if not contract.primary_key or any(key not in table.column_names for key in contract.primary_key):
        return []
    if len(contract.primary_key) == 1 and _ascends(table[contract.primary_key[0]]):
        return []  # as tables mostly come; it costs a tenth of counting
    counts = table.group_by(list(contract.primary_key)).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1))
    if not twice.num_rows:
        return []
    first = ", ".join(str(twice[key][0].as_py()) for key in contract.primary_key)
    return [f"{contract.name}: {twice.num_rows} primary keys stand more than once, first {first}."]


def _ascends(column: pa.ChunkedArray) -> bool:
    """Return whether each value is greater than the one before; a column of nothing but nulls has no order."""
    if pa.types.is_null(column.type) or pa.types.is_nested(column.type):
        return False
    values = column.combine_chunks()
    is_more = pc.greater(values.slice(1), values.slice(0, max(0, len(values) - 1)))
    return bool(pc.all(is_more, skip_nulls=False, min_count=0).as_py())
