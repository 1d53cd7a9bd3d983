"""The templates of the pages that a release holds."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

TEMPLATES = PackageLoader("naflora_etl.publishing")
UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def render_page(template: str, **values: Any) -> str:
    """Return a page out of templates/; what is not said in `values` is an error, not a gap."""
    pages = Environment(
        loader=TEMPLATES,
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters |= {"number": _number, "percent": _percent, "size": _size, "cell": _cell, "brief": _brief}
    return pages.get_template(template).render(**values)


def read_template(name: str) -> str:
    """Return the text of a file of templates/ as it stands."""
    return TEMPLATES.get_source(Environment(), name)[0]


def _number(value: float) -> str:
    return f"{value:,}"


def _percent(part: float, whole: float = 1.0) -> str:
    share = 100 * part / whole if whole else 0.0
    return f"{share:.1f} %" if share < 99.95 or share == 100 else ">99.9 %"


def _size(size_bytes: float) -> str:
    for unit, worth in UNITS:
        if size_bytes >= worth:
            return f"{size_bytes / worth:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def _brief(text: object, longest: int = 80) -> str:
    """Return text that is no longer than `longest`, whatever an institution calls itself."""
    said = " ".join(str(text).split())
    return said if len(said) <= longest else said[: longest - 1].rstrip() + "…"


def _cell(text: object) -> str:
    """Return text that stays inside its cell of a Markdown table, whatever an institution calls itself."""
    return " ".join(str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
