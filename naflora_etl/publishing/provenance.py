"""recipe.json: the recipe that a release was made by, without what belongs to one machine or one person."""

from __future__ import annotations

import json
from typing import Any

from naflora_etl.recipe import Recipe

LEFT_OUT = ("http", "sandbox")
"""Manners towards servers and the person who answers for them; they shape no row of the release."""


def publish_recipe(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe's choices as JSON values; of given files the names alone, so every machine gives the same."""
    values = recipe.model_dump(mode="json")
    is_sandbox = values["sandbox"] is not None
    for name in LEFT_OUT:
        values.pop(name)
    values["checklist"]["paths"] = [_name(path) for path in values["checklist"]["paths"]]
    values["wcvp"]["path"] = values["wcvp"]["path"] and _name(values["wcvp"]["path"])
    values["taxa"]["overrides"] = values["taxa"]["overrides"] and _name(values["taxa"]["overrides"])
    values["release"]["tree"] = values["release"]["tree"] and _name(values["release"]["tree"])
    values["harvest"]["archives"] = [_name(path) for path in values["harvest"]["archives"]]
    values["release"]["previous"] = values["release"]["previous"] and _name(values["release"]["previous"])
    values["split"]["ledger"] = [_name(path) for path in values["split"]["ledger"]]
    return values | {"is_sandbox": is_sandbox}


def render_recipe(values: dict[str, Any]) -> bytes:
    """Return the text of recipe.json."""
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def _name(path: str) -> str:
    """Return the name of a file; of an address without its query, which may hold somebody's key."""
    path = path.partition("?")[0] if "://" in path else path
    return path.rstrip("/").rsplit("/", 1)[-1]
