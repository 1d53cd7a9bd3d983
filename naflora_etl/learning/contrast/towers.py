"""The two towers of open_clip, with weights from nowhere, a file or the hub; and how sheets and words go in."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.contrast.recipe import TowerOptions
from naflora_etl.learning.weights import read_weights
from naflora_etl.learning.zoo import mend_torchvision

TINY = "tiny"


@cache
def import_open_clip() -> ModuleType:
    """Return open_clip, our tiny towers among its own; Fault where it is not installed."""
    if importlib.util.find_spec("open_clip") is None:
        raise Fault("this needs open_clip; install the extra: pip install 'naflora-etl[clip]'.")
    mend_torchvision()
    open_clip = importlib.import_module("open_clip")
    open_clip.add_model_config(Path(str(files("naflora_etl.learning.contrast").joinpath(f"{TINY}.json"))))
    return open_clip


class Towers(nn.Module):
    """Sheets and words to unit vectors of one space; sheets as B x 3 x H x W uint8, normalised inside."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, clip: Any, tokenizer: Any) -> None:
        super().__init__()
        self.clip = clip
        self.tokenizer = tokenizer
        told = clip.visual.preprocess_cfg
        self.register_buffer("mean", torch.tensor(told["mean"]).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(told["std"]).view(3, 1, 1) * 255, persistent=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the sheets that go in."""
        height, width = self.clip.visual.image_size
        return int(height), int(width)

    @property
    def logit_scale(self) -> torch.Tensor:
        """The logarithm of the scale of similarities, which is learnt."""
        scale: torch.Tensor = self.clip.logit_scale
        return scale

    def see(self, images: torch.Tensor) -> torch.Tensor:
        """Return B x D unit vectors of sheets."""
        seen: torch.Tensor = self.clip.encode_image((images.float() - self.mean) / self.std, normalize=True)
        return seen

    def read(self, texts: Sequence[str]) -> torch.Tensor:
        """Return B x D unit vectors of texts.

        Equal texts are encoded once, and no further than the longest of them goes: neither changes a gradient.
        """
        distinct = list(dict.fromkeys(texts))
        place = {text: number for number, text in enumerate(distinct)}
        tokens, shorter = cut_behind(self.clip, self.tokenizer(distinct))
        words: torch.Tensor = functional_call(self.clip, shorter, (None, tokens.to(self.mean.device)))[1]
        return words[torch.tensor([place[text] for text in texts], device=words.device)]

    def forward(self, given: torch.Tensor, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return unit vectors of sheets (or of features, which are those already) and texts, and the scale."""
        images = given if given.is_floating_point() else self.see(given)
        return images, self.read(texts), self.logit_scale.exp()


def cut_behind(clip: Any, tokens: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return tokens cut behind the end of the longest text, and what of the text tower has to be as short.

    In a causal tower no place sees those behind it, and a text is told from the place of its end: what is cut off had
    no say. A tower of another kind (one that looks both ways, or pools another place) keeps its whole length.
    """
    tower, name = (clip.text, "text.") if hasattr(clip, "text") else (clip, "")
    mask, pool = getattr(tower, "attn_mask", None), getattr(tower, "text_pool_type", getattr(tower, "pool_type", ""))
    if mask is None or getattr(tower, "cls_emb", None) is not None or pool not in ("argmax", "eos"):
        return tokens, {}
    end = getattr(tower, "text_eos_id", getattr(tower, "eos_id", None)) if pool == "eos" else None
    ends = tokens.argmax(dim=-1) if end is None else (tokens == end).int().argmax(dim=-1)
    # to the next multiple of eight, which GPUs multiply fastest
    length = min(tokens.shape[1], -(-(int(ends.max()) + 1) // 8) * 8)
    shorter = {f"{name}positional_embedding": tower.positional_embedding[:length]}
    return tokens[:, :length], shorter | {f"{name}attn_mask": mask[:length, :length]}


def known_towers() -> list[str]:
    """Return the names of all towers that open_clip builds, and of our own."""
    names: list[str] = import_open_clip().list_models()
    return names


def make_towers(options: TowerOptions) -> Towers:
    """Return the towers, random weights drawn from torch's seed; a locked image tower asks for no gradient.

    Raises Fault for an unknown name, and for weights that cannot be had or do not fit.
    """
    open_clip = import_open_clip()
    if options.arch not in open_clip.list_models():
        nearest = difflib.get_close_matches(options.arch, open_clip.list_models(), 1, 0)
        raise Fault(f"tower.arch = {options.arch}: open_clip has no such model; the nearest known one is {nearest[0]}.")
    tag = options.weights if options.weights in open_clip.list_pretrained_tags_by_model(options.arch) else None
    logging.getLogger().addFilter(_says_random)
    try:
        clip = open_clip.create_model(options.arch, pretrained=tag)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise Fault(f"tower.weights = {tag} could not be had from the hub ({reason}); give a file, or none.") from None
    finally:
        logging.getLogger().removeFilter(_says_random)
    if tag is None and options.weights != "none":
        load_part(clip, Path(options.weights), "tower.weights")
    if options.image_weights not in ("none", "random"):
        load_part(clip.visual, Path(options.image_weights), "tower.image_weights")
    if options.lock_image:
        clip.lock_image_tower()
    return Towers(clip, open_clip.get_tokenizer(options.arch))


def load_part(part: nn.Module, path: Path, knob: str) -> None:
    """Load a file (.safetensors, .pt, the last.pt of a run of clip) into towers or one of them; all must fit."""
    tensors = read_weights(path, knob=knob, instead=", nor a tag of this model in open_clip; it may also be none")
    found = {name.removeprefix("module.").removeprefix("clip."): tensor for name, tensor in tensors.items()}
    wanted = part.state_dict()
    if not any(name.startswith("visual.") for name in wanted):  # the image tower alone, out of a file of both
        found = {name.removeprefix("visual."): it for name, it in found.items() if name.startswith("visual.")} or found
    unfit = [name for name, tensor in wanted.items() if name not in found or found[name].shape != tensor.shape]
    if unfit:
        raise Fault(
            f"{knob} = {path} does not fit: {len(unfit)} of {len(wanted)} tensors are missing or of another shape, "
            f"first {unfit[0]}. Name the tower.arch that these weights were made for."
        )
    part.load_state_dict({name: found[name] for name in wanted})


def _says_random(record: logging.LogRecord) -> bool:
    """Leave out open_clip's warning that weights are random: the recipe says so."""
    return "Model initialized randomly" not in record.getMessage()
