"""Pictures that look alike: pigeonholes against all pairs, and which hashes bind."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.engine.nearness import near_pairs, read_words
from naflora_etl.selecting.groups import join_groups
from naflora_etl.selecting.likeness import CROWD, link_alike


@pytest.mark.parametrize("most", [0, 1, 4, 8])
def test_pigeonholes_find_what_all_pairs_find(most: int) -> None:
    rng = np.random.default_rng(most)
    words = rng.integers(0, 2**63, 60, dtype=np.uint64)
    words = np.concatenate([words, words[:40] ^ (np.uint64(1) << rng.integers(0, 64, 40, dtype=np.uint64))])
    words = np.concatenate([words, words[:50] ^ rng.integers(0, 2**9, 50, dtype=np.uint64)])
    blocks = rng.integers(0, 2, len(words))
    left, right, bits = near_pairs(words, most, blocks)
    distance = np.bitwise_count(words[:, None] ^ words[None, :])
    wanted = np.argwhere((distance <= most) & (blocks[:, None] == blocks[None, :]))
    assert [[a, b] for a, b in zip(left, right, strict=True)] == [[a, b] for a, b in wanted.tolist() if a < b]
    assert bits.tolist() == distance[left, right].tolist()


def test_no_words_no_pairs() -> None:
    words, known = read_words([])
    assert [len(column) for column in near_pairs(words, 4)] == [0, 0, 0]
    assert len(known) == 0


SHEET, ALMOST, OTHER = "00ff00ff0f0f0f0f", "00ff00ff0f0f0f07", "ff00ff00f0f0f0f0"
BINDS = {
    "the same picture of one species": ([(SHEET, 0), (SHEET, 0)], [0, 0]),
    "a few bits apart, one species": ([(SHEET, 0), (ALMOST, 0)], [0, 0]),
    "a few bits apart, two species": ([(SHEET, 0), (ALMOST, 1)], [0, 1]),
    "the same picture under two species": ([(SHEET, 0), (SHEET, 1)], [0, 0]),
    "through another species": ([(SHEET, 0), (SHEET, 1), (ALMOST, 1)], [0, 0, 0]),
    "far apart": ([(SHEET, 0), (OTHER, 0)], [0, 1]),
    "blank pictures": ([("0" * 16, 0), ("0" * 16, 0), ("f" * 16, 0), ("f" * 16, 0)], [0, 1, 2, 3]),
    "unknown": ([(None, 0), (None, 0)], [0, 1]),
    "a crowd of species has it: a layout": ([(SHEET, n) for n in range(CROWD + 1)], list(range(CROWD + 1))),
    "no images": ([], []),
}


@pytest.mark.parametrize(("images", "groups"), BINDS.values(), ids=BINDS)
def test_what_binds(images: list[tuple[str | None, int]], groups: list[int]) -> None:
    hashes = pa.array([image[0] for image in images], pa.string())
    taxa = np.array([image[1] for image in images], np.int64)
    pairs = link_alike(hashes, taxa, 4)
    assert join_groups(np.full(len(images), -1), pairs=pairs).tolist() == groups
