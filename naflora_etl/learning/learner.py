"""What learns: the model, its optimiser and all else that a checkpoint must hold, and how they take one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.data import Batch
from naflora_etl.learning.devices import autocast, seed_step
from naflora_etl.learning.distributed import World
from naflora_etl.learning.losses import Loss
from naflora_etl.learning.mixing import Mixing
from naflora_etl.learning.models import SheetClassifier
from naflora_etl.learning.optim import make_optimiser
from naflora_etl.learning.recipe import LearnRecipe
from naflora_etl.learning.zoo import import_timm


class Learner:
    """A model in training; `step` is one step of it."""

    def __init__(
        self, recipe: LearnRecipe, model: SheetClassifier, criterion: Loss, *, batch: int, world: World
    ) -> None:
        loop, self.device = recipe.loop, next(model.parameters()).device
        self.recipe, self.model, self.criterion, self.batch, self.world = recipe, model, criterion, batch, world
        if loop.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = make_optimiser(recipe.optimiser, model)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=loop.precision == "float16")
        self.ema: Any = None
        if loop.ema_decay:
            import_timm()
            from timm.utils.model_ema import ModelEmaV3

            self.ema = ModelEmaV3(model, decay=loop.ema_decay)
        self.mixing = Mixing(recipe.data, model, batch // loop.accumulate // world.size)
        self.net = self._wrapped(model.head if loop.cache_features else model)
        model.train()

    def _wrapped(self, net: nn.Module) -> nn.Module:
        if self.recipe.loop.compile:
            net.compile()
        if self.world.size > 1:
            devices = [self.device] if self.device.type == "cuda" else None
            return nn.parallel.DistributedDataParallel(net, device_ids=devices)
        return net

    def step(self, batches: Iterator[Batch], step: int, rate: float) -> torch.Tensor:
        """Take one step, at a learning rate, on the next parts of `batches`; return the mean loss, on the device."""
        loop, parts = self.recipe.loop, self.recipe.loop.accumulate
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        total = torch.zeros((), device=self.device)
        for part in range(parts):
            images, labels = (tensor.to(self.device, non_blocking=True) for tensor in next(batches))
            seeds = [loop.seed, step, part, self.world.rank]
            seed_step(*seeds)
            images, labels = self.mixing(images, labels, seeds)
            if loop.channels_last and images.ndim == 4:
                images = images.to(memory_format=torch.channels_last)
            # the processes' gradients are added up once a step, with its last part
            with nullcontext() if part == parts - 1 or self.world.size == 1 else self.net.no_sync():  # type: ignore[operator]
                with autocast(loop, self.device):
                    outputs = self._outputs(images)
                loss = self.criterion(outputs, labels) / parts
                self.scaler.scale(loss).backward()
            total += loss.detach()
        if self.recipe.optimiser.clip_norm:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimiser.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad()
        if self.ema is not None:
            self.ema.update(self.model)
        return total

    def _outputs(self, images: torch.Tensor) -> Any:
        try:
            return self.net(images)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise Fault(
                f"A norm of {self.recipe.model.arch} has one value to take statistics of: {len(images)} sheet at a "
                "time, shrunk to one point; raise loop.batch or data.size_px, or lower loop.accumulate."
            ) from None

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        states = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        if self.ema is not None:
            states["ema"] = self.ema.module.state_dict()
        if self.scaler.is_enabled():
            states["scaler"] = self.scaler.state_dict()
        return states

    def restore(self, state: dict[str, Any], *, where: str) -> None:
        """Go on from a checkpoint; raises Fault for one of another model."""
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            if self.ema is not None:
                self.ema.module.load_state_dict(state["ema"])
            if self.scaler.is_enabled():
                self.scaler.load_state_dict(state["scaler"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise Fault(f"{where} is not a checkpoint of this recipe ({str(error).splitlines()[0]}).") from None

    def is_finite(self) -> bool:
        """Whether every weight is a number."""
        return bool(torch.stack([weight.isfinite().all() for weight in self.model.parameters()]).all())
