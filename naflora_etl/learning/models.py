"""Models: a backbone by name, a head, and weights from nowhere, the hub or a file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.heads import make_head
from naflora_etl.learning.options import ModelOptions
from naflora_etl.learning.weights import read_weights
from naflora_etl.learning.zoo import import_timm, make_torchvision

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class SheetClassifier(nn.Module):
    """From sheets, B x 3 x H x W uint8, to logits, B x classes (with rank heads the genera and families behind).

    It normalises by itself, so that bytes travel to the device and a saved model needs no recipe to be fed rightly.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        classes: int,
        is_frozen: bool = False,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.backbone = backbone
        self.head = head
        self.is_frozen = is_frozen
        backbone.requires_grad_(not is_frozen)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1) * 255, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(images))
        return logits

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the backbone makes of the sheets, B x features."""
        features: torch.Tensor = self.backbone((images.float() - self.mean) / self.std)
        return features

    def train(self, mode: bool = True) -> SheetClassifier:
        """Set the mode; a frozen backbone stays in evaluation, or its norms would go on moving."""
        super().train(mode)
        if self.is_frozen:
            self.backbone.eval()
        return self


def make_model(
    options: ModelOptions,
    classes: int,
    *,
    shape: tuple[int, int],
    normalize: str = "imagenet",
    more_ranks: tuple[int, ...] = (),
) -> SheetClassifier:
    """Return a model for `classes` and sheets of `shape` (height, width), its new weights drawn from torch's seed.

    `more_ranks` are the numbers of genera and families, for heads of their own. Raises Fault for an unknown name, a
    knob that the backbone lacks, or weights that cannot be had.
    """
    backbone = _make_backbone(options, shape)
    if options.weights not in ("none", "hub"):
        load_backbone(backbone, Path(options.weights))
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if normalize == "model":
        mean, std = backbone.pretrained_cfg["mean"], backbone.pretrained_cfg["std"]
    # not num_features: a MobileNetV3 widens once more behind its pooling
    head = make_head(options, backbone.head_hidden_size, classes, more_ranks if options.rank_heads else ())
    return SheetClassifier(backbone, head, mean, std, classes=classes, is_frozen=options.freeze == "backbone")


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Return (trainable parameters, statistics of batch norms: running means and variances)."""
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    statistics = sum(
        buffer.numel() for name, buffer in model.named_buffers() if name.endswith(("running_mean", "running_var"))
    )
    return trainable, statistics


def load_backbone(backbone: nn.Module, path: Path) -> None:
    """Load weights from a file into the backbone; its own head is left aside, all else must fit. Raises Fault.

    Takes .safetensors, a torch state dict, or the last.pt of a run.
    """
    tensors = read_weights(path, knob="model.weights", instead="; it may also be none or hub")
    found = {name.removeprefix("backbone."): tensor for name, tensor in tensors.items()}
    wanted = backbone.state_dict()
    found = _renamed(found, wanted)
    unfit = [name for name, tensor in wanted.items() if name not in found or found[name].shape != tensor.shape]
    if unfit:
        raise Fault(
            f"{path} does not fit this backbone: {len(unfit)} of its {len(wanted)} tensors are missing or of another "
            f"shape, first {unfit[0]}. Name the arch that these weights were made for (model.arch)."
        )
    backbone.load_state_dict({name: found[name] for name in wanted})


def _renamed(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights of another writer of the same network under our names: all of them, in order and shape alike."""
    if wanted.keys() <= found.keys() or len(found) < len(wanted):
        return found
    first = dict(zip(wanted, found.values(), strict=False))  # a classifier of theirs stands at the end
    return first if all(first[name].shape == tensor.shape for name, tensor in wanted.items()) else found


def _make_backbone(options: ModelOptions, shape: tuple[int, int]) -> Any:
    if options.arch.startswith("tv/"):
        return make_torchvision(options.arch.removeprefix("tv/"), with_weights=options.weights == "hub")
    timm = import_timm()
    name = options.arch.split(".")[0]
    if not timm.is_model(name):
        nearest = difflib.get_close_matches(name, timm.list_models(), 1, 0)
        raise Fault(f"model.arch = {options.arch}: timm has no such model; the nearest known one is {nearest[0]}.")
    knobs: dict[str, Any] = {"drop_path_rate": options.drop_path} if options.drop_path else {}
    if timm.models.get_pretrained_cfg(name).fixed_input_size:
        knobs["img_size"] = shape
    try:
        return timm.create_model(options.arch, pretrained=options.weights == "hub", num_classes=0, **knobs)
    except (TypeError, AssertionError) as error:
        raise Fault(f"model.arch = {options.arch} does not take {knobs or 'these knobs'}: {error}.") from None
    except (OSError, RuntimeError) as error:
        if options.weights != "hub":
            raise
        reason = str(error).splitlines()[0]
        raise Fault(
            f"The weights of {options.arch} could not be had from the hub ({reason}). "
            "Give a file with model.weights=FILE, or start from random ones with model.weights=none."
        ) from None
