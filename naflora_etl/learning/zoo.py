"""The one door to timm, which imports torchvision, which does not import beside a torch of another build."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType

import torch

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
