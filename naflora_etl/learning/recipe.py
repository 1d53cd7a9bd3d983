"""A learning recipe: a TOML file that holds only what differs from the defaults; `--set section.key=value` on top."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import model_validator

from naflora_etl.engine.resources import resource_folder
from naflora_etl.learning.options import (
    DataOptions,
    LoopOptions,
    LossOptions,
    ModelOptions,
    OptimiserOptions,
    ScheduleOptions,
)
from naflora_etl.recipe import Name, Section, check_recipe, find_recipe, override, read_toml

__all__ = [  # the sections too: who reads a recipe needs them
    "DataOptions",
    "LearnRecipe",
    "LoopOptions",
    "LossOptions",
    "ModelOptions",
    "OptimiserOptions",
    "ScheduleOptions",
    "learn_recipe_names",
    "learn_recipe_text",
    "read_learn_recipe",
]


class LearnRecipe(Section):
    name: Name
    """Short name."""
    data: DataOptions = DataOptions()
    model: ModelOptions = ModelOptions()
    optimiser: OptimiserOptions = OptimiserOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    loss: LossOptions = LossOptions()
    loop: LoopOptions = LoopOptions()

    @model_validator(mode="after")
    def _go_together(self) -> LearnRecipe:
        loss, model, data = self.loss, self.model, self.data
        if (loss.name == "arcface") != (model.head == "sub_center"):
            raise ValueError("loss.name arcface and model.head sub_center go together only")
        if (data.mixup or data.cutmix) and (
            loss.name not in ("ce", "class_balanced") or loss.genus_weight or loss.family_weight or loss.distance_weight
        ):
            raise ValueError(
                "mixed sheets (data.mixup, data.cutmix) have two labels; only ce and class_balanced take them"
            )
        if self.loop.cache_features and model.freeze != "backbone":
            raise ValueError("loop.cache_features needs model.freeze = backbone: features that learn cannot be kept")
        if self.loop.batch % self.loop.accumulate:
            raise ValueError(f"loop.accumulate {self.loop.accumulate} does not divide loop.batch {self.loop.batch}")
        return self


def read_learn_recipe(path_or_name: str | Path, overrides: list[str] | None = None) -> LearnRecipe:
    """Read a learning recipe by path, or by the name of a file in recipes/learn.

    `overrides` are `section.key=value` with a TOML value, quotes optional. A weights file named in the recipe is seen
    from the recipe's folder, one named in an override from where you are. Raises RecipeError for what cannot be used.
    """
    path = find_recipe(path_or_name, resource_folder("recipes") / "learn", kind="a learning recipe")
    values = read_toml(path, example="naflora train RELEASE --recipe naflora-baseline")
    _resolve_files(values, path.parent)
    for given in overrides or []:
        override(values, given)
    return check_recipe(LearnRecipe, values, where=str(path_or_name))


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


def _resolve_files(values: dict[str, Any], folder: Path) -> None:
    for section, knob, words in (("model", "weights", ("none", "hub")), ("loss", "distances", ("taxonomy",))):
        place = values.get(section)
        if isinstance(place, dict) and isinstance(place.get(knob), str) and place[knob] not in words:
            place[knob] = str((folder / place[knob]).resolve())
