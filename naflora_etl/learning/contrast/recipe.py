"""A recipe for images and words: every knob of CLIP and LiT tuning, frozen, a half-line of why each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from naflora_etl.engine.resources import resource_folder
from naflora_etl.learning.recipe import DataOptions
from naflora_etl.recipe import Count, Name, Section, check_recipe, find_recipe, override, read_toml

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Whole = Annotated[int, Field(ge=0)]


class PairOptions(DataOptions):
    """As in a recipe of learning, but for these; size_px and normalize are the tower's."""

    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 0.0
    """None: CLIP's views are crops alone."""
    crop_area: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Smallest share of the area that a random crop keeps; open_clip's 0.9."""


class TowerOptions(Section):
    arch: str = "tiny"
    """Name of the two towers in open_clip (ViT-B-16), or tiny: 3 million parameters at 32 px."""
    weights: str = "none"
    """Of both towers: none (random), a tag that open_clip downloads (openai), or a file."""
    image_weights: str = "none"
    """Of the image tower alone: none, a file, or random where a locked tower is to be so; LiT's was trained before."""
    lock_image: bool = False
    """LiT: the image tower stays as it is, and its features are computed once."""
    cache: bool = True
    """Keep the features of a locked tower; false computes them anew each step, as a plain locked tower does."""


class WordOptions(Section):
    kind: str = "random"
    """One of BioTrove's ten texts, random (one of sci, com, taxon, sci_com, taxon_com), or template."""
    per: Literal["batch", "sample"] = "batch"
    """random draws one kind a batch, as BioTrove does, or one a sample."""
    template: str = "A photo of the {common_name} {supercategory} {scientificName}."
    """With kind = template; LiT's by default."""
    names: str = "none"
    """CSV with taxon_name and more columns: common_name, class, order; none."""
    prompts: str = "plain"
    """Of the score after an epoch: plain, clip80, taxonomic, or a template, as `naflora zeroshot` takes them."""


class AdamOptions(Section):
    lr: Positive = 5e-4
    """Highest learning rate; BioTrove's."""
    betas: tuple[Share, Share] = (0.98, 0.99)
    """Moments of AdamW; BioTrove's."""
    eps: Positive = 1e-6
    """AdamW's epsilon; BioTrove's."""
    weight_decay: NotNegative = 4e-4
    """Decoupled decay of matrices; norms, biases and the scale have none."""
    warmup_steps: Whole = 1000
    """Steps of linear warm-up, before a cosine to zero; LiT's best was 1000, and 500 diverged."""


class StepOptions(Section):
    epochs: Count = 18
    """Passes over the training sheets; LiT made 18."""
    batch: Annotated[int, Field(ge=2)] = 256
    """Pairs a step: each is told apart from all others in it."""
    seed: int = 1
    """Of random weights, order, views and texts."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a CUDA device when there is one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 on GPUs of 2020 and later; the loss stays float32."""
    threads: Count = 1
    """Threads of torch on the CPU."""
    workers: Whole = 0
    """Threads that read and decode beside the training, 4 or more with a process each."""
    log_steps: Count = 10
    """Steps a row of log.csv."""
    checkpoint_steps: Whole = 0
    """Steps between checkpoints; 0: at the end of each epoch."""
    score_epochs: Whole = 1
    """Epochs after which the test part is named by words alone, into epochs.csv; 0: never."""
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Also log there, where it is installed."""


class ContrastRecipe(Section):
    name: Name
    """Short name."""
    data: PairOptions = PairOptions()
    tower: TowerOptions = TowerOptions()
    words: WordOptions = WordOptions()
    optimiser: AdamOptions = AdamOptions()
    loop: StepOptions = StepOptions()

    @model_validator(mode="after")
    def _is_worth_locking(self) -> ContrastRecipe:
        tower = self.tower
        if tower.lock_image and (tower.weights, tower.image_weights) == ("none", "none"):
            raise ValueError(
                "tower.lock_image keeps the image tower as it is, and without weights it is random: name a file as "
                "tower.image_weights or tower.weights (or say tower.image_weights = random)"
            )
        return self


def read_contrast_recipe(path_or_name: str | Path, overrides: list[str] | None = None) -> ContrastRecipe:
    """Read a recipe by path, or by its name in recipes/learn/contrast; `overrides` are `section.key=value`.

    A file named in the recipe is seen from the recipe's folder, one named in an override from where you are.
    Raises RecipeError for what cannot be used, with the nearest known knob.
    """
    folder = resource_folder("recipes") / "learn" / "contrast"
    path = find_recipe(path_or_name, folder, kind="a recipe for clip")
    values = read_toml(path, example="naflora clip RELEASE --recipe clip-tiny")
    _resolve_files(values, path.parent)
    for given in overrides or []:
        override(values, given)
    return check_recipe(ContrastRecipe, values, where=str(path_or_name))


def _resolve_files(values: dict[str, Any], folder: Path) -> None:
    for section, knob in (("tower", "weights"), ("tower", "image_weights"), ("words", "names")):
        place = values.get(section)
        # a word such as openai is a tag, unless a file of that name lies there
        if isinstance(place, dict) and isinstance(place.get(knob), str) and (folder / place[knob]).is_file():
            place[knob] = str((folder / place[knob]).resolve())
