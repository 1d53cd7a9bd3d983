"""The split rule on classes written as the sizes of their groups."""

from __future__ import annotations

import numpy as np
import pytest

from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.draw import Draw
from naflora_etl.selecting.parts import assign_parts


def split_sizes(groups: list[tuple[int, ...]], **knobs: float) -> tuple[list[bool], list[bool]]:
    """Split groups given as images of each class (position), drawn in the order given; shares rise from 0 to 1.

    Returns, per group, whether it is test; per class, whether it could be split.
    """
    taxa = np.array([taxon for group in groups for taxon, n in enumerate(group) for _ in range(n)])
    numbers = np.array([i for i, group in enumerate(groups) for _ in range(sum(group))])
    draw = Draw(np.arange(len(taxa)), np.arange(len(taxa)) / len(taxa))
    parts = assign_parts(taxa, numbers, draw, options=SplitOptions(**knobs))  # type: ignore[arg-type]
    for number in range(len(groups)):
        assert len(set(parts.is_test[numbers == number].tolist())) == 1, "a group straddles"
    feasible = [bool(parts.is_feasible[taxa == taxon].all()) for taxon in range(taxa.max() + 1)]
    return [bool(parts.is_test[numbers == i].any()) for i in range(len(groups))], feasible


def ones(n: int) -> list[tuple[int, ...]]:
    return [(1,)] * n


CASES = {
    "a fifth, in the order of the draw": (ones(15), {}, [0, 1, 2], True),
    "two at least": (ones(5), {}, [0, 1], True),
    "rounded to the nearest": (ones(13), {}, [0, 1, 2], True),
    "a group too large for the quota is passed over": ([(4,), *ones(11)], {}, [1, 2, 3], True),
    "a group that fits is taken whole": ([(2,), (2,), *ones(11)], {}, [0, 2], True),
    "nothing fits: over the quota rather than no test": ([(3,), (3,), (3,), (3,)], {}, [0], True),
    "nearest to the quota, not the first": ([(9,), (4,), (5,)], {}, [1], True),
    "the only way leaves one to train on": ([(1,), (5,)], {"min_test": 2, "min_train": 1}, [1], True),
    "one gathering cannot be split": ([(14,)], {}, [], False),
    "too few to train on": ([(5,), (5,)], {"min_train": 6}, [], False),
    "no test share: the least": (ones(10), {"test_share": 0.0}, [0, 1], True),
    "all for test: training keeps its least": (ones(10), {"test_share": 1.0, "min_train": 3}, [*range(7)], True),
}


@pytest.mark.parametrize(("groups", "knobs", "tested", "feasible"), CASES.values(), ids=CASES)
def test_named_cases(
    groups: list[tuple[int, ...]], knobs: dict[str, float], tested: list[int], feasible: bool
) -> None:
    is_test, can_be_split = split_sizes(groups, **knobs)
    assert can_be_split == [feasible]
    if feasible:
        assert [i for i, test in enumerate(is_test) if test] == tested


def test_a_group_of_two_classes_is_tested_when_its_draw_is_low_and_fills_both_quotas() -> None:
    is_test, feasible = split_sizes([(1, 1), *[(1, 0)] * 9, *[(0, 1)] * 9])
    assert feasible == [True, True]
    assert [i for i, test in enumerate(is_test) if test] == [0, 1, 10]


def test_a_group_of_two_classes_is_trained_on_when_its_draw_is_high() -> None:
    is_test, feasible = split_sizes([*[(1, 0)] * 9, *[(0, 1)] * 9, (1, 1)])
    assert feasible == [True, True]
    assert [i for i, test in enumerate(is_test) if test] == [0, 1, 9, 10]


def test_a_class_that_cannot_be_split_changes_nothing_for_the_others() -> None:
    alone, _ = split_sizes([(1, 0)] * 10)
    beside, feasible = split_sizes([*[(1, 0)] * 10, (0, 12)])
    assert feasible == [True, False]
    assert beside[:10] == alone


def test_no_images_no_parts() -> None:
    nothing = np.array([], dtype=np.int64)
    parts = assign_parts(nothing, nothing, Draw(nothing, nothing.astype(float)), options=SplitOptions())
    assert len(parts.is_test) == len(parts.is_feasible) == 0
