"""The seeded draw: the same bytes in any language, and ranks that do not mind who comes and goes."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.selecting.draw import draw_keys, rank_images


def test_places_follow_the_hex_text_and_shares_its_first_digits() -> None:
    keys = [f"image {i}" for i in range(500)]
    hexes = [hashlib.sha256(f"cap|7|{key}".encode()).hexdigest() for key in keys]
    draw = draw_keys(pa.array(keys), salt="cap", seed=7)
    assert [hexes[i] for i in np.argsort(draw.place)] == sorted(hexes)
    assert draw.share.tolist() == [int(text[:13], 16) / 16**13 for text in hexes]


def test_a_known_draw() -> None:
    # printf 'cap|1|0123456789abcdef0123' | sha256sum
    draw = draw_keys(pa.array(["0123456789abcdef0123"]), salt="cap", seed=1)
    assert draw.share[0] == int("695926ffdb111", 16) / 16**13


def test_nothing_is_drawn_from_nothing() -> None:
    assert draw_keys(pa.array([], pa.string()), salt="cap", seed=1).place.tolist() == []


def rank(rows: list[tuple[str, str | None, str]], seed: int = 1) -> dict[str, int]:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return dict(zip([row[2] for row in rows], rank_images(*columns, seed=seed).tolist(), strict=True))


def test_every_specimen_has_its_turn_before_second_views() -> None:
    rows = [("oak", f"sheet {i % 5}", f"view {i}") for i in range(12)]
    ranks = rank(rows)
    by_rank = sorted(rows, key=lambda row: ranks[row[2]])
    assert sorted(ranks.values()) == list(range(1, 13))
    assert len({row[1] for row in by_rank[:5]}) == 5
    assert len({row[1] for row in by_rank[5:10]}) == 5


def test_an_image_without_a_specimen_stands_for_one() -> None:
    ranks = rank([("oak", None, "a"), ("oak", None, "b"), ("oak", "sheet", "c"), ("oak", "sheet", "d")])
    assert 4 in (ranks["c"], ranks["d"])


def test_one_specimen_each_is_plain_order_of_the_draw() -> None:
    keys = [f"{i:020x}" for i in range(300)]
    ranks = rank([("oak", key, key) for key in keys])
    expected = sorted(keys, key=lambda key: hashlib.sha256(f"cap|1|{key}".encode()).hexdigest())
    assert sorted(keys, key=ranks.__getitem__) == expected


def test_other_taxa_and_the_order_of_the_rows_have_no_say() -> None:
    rng = np.random.default_rng(1)
    rows = [(f"taxon {i % 3}", f"sheet {i // 4}", f"image {i}") for i in range(200)]
    ranks = rank(rows)
    assert rank([rows[i] for i in rng.permutation(200)]) == ranks
    assert rank([row for row in rows if row[0] == "taxon 1"]).items() <= ranks.items()
    assert rank(rows, seed=2) != ranks


def test_an_image_that_stands_twice_is_told() -> None:
    with pytest.raises(Fault, match="An image stands twice"):
        rank([("oak", None, "a"), ("elm", None, "a")])
