"""The seeded draw: the same bytes in any language, and ranks that do not mind who comes and goes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def rank(
    rows: list[tuple[str, str | None, str]], seed: int = 1, spread: Callable[[str], str] | None = None
) -> dict[str, int]:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    values = pa.array([spread(row[2]) for row in rows]) if spread else None
    return dict(zip([row[2] for row in rows], rank_images(*columns, seed=seed, spread=values).tolist(), strict=True))


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
    spread = rank(rows, spread=herbarium)
    assert rank([rows[i] for i in rng.permutation(200)], spread=herbarium) == spread != ranks
    assert rank([row for row in rows if row[0] == "taxon 1"], spread=herbarium).items() <= spread.items()


def test_an_image_that_stands_twice_is_told() -> None:
    with pytest.raises(Fault, match="An image stands twice"):
        rank([("oak", None, "a"), ("elm", None, "a")])


def test_values_to_spread_over_take_turns() -> None:
    rows = [("oak", f"sheet {n}", f"image {n}") for n in range(60)]
    herbaria = ["NY"] * 50 + ["MO"] * 7 + ["US", "US", None]
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    ranks = rank_images(*columns, seed=1, spread=pa.array(herbaria)).tolist()
    assert sorted(ranks) == list(range(1, 61))
    first = sorted(zip(ranks, herbaria, strict=True), key=lambda row: row[0])[:11]
    assert sorted(str(row[1]) for row in first) == ["MO"] * 4 + ["NY"] * 4 + ["None"] + ["US"] * 2
    plain = dict(zip(range(60), rank_images(*columns, seed=1).tolist(), strict=True))
    ny = sorted(range(50), key=ranks.__getitem__)
    assert ny == sorted(range(50), key=plain.__getitem__), "within a value the draw alone decides"


images = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=60)


@settings(max_examples=60, deadline=None)
@given(images=images, cap=st.integers(1, 20), order=st.randoms(use_true_random=False))
def test_any_images(images: list[tuple[int, int]], cap: int, order: object) -> None:
    """Ranks count from 1 without gaps, so no cap is exceeded; every specimen comes before a second view of one."""
    rows = [(f"taxon {taxon}", f"{taxon} sheet {sheet}", f"image {n}") for n, (taxon, sheet) in enumerate(images)]
    if not rows:
        return
    ranks = rank(rows)
    for taxon in {row[0] for row in rows}:
        own = [row for row in rows if row[0] == taxon]
        assert sorted(ranks[row[2]] for row in own) == list(range(1, len(own) + 1))
        kept = [row for row in own if ranks[row[2]] <= cap]
        assert len(kept) == min(cap, len(own))
        assert len({row[1] for row in kept}) == min(cap, len({row[1] for row in own}))
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled) == ranks


def herbarium(image: str) -> str:
    """Return one of twenty herbaria, the large ones many times as large as the small."""
    return f"H{int(hashlib.sha256(image.encode()).hexdigest()[:6], 16) ** 3 * 20 >> 72}"


@pytest.mark.parametrize("spread", [None, herbarium], ids=["plain", "spread"])
@pytest.mark.parametrize("seed", range(3))
def test_a_new_harvest_changes_few_choices(seed: int, spread: Callable[[str], str] | None) -> None:
    """After -1 % and +3 %, at most 2 % of the chosen that are still there are chosen no more; a plain sample: half."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(rng.lognormal(4.5, 1.2, 150).astype(int) + 1, 2000)
    rows = [(f"taxon {t}", f"sheet {t}-{n // 2 if n % 9 == 0 else n}", f"image {t}-{n}") for t, size in
            enumerate(sizes.tolist()) for n in range(size)]  # fmt: skip
    later = [row for row in rows if rng.random() > 0.01]
    later += [(rows[n][0], f"new sheet {i}", f"new image {i}") for i, n in
              enumerate(rng.integers(0, len(rows), len(rows) * 3 // 100).tolist())]  # fmt: skip
    before, after = rank(rows, seed, spread), rank(later, seed, spread)
    chosen = [key for key, place in before.items() if place <= 100 and key in after]
    assert len(chosen) > 6000
    assert np.mean([after[key] > 100 for key in chosen]) <= 0.02
    plain = {t: (np.random.default_rng(7).permutation(sorted(k for x, _, k in rows if x == t))[:100],
                 np.random.default_rng(7).permutation(sorted(k for x, _, k in later if x == t))[:100])
             for t in ("taxon 0", "taxon 1", "taxon 2", "taxon 3") if sizes[int(t[-1])] > 200}  # fmt: skip
    for old, new in plain.values():
        assert len(set(old) - set(new)) > 10, "a sample that is drawn anew changes far more"
