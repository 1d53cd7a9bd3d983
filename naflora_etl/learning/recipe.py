"""A learning recipe: every knob of training on one page, frozen, a section per part, a half-line of why each.

A recipe file is TOML and holds only what differs from the defaults below; `--set section.key=value` goes on top.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from naflora_etl.engine.resources import resource_folder
from naflora_etl.recipe import Count, RecipeError, Section, Share, read_toml, tell_faults

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class DataOptions(Section):
    size_px: Count | tuple[Count, Count] = 256
    """Side of the square the model sees, or [height, width]; the paper's 256."""
    fit: Literal["squash", "pad", "crop"] = "squash"
    """How a sheet becomes that shape: squash bends its aspect (as the paper's data did), pad and crop keep it."""
    centre_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of each side kept around the centre; the published script keeps 0.9."""
    flip: bool = True
    """Mirror every second sheet left to right, in training."""
    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 15.0
    """Turn by up to this angle either way, in training; corners take the colour of the sheet's rim."""
    crop_area: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest share of the area that a random training crop keeps; 1: no random crop."""
    normalize: Literal["imagenet", "model"] = "imagenet"
    """Mean and deviation: ImageNet's (as the published script), or those the model was pretrained with."""


class ModelOptions(Section):
    arch: str = "tf_efficientnetv2_s"
    """Name of the backbone in timm, with its tag when weights come from the hub."""
    head: Literal["linear", "mlp1024"] = "linear"
    """linear, or the published script's: dropout, 1024 ReLU, dropout, classes."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before each layer of the head."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Stochastic depth of the backbone; the published script has 0.4."""
    weights: str = "none"
    """Start from: none (random), hub (timm downloads them), or a file (.safetensors, .pt, .pth)."""


class OptimiserOptions(Section):
    name: Literal["sgdw", "adamw"] = "sgdw"
    """SGD with momentum and decoupled decay, or AdamW."""
    lr: Positive = 0.7
    """Highest learning rate, at a batch of `lr_batch`."""
    lr_batch: Annotated[int, Field(ge=0)] = 512
    """The rate grows linearly with the batch from here (Goyal et al. 2017); 0: it does not."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of sgdw."""
    nesterov: bool = True
    """Nesterov's momentum in sgdw."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Moments of adamw."""
    weight_decay: NotNegative = 1e-5
    """Share of each weight taken away a step, with or without the rate, as said next."""
    weight_decay_mode: Literal["absolute", "lr"] = "absolute"
    """sgdw: absolute takes it as it is (TensorFlow Addons, the published script), lr times the rate (timm)."""
    decay_all: bool = True
    """Decay norms and biases too, as the published script does; false: only matrices and kernels."""


class ScheduleOptions(Section):
    name: Literal["one_cycle", "constant"] = "one_cycle"
    """one_cycle: up and down by half cosines (Smith & Topin 2017), in closed form."""
    warmup_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of all steps on the way up."""
    start_divisor: Positive = 100.0
    """The first rate is the highest divided by this."""
    end_divisor: Positive = 10_000.0
    """The last rate is the highest divided by this."""


class LossOptions(Section):
    name: Literal["ce", "class_balanced"] = "ce"
    """Cross entropy, plain or with each sample weighted by its class (Cui et al. 2019)."""
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Label smoothing; the paper's 0.1."""
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of class_balanced: (N - 1) / N; the published script's N is 10."""
    weight_decimals: Annotated[int, Field(ge=0)] | None = None
    """Of class_balanced: round the weights; the published script rounds to 2."""


class LoopOptions(Section):
    epochs: Count = 30
    """Passes over the training sheets; the paper's baseline makes 30."""
    batch: Count = 512
    """Sheets a step; the paper's 64 on each of 8 cores."""
    seed: int = 1
    """Of the first weights, the order and the augmentation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a CUDA device when there is one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 halves the work on GPUs of 2020 and later; the loss stays float32."""
    threads: Count = 1
    """Threads of torch on the CPU; more may change the last digits."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Threads that read and decode beside the training; their number changes no result."""
    log_steps: Count = 10
    """Steps a row of log.csv."""
    checkpoint_steps: Annotated[int, Field(ge=0)] = 0
    """Steps between checkpoints; 0: at the end of each epoch."""


class LearnRecipe(Section):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
    """Short name."""
    data: DataOptions = DataOptions()
    model: ModelOptions = ModelOptions()
    optimiser: OptimiserOptions = OptimiserOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    loss: LossOptions = LossOptions()
    loop: LoopOptions = LoopOptions()


def read_learn_recipe(path_or_name: str | Path, overrides: list[str] | None = None) -> LearnRecipe:
    """Read a learning recipe by path, or by the name of a file in recipes/learn.

    `overrides` are `section.key=value` with a TOML value, quotes optional. A weights file named in the recipe is seen
    from the recipe's folder, one named in an override from where you are. Raises RecipeError for what cannot be used.
    """
    path = Path(path_or_name)
    where = str(path)
    if not path.exists() and path.name == where and path.suffix != ".toml":
        path = resource_folder("recipes") / "learn" / f"{where}.toml"
        if not path.is_file():
            known = ", ".join(learn_recipe_names())
            raise RecipeError(f"{where} is neither a recipe file nor the name of a learning recipe; known: {known}.")
    values = read_toml(path, example="naflora train RELEASE --recipe naflora-baseline")
    _resolve_weights(values, path.parent)
    for override in overrides or []:
        _override(values, override)
    try:
        return LearnRecipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{where}: {line}" for line in tell_faults(error, LearnRecipe))) from None


def learn_recipe_names() -> list[str]:
    """Return the names of the recipes in recipes/learn, sorted."""
    return sorted(path.stem for path in (resource_folder("recipes") / "learn").glob("*.toml"))


def learn_recipe_text(recipe: LearnRecipe) -> str:
    """Return the whole recipe as TOML, defaults written out; reading it back gives an equal recipe."""
    lines = [f"name = {json.dumps(recipe.name)}"]
    for section, options in recipe.model_dump(exclude={"name"}).items():
        lines += ["", f"[{section}]"]
        # TOML has no null; a knob left out is a knob at its default, which is the only one that can be null
        lines += [f"{key} = {_toml(value)}" for key, value in options.items() if value is not None]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _resolve_weights(values: dict[str, Any], folder: Path) -> None:
    model = values.get("model")
    if isinstance(model, dict) and isinstance(model.get("weights"), str) and model["weights"] not in ("none", "hub"):
        model["weights"] = str((folder / model["weights"]).resolve())


def _override(values: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    *sections, last = key.strip().split(".")
    if not sign or not last:
        raise RecipeError(f'"{override}" is not an override; write section.key=value, as in loop.epochs=5.')
    try:
        value: Any = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    place = values
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise RecipeError(f'"{override}": {section} is a knob, not a section; write section.key=value.')
    place[last] = value
