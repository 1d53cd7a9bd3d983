"""Country names and codes, as records write them -> ISO 3166 codes."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files


def country_code(text: str | None) -> str | None:
    """Return the two-letter code of a country given as alpha-2, alpha-3 or name; None when it is none of them."""
    return _codes().get(_folded(text)) if text else None


def alpha3_code(alpha2: str) -> str | None:
    """Return the three-letter code of a two-letter one."""
    return _alpha3().get(alpha2.upper())


@cache
def _codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    for alpha2, alpha3, names in _rows():
        for text in (alpha2, alpha3, *names.split("|")):
            codes[_folded(text)] = alpha2
    return codes


@cache
def _alpha3() -> dict[str, str]:
    return {alpha2: alpha3 for alpha2, alpha3, _ in _rows()}


def _rows() -> list[list[str]]:
    text = (files(__package__) / "countries.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("&", " and "))
    return re.sub(r"[^a-z]+", " ", "".join(c for c in plain if not unicodedata.combining(c)).replace(".", "")).strip()
