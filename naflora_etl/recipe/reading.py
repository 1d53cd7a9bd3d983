"""Read a recipe: the whole of it as one frozen value, or an error that says where, what was found and what to do."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.resources import resource_folder
from naflora_etl.knobs import as_text, knobs
from naflora_etl.recipe.choosing import SelectionOptions, SplitOptions
from naflora_etl.recipe.gathering import HarvestOptions, RecordsOptions
from naflora_etl.recipe.imaging import ImagesOptions
from naflora_etl.recipe.manners import HttpOptions
from naflora_etl.recipe.naming import ChecklistOptions, TaxaOptions, WcvpOptions
from naflora_etl.recipe.publishing import ReleaseOptions, ShardsOptions
from naflora_etl.recipe.renewing import ReharvestOptions
from naflora_etl.recipe.sandboxing import SandboxOptions
from naflora_etl.recipe.section import Name, Section


class Recipe(Section):
    name: Name
    """Short name; the data folder and the tarball are called after it."""
    checklist: ChecklistOptions = ChecklistOptions()
    wcvp: WcvpOptions = WcvpOptions()
    taxa: TaxaOptions = TaxaOptions()
    harvest: HarvestOptions = HarvestOptions()
    records: RecordsOptions = RecordsOptions()
    selection: SelectionOptions = SelectionOptions()
    images: ImagesOptions = ImagesOptions()
    split: SplitOptions = SplitOptions()
    shards: ShardsOptions = ShardsOptions()
    release: ReleaseOptions = ReleaseOptions()
    reharvest: ReharvestOptions = ReharvestOptions()
    http: HttpOptions = HttpOptions()
    sandbox: SandboxOptions | None = None
    """When present, the recipe runs against the embedded sandbox, which gives checklist, backbone and hosts."""


LOGIN = re.compile(r"\w://[^/?#\s]*@")
HAS_LOGIN = (
    "holds an address with a login in it, and what is in a recipe is published with the release; no login in an "
    "address is ever sent, so write the address without what stands before its @."
)


class RecipeError(Fault):
    """A recipe that cannot be used; its text says where, what was found and what to do."""


def read_recipe(path: str | Path) -> Recipe:
    """Read a TOML recipe, or one of the shipped ones by its name; paths in it are seen from its own folder.

    Raises RecipeError for a file that is missing, is not TOML, or holds a key or value that no knob takes.
    """
    path = Path(path)
    shipped = resource_folder("recipes") / f"{path}.toml"
    if not path.exists() and shipped.is_file():
        path = shipped
    return make_recipe(read_toml(path, example="naflora build recipes/demo.toml"), folder=path.parent, where=str(path))


def read_toml(path: Path, *, example: str) -> dict[str, Any]:
    """Return the values of a TOML file; raises RecipeError, which names `example` when there is no such file."""
    if path.is_dir():
        raise RecipeError(f"{path} is a folder; give the recipe file in it, a .toml.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe. `{example}` shows one that works.") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not text (UTF-8); a recipe is a TOML file.") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}.") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from None


def make_recipe(values: dict[str, Any], *, folder: Path, where: str = "recipe") -> Recipe:
    """Return the recipe that `values` (as TOML gives them) describe; all faults are told in one RecipeError."""
    expanded = _expand(values, where)
    if logins := list(_find_logins(expanded)):
        raise RecipeError("\n".join(f"{where}: {place} {HAS_LOGIN}" for place in logins))
    try:
        recipe = Recipe.model_validate(expanded)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{where}: {line}" for line in tell_faults(error, Recipe))) from None
    return recipe.model_copy(
        update={
            "checklist": recipe.checklist.model_copy(
                update={"paths": tuple(_absolute(p, folder) for p in recipe.checklist.paths)}
            ),
            "wcvp": recipe.wcvp.model_copy(
                update={"path": _absolute(recipe.wcvp.path, folder) if recipe.wcvp.path else None}
            ),
            "split": recipe.split.model_copy(
                update={"ledger": tuple(_absolute(p, folder) for p in recipe.split.ledger)}
            ),
            "taxa": recipe.taxa.model_copy(
                update={"overrides": _absolute(recipe.taxa.overrides, folder) if recipe.taxa.overrides else None}
            ),
            "harvest": recipe.harvest.model_copy(
                update={"archives": tuple(_absolute(p, folder) for p in recipe.harvest.archives)}
            ),
            "release": recipe.release.model_copy(
                update={
                    name: _absolute(path, folder) if (path := getattr(recipe.release, name)) else None
                    for name in ("previous", "tree")
                }
            ),
        }
    )


def _find_logins(value: Any, place: str = "") -> Iterator[str]:
    """Yield the place of every address with a name or a password in it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _find_logins(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _find_logins(item, place)
    elif isinstance(value, str) and LOGIN.search(value):
        yield place


def _absolute(path: str, folder: Path) -> str:
    return path if "://" in path else str((folder / path).resolve())


def _expand(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, where) for item in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = os.environ.get(name, default)
        if found is None:
            raise RecipeError(f"{where}: ${{{name}}} is not set in the environment; set it, or write the value itself.")
        return found

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", variable, value)


def tell_faults(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """Yield a sentence for every fault; an unknown key is told with the nearest known knob of `model`."""
    known = [name for name, _, _ in knobs(model)] + list(model.model_fields)
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            nearest = difflib.get_close_matches(place, known, 1, 0)
            yield f"{place} is not a known knob; the nearest known one is {nearest[0]}."
        elif fault["type"] == "missing":
            yield f"{place} is missing; it is required."
        elif not place:  # of several knobs together
            yield f"{fault['msg'].removeprefix('Value error, ')}."
        else:
            yield f"{place} = {as_text(fault['input'])}: {fault['msg'][0].lower()}{fault['msg'][1:]}."
