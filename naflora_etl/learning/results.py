"""What a call of train reached, as it is told and written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainResult:
    """What a call of train reached; metrics.json holds the same."""

    run: str
    arch: str
    classes: int
    sheets: int
    parameters: int
    """All of the model's, frozen ones too."""
    trainable: int
    steps: int
    total_steps: int
    epochs: float
    loss: float | None
    """Mean over the last logged steps; None before the first."""
    seconds: float
    """Of all calls together, without the start-up."""
    images_per_second: float | None
    """Of all calls together; None before the first step."""
    device: str
    processes: int
    torch: str
    timm: str

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done."""
        return self.steps == self.total_steps

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", loss {self.loss:.3f}"
        speed = "" if self.images_per_second is None else f", {self.images_per_second:.0f} images/s on {self.device}"
        rest = "" if self.is_finished else f" of {self.total_steps}; go on with --resume"
        return (
            f"{self.run}: {self.arch} ({self.parameters:,} parameters), {self.sheets} sheets of {self.classes} "
            f"classes, {self.epochs:.3g} epochs{loss}, {self.seconds:.0f} s{speed}; at step {self.steps}{rest}."
        )
