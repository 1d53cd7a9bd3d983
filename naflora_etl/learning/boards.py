"""Where else a log goes when a recipe asks for it: TensorBoard, Weights & Biases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from naflora_etl.engine.faults import Fault

Board = Callable[[int, dict[str, float]], None]
"""Takes the step and the values of a row."""


def open_board(name: str, folder: Path) -> Board:
    """Return the board of that name for a run in `folder`; raises Fault where it is not installed."""
    try:
        return {"tensorboard": _tensorboard, "wandb": _wandb}[name](folder)
    except ImportError:
        raise Fault(f"loop.report_to names {name}, which is not installed: pip install {name}.") from None


def _tensorboard(folder: Path) -> Board:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def board(step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            writer.add_scalar(key, value, step)
        writer.flush()

    return board


def _wandb(folder: Path) -> Board:
    import wandb

    run: Any = wandb.init(project="naflora", name=folder.name, dir=str(folder), resume="allow", id=folder.name)
    return lambda step, values: run.log(values, step=step)
