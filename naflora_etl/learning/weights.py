"""Weights as they lie in a file: .safetensors, a state dict of torch, or the last.pt of a run."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from naflora_etl.engine.faults import Fault


def read_weights(path: Path, *, knob: str, instead: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name, on the CPU.

    Raises Fault, which names the `knob` that gave the file, and what else it may be (`instead`) where there is none.
    """
    if not path.is_file():
        raise Fault(f"{knob} = {path}: no such file{instead}.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, ImportError) as error:
        raise Fault(f"{knob} = {path} cannot be read as weights ({str(error).splitlines()[0]}).") from None
    except Exception as error:  # safetensors has an error class of its own
        raise Fault(f"{knob} = {path} cannot be read as weights ({error}).") from None
    for key in ("model", "state_dict"):
        if isinstance(saved, dict) and isinstance(saved.get(key), dict):
            saved = saved[key]
    if not isinstance(saved, dict):
        held = type(saved).__name__
        raise Fault(f"{knob} = {path} cannot be read as weights (it holds a {held}, not tensors by name).")
    return {name: tensor for name, tensor in saved.items() if isinstance(tensor, torch.Tensor)}
