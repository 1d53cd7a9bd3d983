"""A calibration on held-out sheets, by the ONNX file itself, for that is what people will use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.cabinet.calibration import Calibration, calibrate
from naflora_etl.learning.cabinet.exported import Exported
from naflora_etl.learning.cabinet.inference import Classifier, see_sheet
from naflora_etl.learning.recipe import DataOptions
from naflora_etl.learning.releases import MEND, Part
from naflora_etl.learning.warp import Pixels

BATCH = 32


def calibrate_on(exported: Exported, part: Part, progress: Progress) -> Calibration:
    """Fit temperature and thresholds on the sheets of `part`; Fault for a sheet that cannot be read."""
    classifier = Classifier(exported)
    told = []
    for start in range(0, len(part), BATCH):
        numbers = range(start, min(start + BATCH, len(part)))
        told.append(classifier.raw(read_sheets(part, numbers, exported.data)))
        progress(numbers[-1] + 1, len(part))
    # a half by hash: the same on every machine, whatever the order
    digests = [hashlib.sha256(f"calibrate|{key}".encode()).digest() for key in part.image_keys]
    half = np.zeros(len(part), np.bool_)
    half[np.argsort(digests)[: len(part) // 2]] = True
    return calibrate(np.concatenate(told), part.class_ids, half)


def read_sheets(part: Part, numbers: Sequence[int], options: DataOptions) -> list[Pixels]:
    """Return what a model sees of the sheets with these numbers; Fault for one that cannot be read."""
    sheets = []
    for number, data in zip(numbers, read_files(part, numbers), strict=True):
        try:
            sheets.append(see_sheet(data, options))
        except (OSError, ValueError, SyntaxError) as error:
            shard, key = part.folder / part.shards[number], part.image_keys[number]
            raise Fault(f"{shard}: image {key} cannot be read ({error}); {MEND}.") from None
    return sheets


def read_files(part: Part, numbers: Sequence[int]) -> Iterator[bytes]:
    """Yield the bytes of the image files with these numbers, as they lie in the tars."""
    with ExitStack() as opened:
        shards = {
            name: opened.enter_context((part.folder / name).open("rb")) for name in {part.shards[n] for n in numbers}
        }
        for number in numbers:
            stream = shards[part.shards[number]]
            stream.seek(int(part.offsets[number]))
            yield stream.read(int(part.lengths[number]))
