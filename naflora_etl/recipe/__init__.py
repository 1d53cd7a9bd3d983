"""A recipe: every knob, frozen, a section per stage, a half-line of why each.

A recipe file is TOML and holds only what differs from the defaults below. An unknown key is refused with the nearest
known one named. Paths are relative to the recipe's own folder; `${NAME}` in a string is taken from the environment.
"""

from naflora_etl.recipe.choosing import SelectionOptions, SplitOptions
from naflora_etl.recipe.gathering import HarvestOptions, RecordsOptions
from naflora_etl.recipe.given import check_recipe, find_recipe, override
from naflora_etl.recipe.imaging import ImagesOptions
from naflora_etl.recipe.manners import HostPolicy, HttpOptions
from naflora_etl.recipe.naming import ChecklistOptions, TaxaOptions, WcvpOptions
from naflora_etl.recipe.publishing import ReleaseOptions, ShardsOptions
from naflora_etl.recipe.reading import Recipe, RecipeError, make_recipe, read_recipe, read_toml, tell_faults
from naflora_etl.recipe.renewing import ReharvestOptions
from naflora_etl.recipe.sandboxing import SandboxOptions
from naflora_etl.recipe.section import Count, Name, Section, Share

__all__ = [
    "ChecklistOptions",
    "Count",
    "HarvestOptions",
    "HostPolicy",
    "HttpOptions",
    "ImagesOptions",
    "Name",
    "Recipe",
    "RecipeError",
    "RecordsOptions",
    "ReharvestOptions",
    "ReleaseOptions",
    "SandboxOptions",
    "Section",
    "SelectionOptions",
    "ShardsOptions",
    "Share",
    "SplitOptions",
    "TaxaOptions",
    "WcvpOptions",
    "check_recipe",
    "find_recipe",
    "make_recipe",
    "override",
    "read_recipe",
    "read_toml",
    "tell_faults",
]
