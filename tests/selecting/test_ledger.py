"""The ledger: sides that stay, sides that are taken over, and bridges under embargo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.selecting.keys import encode_keys
from naflora_etl.selecting.ledger import COLUMNS, read_ledgers, settle_sides
from naflora_etl.selecting.likeness import no_links

SIDES = {"R": 0, "E": 1, ".": -1}

# columns of keys ("." is null), what was released where (R train, E test, . new) -> sides, and x for the embargoed
CASES = {
    "nothing shared": (["abcd"], "RE..", "RE.."),
    "a new one takes the side of its specimen": (["aabb"], "R.E.", "RREE"),
    "through another new one": (["aab.", ".xxb"], "R...", "RRR."),
    "a bridge by two keys": (["aa.", ".bb"], "R.E", "RxE"),
    "its neighbours stay with their sides": (["aa.a.", ".bb.b"], "R.E..", "RxERE"),
    "a chain of new ones, none of which is a bridge alone": (["aa..", ".bb.", "..cc"], "R..E", "RxxE"),
    "of released ones found bound since, the training ones are embargoed": (["aa"], "RE", "xE"),
    "and what joins them now": (["aaa"], "RE.", "xEx"),
    "also by way of one of them alone": (["aa.", "b.b"], "RE.", "xEx"),
    "through a released one": (["aa.", ".bb"], "RRE", "xxE"),
    "no rows": ([""], "", ""),
}


def encode(column: str) -> np.ndarray:
    return encode_keys(pa.array([None if letter == "." else letter for letter in column], pa.string()))


@pytest.mark.parametrize(("columns", "released", "expected"), CASES.values(), ids=CASES)
def test_named_cases(columns: list[str], released: str, expected: str) -> None:
    sides = settle_sides(
        [encode(column) for column in columns], no_links(), np.array([SIDES[letter] for letter in released], np.int64)
    )
    letters = {side: letter for letter, side in SIDES.items()}
    found = ["x" if embargoed else letters[side] for side, embargoed in
             zip(sides.side.tolist(), sides.is_embargoed.tolist(), strict=True)]  # fmt: skip
    assert "".join(found) == expected


def test_pictures_that_look_alike_bind_as_keys_do() -> None:
    pairs = (np.array([0, 1]), np.array([1, 2]))
    sides = settle_sides([np.full(3, -1)], pairs, np.array([0, -1, 1]))
    assert sides.is_embargoed.tolist() == [False, True, False]
    sides = settle_sides([np.full(3, -1)], pairs, np.array([-1, -1, 1]))
    assert sides.side.tolist() == [1, 1, 1]


def test_random_rows_never_straddle_and_lose_nothing_needlessly() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        columns = [rng.integers(-8, 30, 40) for _ in range(2)]
        released = rng.choice([-1, -1, 0, 1], 40)
        sides = settle_sides(columns, no_links(), released)
        assert (sides.side[released >= 0] == released[released >= 0]).all()
        assert not sides.is_embargoed[released == 1].any()
        for group in np.unique(sides.group):
            rows = (sides.group == group) & ~sides.is_embargoed
            assert len(set(sides.side[rows].tolist())) <= 1
        order = rng.permutation(40)
        again = settle_sides([column[order] for column in columns], no_links(), released[order])
        assert (again.side == sides.side[order]).all()
        assert (again.is_embargoed == sides.is_embargoed[order]).all()


def write(path: Path, **changed: list[str]) -> str:
    columns = {name: ["1" * 20, "2" * 20] for name in COLUMNS} | {"part": ["train", "test"]} | changed
    path.write_bytes(parquet_bytes(pa.table({name: value for name, value in columns.items() if value})))
    return str(path)


KNOWN = pa.array(["1" * 20, "9" * 20])
REFUSED = {
    "another recipe's": ({"image_key": ["3" * 20, "4" * 20]}, "has 2 images and none that this recipe has"),
    "no column part": ({"part": []}, "cannot be read as a release's manifest.parquet"),
    "other parts": ({"part": ["train", "valid"]}, "neither train nor test"),
}


@pytest.mark.parametrize(("changed", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_ledger_that_is_none(tmp_path: Path, changed: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(Fault, match=f"split.ledger: .*{sentence}"):
        read_ledgers([write(tmp_path / "manifest.parquet", **changed)], KNOWN)


def test_a_ledger_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.parquet").write_bytes(b"no Parquet")
    with pytest.raises(Fault, match="cannot be read as a release's"):
        read_ledgers([str(tmp_path)], KNOWN)
    with pytest.raises(Fault, match="no such release"):
        read_ledgers([str(tmp_path / "gone.parquet")], KNOWN)


def test_ledgers_that_disagree(tmp_path: Path) -> None:
    one = write(tmp_path / "one.parquet")
    other = write(tmp_path / "other.parquet", part=["test", "test"])
    assert read_ledgers([one, one], KNOWN).num_rows == 4
    with pytest.raises(Fault, match="1 images stand in train in one ledger and in test in another, first 1111"):
        read_ledgers([one, other], KNOWN)
