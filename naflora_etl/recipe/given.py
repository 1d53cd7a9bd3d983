"""What a user gives of a recipe: a shipped one's name in place of its file, and `--set section.key=value` on top."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from naflora_etl.recipe.reading import RecipeError, tell_faults

Model = TypeVar("Model", bound=BaseModel)


def find_recipe(path_or_name: str | Path, folder: Path, *, kind: str) -> Path:
    """Return the file of a recipe given by its path, or by the name of one in `folder`.

    Raises RecipeError for an unknown name, with the known ones of `kind` ("a learning recipe").
    """
    path = Path(path_or_name)
    if path.exists() or path.name != str(path) or path.suffix == ".toml":
        return path
    shipped = folder / f"{path}.toml"
    if not shipped.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise RecipeError(f"{path} is neither a recipe file nor the name of {kind}; known: {known}.")
    return shipped


def override(values: dict[str, Any], given: str) -> None:
    """Set a knob in the values of a recipe by `section.key=value`, a TOML value, quotes optional; or RecipeError."""
    key, sign, text = given.partition("=")
    *sections, last = key.strip().split(".")
    if not sign or not last:
        raise RecipeError(f'"{given}" is not an override; write section.key=value, as in loop.epochs=5.')
    try:
        value: Any = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    place = values
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise RecipeError(f'"{given}": {section} is a knob, not a section; write section.key=value.')
    place[last] = value


def check_recipe(model: type[Model], values: dict[str, Any], *, where: str) -> Model:
    """Return the recipe that `values` describe; RecipeError tells all that is wrong with them at once."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{where}: {line}" for line in tell_faults(error, model))) from None
