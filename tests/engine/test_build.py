"""The five verbs: skip, slice, run, check, commit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, ConfigDict

from naflora_etl.engine import build as build_module
from naflora_etl.engine import promises
from naflora_etl.engine.build import Site, build_stage
from naflora_etl.engine.contracts import Contract
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.promises import BrokenPromise
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.workspace import Workspace

CALLS: list[list[int]] = []
BREAK_AT: set[int] = set()
TROUBLED: set[int] = set()


class Options(BaseModel):
    model_config = ConfigDict(frozen=True)
    count: int = 6
    size: int = 2
    spoil: str = ""


class Toy(BaseModel):
    model_config = ConfigDict(frozen=True)
    numbers: Options = Options()
    doubles: Options = Options()


def make_numbers(*, options: Options) -> pa.Table:
    return pa.table({"key": list(range(options.count)), "group": [f"g{n // 2}" for n in range(options.count)],
                     "issue": pa.array([None] * options.count, pa.string())})


def make_doubles(numbers: pa.Table, *, options: Options) -> pa.Table:
    keys = numbers["key"].to_pylist()
    CALLS.append(keys)
    if BREAK_AT & set(keys):
        raise KeyboardInterrupt
    issues = ["HOST_TROUBLE" if key in TROUBLED else None for key in keys]
    table = pa.table({"key": keys, "double": [2 * key for key in keys], "issue": pa.array(issues, pa.string())})
    return {
        "": table,
        "lose a row": table.slice(1),
        "unknown issue": table.set_column(2, "issue", pa.array(["NO_SUCH_ISSUE"] * len(keys))),
        "missing column": table.drop_columns(["double"]),
        "extra column": table.append_column("more", pa.array(keys)),
        "doubled key": pa.concat_tables([table, table]),
        "missing value": table.set_column(1, "double", pa.array([None] * len(keys), pa.int64())),
        "text for numbers": table.set_column(1, "double", pa.array(["x"] * len(keys))),
    }[options.spoil]


NUMBERS = Stage("numbers", reads=(), run=make_numbers)
DOUBLES = Stage("doubles", reads=("numbers",), run=make_doubles, slice_by="group", rows_per_slice="size",
                accounts_for="key", transient=frozenset({"HOST_TROUBLE"}))


def field(name: str, kind: str, **constraints: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "constraints": constraints}


CONTRACTS = {
    "numbers": Contract("numbers", "", (field("key", "integer"), field("group", "string"), field("issue", "string")),
                        ("key",), "1"),
    "doubles": Contract("doubles", "", (field("key", "integer"), field("double", "integer", required=True),
                                        field("issue", "string")), ("key",), "1"),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(build_module, "read_contract", CONTRACTS.__getitem__)
    monkeypatch.setattr(promises, "read_contract", CONTRACTS.__getitem__)
    for state in (CALLS, BREAK_AT, TROUBLED):
        state.clear()

    def make(told: list[tuple[str, bool]] | None = None, **doubles: Any) -> Site:
        told = [] if told is None else told
        return Site(Workspace(str(tmp_path)), Toy(doubles=Options(**doubles)),
                    tell=lambda receipt, unchanged: told.append((receipt.stage, unchanged)))

    return make


def run(site: Site) -> dict[str, list[Any]]:
    build_stage(NUMBERS, site)
    build_stage(DOUBLES, site)
    return Receipts(site.workspace).table("doubles").to_pydict()


def test_a_stage_runs_once_and_is_unchanged_the_second_time(site: Any) -> None:
    told: list[tuple[str, bool]] = []
    made = run(site(told))
    assert made["double"] == [0, 2, 4, 6, 8, 10]
    assert run(site(told)) == made
    assert told == [("numbers", False), ("doubles", False), ("numbers", True), ("doubles", True)]
    assert CALLS == [[0, 1], [2, 3], [4, 5]]


def test_a_changed_option_runs_it_again_and_removes_the_old_parts(site: Any, tmp_path: Path) -> None:
    run(site())
    run(site(size=4))
    assert CALLS[3:] == [[0, 1, 2, 3], [4, 5]]
    assert len(list((tmp_path / "tables" / "doubles").glob("*/*.parquet"))) == 2


def test_an_interrupted_stage_goes_on_from_its_parts_and_ends_with_the_same_bytes(site: Any, tmp_path: Path) -> None:
    BREAK_AT.add(4)
    with pytest.raises(KeyboardInterrupt):
        run(site())
    assert Receipts(Workspace(str(tmp_path))).find("doubles") is None
    BREAK_AT.clear()
    run(site())
    assert CALLS == [[0, 1], [2, 3], [4, 5], [4, 5]]
    undisturbed = build_stage(DOUBLES, site()).parts
    (tmp_path / "tables" / "doubles" / "receipt.json").unlink()
    for part in (tmp_path / "tables" / "doubles").glob("*/*.parquet"):
        part.unlink()
    assert build_stage(DOUBLES, site()).parts == undisturbed


def test_transient_failures_are_asked_again_and_nothing_else_is(site: Any) -> None:
    TROUBLED.add(3)
    assert run(site())["issue"] == [None, None, None, "HOST_TROUBLE", None, None]
    TROUBLED.clear()
    assert run(site())["issue"] == [None] * 6
    assert CALLS[3:] == [[2, 3]]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("lose a row", "1 of 2 given key did not come back, first 0."),
        ("unknown issue", 'doubles: column issue: 2 values are not one of'),
        ("missing column", "doubles: column double is missing."),
        ("extra column", "doubles: column more is not in schemas/doubles.json."),
        ("doubled key", "doubles: 2 primary keys stand more than once, first"),
        ("text for numbers", "doubles: column double is string, not int64."),
        ("missing value", "doubles: column double: 2 values are missing, and it is required."),
    ],
)
def test_a_broken_promise_is_told_and_the_old_table_stays(site: Any, spoil: str, told: str) -> None:
    before = run(site())
    with pytest.raises(BrokenPromise) as raised:
        build_stage(DOUBLES, site(spoil=spoil))
    assert told in str(raised.value)
    assert Receipts(site().workspace).table("doubles").to_pydict() == before


def test_rows_set_aside_are_not_handed_on(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_issue(*, options: Options) -> pa.Table:
        return pa.table({"key": [1, 2], "group": ["a", "b"], "issue": pa.array([None, "HTTP_GONE"])})

    build_stage(Stage("numbers", reads=(), run=with_issue), site())
    receipt = build_stage(DOUBLES, site())
    assert (receipt.given, receipt.rows, CALLS) == (1, 1, [[1]])


def test_a_lost_part_is_made_again(site: Any, tmp_path: Path) -> None:
    run(site())
    next((tmp_path / "tables" / "doubles").glob("*/part-00001.parquet")).unlink()
    assert run(site())["double"] == [0, 2, 4, 6, 8, 10]
    assert CALLS[3:] == [[2, 3]]


@pytest.mark.parametrize("with_receipt", [True, False])
def test_a_damaged_part_is_made_again(site: Any, tmp_path: Path, with_receipt: bool) -> None:
    run(site())
    part = next((tmp_path / "tables" / "doubles").glob("*/part-00001.parquet"))
    part.write_bytes(part.read_bytes()[:60])
    if not with_receipt:
        (tmp_path / "tables" / "doubles" / "receipt.json").unlink()
    assert run(site())["double"] == [0, 2, 4, 6, 8, 10]
    assert CALLS[3:] == [[2, 3]]


def publish(numbers: pa.Table, *, options: Options, folder: Folder) -> pa.Table:
    CALLS.append(numbers["key"].to_pylist())
    with folder.open("sum.txt", "wb") as stream:
        stream.write(b"%d" % options.count)
    return make_doubles(numbers, options=options)


PUBLISHED = Stage("doubles", reads=("numbers",), run=publish, uses=("folder",))


@pytest.mark.parametrize("loss", ["the folder", "a file", "its end"])
def test_a_published_folder_is_made_again_when_anything_of_it_is_lost(site: Any, tmp_path: Path, loss: str) -> None:
    build_stage(NUMBERS, site())
    build_stage(PUBLISHED, site(count=60))
    file = tmp_path / "doubles" / "sum.txt"
    if loss == "its end":
        file.write_bytes(b"6")
    else:
        file.unlink()
        if loss == "the folder":
            file.parent.rmdir()
    build_stage(PUBLISHED, site(count=60))
    assert file.read_bytes() == b"60"
    calls = len(CALLS)
    build_stage(PUBLISHED, site(count=60))
    assert len(CALLS) == calls


def test_a_folder_of_another_recipe_that_was_interrupted_is_never_taken(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_stage(NUMBERS, site())
    build_stage(PUBLISHED, site(count=1))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Receipts, "write", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        build_stage(PUBLISHED, site(count=2))
    assert (tmp_path / "doubles" / "sum.txt").read_bytes() == b"2"
    build_stage(PUBLISHED, site(count=1))
    assert (tmp_path / "doubles" / "sum.txt").read_bytes() == b"1"


def test_a_spoilt_receipt_is_told_of(site: Any, tmp_path: Path) -> None:
    run(site())
    (tmp_path / "tables" / "doubles" / "receipt.json").write_text(json.dumps({"stage": "doubles"}))
    with pytest.raises(Exception, match="is not a receipt; remove it"):
        run(site())
