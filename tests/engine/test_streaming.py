"""A stage that yields its table in parts: each is checked as it comes, of the whole only the keys are remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel

from naflora_etl.engine import build, promises
from naflora_etl.engine.build import Site, build_stage
from naflora_etl.engine.contracts import Contract
from naflora_etl.engine.promises import BrokenPromise
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.workspace import Workspace

TYPES = {"key": "integer", "word": "string", "issue": "string"}
FIELDS = tuple({"name": name, "type": kind} for name, kind in TYPES.items())


class Nothing(BaseModel):
    """A section without knobs."""


class Recipe(BaseModel):
    """A recipe of two stages."""

    given: Nothing = Nothing()
    streamed: Nothing = Nothing()


def part(*keys: int, issue: str | None = None) -> pa.Table:
    words = [f"w{key}" for key in keys]
    return pa.table({"key": list(keys), "word": words, "issue": pa.array([issue] * len(keys), pa.string())})


GIVEN = Stage("given", reads=(), run=lambda *, options: part(1, 2, 3))


def streaming(*parts: pa.Table) -> Stage:
    def run(given: pa.Table, *, options: Nothing) -> Iterator[pa.Table]:
        assert given.column_names == ["key"], "no other column was asked for"
        yield from parts

    return Stage("streamed", ("given",), run, streams=True, accounts_for="key", columns={"given": ["key"]})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for module in (build, promises):
        monkeypatch.setattr(module, "read_contract", lambda name: Contract(name, "", FIELDS, ("key",), "1"))
    made = Site(Workspace(str(tmp_path)), Recipe())
    build_stage(GIVEN, made)
    return made


def test_its_parts_are_one_table(site: Site) -> None:
    receipt = build_stage(streaming(part(3), part(1, issue="NO_IMAGE"), part(2)), site)
    assert [name.split(":")[0].split("/")[1] for name in receipt.parts] == [
        "part-00000-0000.parquet", "part-00000-0001.parquet", "part-00000-0002.parquet",
    ]  # fmt: skip
    assert (receipt.given, receipt.rows, receipt.clean, receipt.issues) == (3, 3, 2, {"NO_IMAGE": 1})
    receipts = Receipts(site.workspace)
    assert receipts.table("streamed")["key"].to_pylist() == [3, 1, 2]
    assert receipts.table("streamed", ["word"], clean=True).to_pydict() == {"word": ["w3", "w2"]}
    assert build_stage(streaming(), site) == receipt, "unchanged"


BROKEN: dict[str, tuple[list[pa.Table], str]] = {
    "a key in two parts": ([part(1, 2), part(2, 3)], "streamed: 1 primary keys stand in more than one part."),
    "a key that does not come back": ([part(1), part(2)], "streamed: 1 of 3 given key did not come back, first 3."),
    "a part that breaks the contract": ([part(1), part(2, 3).drop_columns("word")], "column word is missing"),
}


@pytest.mark.parametrize(("parts", "sentence"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_its_promise_is_no_table(site: Site, parts: list[Any], sentence: str) -> None:
    with pytest.raises(BrokenPromise) as told:
        build_stage(streaming(*parts), site)
    assert sentence in str(told.value)
    assert Receipts(site.workspace).find("streamed") is None


def test_a_damaged_part_makes_the_stage_run_again(site: Site) -> None:
    receipt = build_stage(streaming(part(1, 2), part(3)), site)
    path = next(Receipts(site.workspace).parts(receipt))
    site.workspace.write(path, b"no Parquet")
    assert build_stage(streaming(part(1, 2), part(3)), site).parts == receipt.parts
    assert Receipts(site.workspace).table("streamed").num_rows == 3
