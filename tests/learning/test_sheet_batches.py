"""Sheets out of tars: the right bytes, in an order that any step can be entered at."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.data import SheetDataset, order_of_epoch, plain_batches, steps_per_epoch, training_batches
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.releases import open_release

OPTIONS = DataOptions(size_px=32, crop_area=0.5)


@pytest.fixture(scope="module")
def dataset(release: Path) -> SheetDataset:
    return SheetDataset(open_release(release).part("train"), OPTIONS)


def test_the_bytes_are_those_of_the_manifest(release: Path, dataset: SheetDataset):
    table = pq.read_table(release / "manifest.parquet").to_pylist()
    promised = {row["image_key"]: row["sha256"] for row in table}
    for index, key in enumerate(dataset.part.image_keys):
        assert hashlib.sha256(dataset.read(index)).hexdigest() == promised[key]


def test_any_torch_loader_can_read_it(dataset: SheetDataset):
    images, labels = next(iter(torch.utils.data.DataLoader(dataset, batch_size=5)))
    assert images.shape == (5, 32, 32, 3) and images.dtype == torch.uint8
    assert labels.tolist() == dataset.part.class_ids[:5].tolist()


def test_an_epoch_sees_each_sheet_once_and_the_next_in_another_order():
    first, second = (order_of_epoch(48, seed=1, epoch=epoch) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(48))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(
    ("sheets", "batch", "steps"), [(48, 8, 6), (50, 8, 6), (5, 5, 1)], ids=["even", "a rest is left", "one batch"]
)
def test_steps_per_epoch(sheets: int, batch: int, steps: int):
    assert steps_per_epoch(sheets, batch) == steps


@pytest.mark.parametrize("workers", [0, 2, pytest.param(4, id="4 processes")])
def test_a_batch_depends_on_its_step_alone(dataset: SheetDataset, workers: int):
    straight = list(training_batches(dataset, batch=20, seed=3, steps=range(6), workers=0))
    resumed = list(training_batches(dataset, batch=20, seed=3, steps=range(3, 6), workers=workers))
    for (images, labels), (again, labels_again) in zip(straight[3:], resumed, strict=True):
        assert torch.equal(images, again) and torch.equal(labels, labels_again)


def test_processes_and_parts_share_a_step_and_lose_no_sheet(dataset: SheetDataset):
    def labels(share: tuple[int, int], parts: int) -> list[list[int]]:
        batches = training_batches(dataset, batch=16, seed=3, steps=range(2), workers=0, share=share, parts=parts)
        return [labels.tolist() for _, labels in batches]

    alone = labels((0, 1), 1)
    first, second = labels((0, 2), 2), labels((1, 2), 2)
    assert [len(part) for part in first] == [4, 4, 4, 4]
    for step in (0, 1):
        dealt = [first[2 * step], second[2 * step], first[2 * step + 1], second[2 * step + 1]]
        assert [label for part in dealt for label in part] == alone[step]


def test_plain_batches_are_the_part_in_order_to_its_last_sheet(dataset: SheetDataset):
    batches = list(plain_batches(dataset, batch=20, workers=2))
    assert [len(images) for images, _ in batches] == [20, 20, 8]
    assert np.concatenate([labels.numpy() for _, labels in batches]).tolist() == dataset.part.class_ids.tolist()
    assert batches[0][0].shape == (20, 3, 32, 32)


@pytest.mark.parametrize("workers", [0, 1, pytest.param(4, id="4 processes")])
def test_a_damaged_image_is_told_with_its_key_and_its_shard(make_release: Callable[..., Path], workers: int):
    part = open_release(make_release(train=1, test=1)).part("train")
    path = part.folder / part.shards[2]
    data = bytearray(path.read_bytes())
    data[part.offsets[2] : part.offsets[2] + 200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(Fault, match=rf"{part.shards[2]}: image {part.image_keys[2]} cannot be read \(.*naflora verify"):
        list(plain_batches(SheetDataset(part, OPTIONS), batch=3, workers=workers))
