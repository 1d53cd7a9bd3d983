"""Where and how exactly torch computes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.options import LoopOptions


def choose_device(options: LoopOptions) -> torch.device:
    """Return the device that the recipe asks for, each process of torchrun its own; raises Fault for one not there."""
    if options.device == "cpu" or (options.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise Fault("loop.device = cuda: torch finds no CUDA device here; take auto or cpu.")
    number, cards = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()  # torchrun's, of this process
    if number >= cards:
        raise Fault(
            f"torchrun started a process for CUDA device {number}, and there are {cards} here, counted from 0; give "
            f"--nproc_per_node {cards}, or loop.device=cpu."
        )
    return torch.device("cuda", number)


def device_for_answers(options: LoopOptions) -> torch.device:
    """Return where a model that was trained answers: a run made on a GPU is of use where there is none."""
    return choose_device(options if options.device == "cpu" else options.model_copy(update={"device": "auto"}))


@contextmanager
def settled(options: LoopOptions, device: torch.device) -> Iterator[None]:
    """Set threads, exactness and random state as the recipe says, and give back the caller's afterwards.

    On the CPU the same recipe and release give the same bits. A GPU adds in no fixed order, so there they agree in
    statistics alone.
    """
    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(device.type == "cpu")
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            if device.type == "cuda":
                torch.cuda.set_device(device)
            torch.manual_seed(options.seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(exact)


def seed_step(*seeds: int) -> None:
    """Give dropout its randomness by (seed, step, part, process), so that no random state need be saved to resume."""
    torch.manual_seed(int(np.random.SeedSequence(seeds).generate_state(1)[0]))


def autocast(options: LoopOptions, device: torch.device) -> torch.autocast:
    """Return the context in which a model computes in the recipe's precision."""
    half = torch.float16 if options.precision == "float16" else torch.bfloat16
    return torch.autocast(device.type, half, enabled=options.precision != "float32")
