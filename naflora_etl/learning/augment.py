"""timm's RandAugment, whose draws are made to depend on the sheet alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.warp import Pixels
from naflora_etl.learning.zoo import import_timm

LOCK = threading.Lock()


class RandAugment:
    """timm's RandAugment by its own grammar (rand-m9-mstd0.5); raises Fault for what timm cannot read."""

    def __init__(self, grammar: str) -> None:
        import_timm()
        from timm.data.auto_augment import rand_augment_transform

        try:
            self.transform = rand_augment_transform(grammar, {"img_mean": (124, 116, 104)})
        except (AssertionError, ValueError, KeyError) as error:
            raise Fault(
                f"data.rand_augment = {grammar}: timm cannot read it ({error}); write rand-m9-mstd0.5."
            ) from None

    def __call__(self, pixels: Pixels, seeds: Sequence[int]) -> Pixels:
        with LOCK, borrowed_random(seeds):
            return np.array(self.transform(Image.fromarray(pixels)))


@contextmanager
def borrowed_random(seeds: Sequence[int]) -> Iterator[None]:
    """Seed the random states that timm draws from, numpy's and Python's, and give the caller's back afterwards."""
    before, numpys = random.getstate(), np.random.get_state()
    first, second = np.random.SeedSequence(seeds).generate_state(2).tolist()
    random.seed(first)
    np.random.seed(second)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpys)
