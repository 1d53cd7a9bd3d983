"""What a recipe can say, listed from its own class: names, defaults, and half a line of why each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel


def knobs(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (dotted name, default as TOML-like text, half a line of why) for every knob, in the order of this page."""
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        if section is not None:
            each = "<host>." if get_origin(field.annotation) is dict else ""
            yield from knobs(section, f"{prefix}{name}.{each}")
        else:
            default = "required" if field.is_required() else as_text(field.get_default(call_default_factory=True))
            yield f"{prefix}{name}", default, field.description or ""


def describe_knobs(model: type[BaseModel]) -> str:
    """Return docs/recipe.md: every knob in a table a section."""
    lines = [
        "# Every knob of a recipe",
        "",
        "A recipe is a TOML file that holds only what differs from these defaults. An unknown key is refused with the",
        "nearest known one named. Paths are seen from the recipe's folder; `${NAME}` and `${NAME:-default}` come from",
        "the environment. This page is `naflora knobs --markdown`, and a test compares the two.",
    ]
    section = None
    for name, default, why in knobs(model):
        here, _, knob = name.rpartition(".")
        if here != section:
            section = here
            title = f"`[{here}]`" if here else "At the top"
            lines += ["", f"## {title}", "", "| knob | default | why |", "| --- | --- | --- |"]
        lines.append(f"| `{knob}` | `{default}` | {why} |")
    return "\n".join(lines) + "\n"


def _section_of(annotation: Any) -> type[BaseModel] | None:
    for option in (annotation, *get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def as_text(value: object) -> str:
    """Return a value as a recipe would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(as_text(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
