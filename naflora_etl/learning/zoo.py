"""The one door to timm and to torchvision, which does not import beside a torch of another build."""

from __future__ import annotations

import difflib
import importlib
import sys
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import nn

from naflora_etl.engine.faults import Fault

# torchvision registers shapes for these operators at import, even where its compiled half could not be loaded
MISSING_OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


@cache
def import_timm() -> ModuleType:
    """Return timm, after mending the import of torchvision where a CPU torch meets a CUDA torchvision."""
    mend_torchvision()
    import timm

    return timm


def mend_torchvision() -> None:
    """Import torchvision; where its compiled operators are missing, declare their signatures and import it again.

    Nothing here calls those operators (they belong to detection), so a declaration is all that timm needs.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator, signature in MISSING_OPERATORS.items():
            torch.library.define(f"torchvision::{operator}", signature)
        importlib.import_module("torchvision")


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def make_torchvision(name: str, *, with_weights: bool) -> Any:
    """Return a backbone of torchvision, its last layer taken off, with timm's names for what it is.

    Takes what ends in a linear layer, or in SqueezeNet's convolution to classes. Raises Fault for an unknown name, and
    when weights are asked for and cannot be had.
    """
    mend_torchvision()
    models = importlib.import_module("torchvision.models")
    if name not in models.list_models(module=models):
        nearest = difflib.get_close_matches(name, models.list_models(module=models), 1, 0)
        raise Fault(f"model.arch = tv/{name}: torchvision has no such model; the nearest known one is tv/{nearest[0]}.")
    try:
        backbone = models.get_model(name, weights="DEFAULT" if with_weights else None)
    except OSError as error:
        raise Fault(
            f"The weights of tv/{name} could not be had from the hub ({error}). Give a file with model.weights=FILE, "
            "or start from random ones with model.weights=none."
        ) from None
    backbone.head_hidden_size = _take_off_head(backbone, name)
    backbone.pretrained_cfg = IMAGENET
    return backbone


def _take_off_head(backbone: nn.Module, name: str) -> int:
    """Replace the layer that tells ImageNet's classes by nothing; return how many features come out now."""
    if name.startswith("squeezenet"):
        head = backbone.classifier
        assert isinstance(head, nn.Sequential) and isinstance(head[1], nn.Conv2d)
        features = head[1].in_channels
        backbone.classifier = nn.Sequential(head[0], nn.AdaptiveAvgPool2d(1))
        return features
    place, last = [(place, layer) for place, layer in backbone.named_modules() if isinstance(layer, nn.Linear)][-1]
    parent, _, own = place.rpartition(".")
    setattr(backbone.get_submodule(parent), own, nn.Identity())
    return int(last.in_features)
