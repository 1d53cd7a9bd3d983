"""Where else a log goes when a recipe asks for it: TensorBoard, Weights & Biases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naflora_etl.engine.faults import Fault


@dataclass(frozen=True)
class Board:
    """A place that shows rows of a log."""

    write: Callable[[int, dict[str, float]], None]
    """Takes the step and the values of a row."""
    close: Callable[[], None]


def open_board(name: str, folder: Path) -> Board:
    """Return the board of that name for a run in `folder`; raises Fault where it is not installed."""
    try:
        return {"tensorboard": _tensorboard, "wandb": _wandb}[name](folder)
    except ImportError:
        raise Fault(f"loop.report_to names {name}, which is not installed: pip install {name}.") from None


def _tensorboard(folder: Path) -> Board:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def write(step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            writer.add_scalar(key, value, step)
        writer.flush()

    return Board(write, writer.close)


def _wandb(folder: Path) -> Board:
    import wandb

    # a run of the same name goes on where it was; WANDB_MODE=offline keeps all of it in the folder
    run: Any = wandb.init(project="naflora", name=folder.name, dir=str(folder), resume="allow", id=folder.name)
    return Board(lambda step, values: run.log(values, step=step), run.finish)
