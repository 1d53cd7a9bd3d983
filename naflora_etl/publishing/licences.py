"""Licences by their SPDX-like ids: name, address, and what a set of them amounts to as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

UNKNOWN = "NOASSERTION"
"""SPDX's word for a licence that nobody stated; only in a release whose recipe allows it."""

PUBLIC_DOMAIN = {
    "CC0": ("CC0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "PDM": ("Public Domain Mark", "https://creativecommons.org/publicdomain/mark/1.0/"),
    "CC-PDDC": ("Public Domain Dedication", "https://creativecommons.org/licenses/publicdomain/"),
}
TERMS = {"BY": "Attribution", "NC": "NonCommercial", "SA": "ShareAlike", "ND": "NoDerivatives"}

# each of these lets its images stand under every licence after it
LADDER = (*PUBLIC_DOMAIN, "CC-BY", "CC-BY-NC")


class Licence(NamedTuple):
    """A licence's name, and where its text stands where that is known."""

    name: str
    url: str


def kind_of(license: str) -> str:
    """Return a licence id without its version, as a recipe's policy counts: CC-BY-NC for CC-BY-NC-3.0."""
    return re.sub(r"-\d\.\d$", "", license)


def name_licence(license: str) -> Licence:
    """Return what is known of a licence id; the id itself as its name when it is none of ours."""
    kind = kind_of(license)
    version = license[len(kind) + 1 :]
    if license == UNKNOWN:
        return Licence("Not stated by the source", "")
    if kind in PUBLIC_DOMAIN:
        return Licence(*PUBLIC_DOMAIN[kind])
    prefix, *terms = kind.split("-")
    if prefix != "CC" or not terms or not set(terms) <= set(TERMS):
        return Licence(license, "")
    name = "-".join(TERMS[term] for term in terms)
    if not version:
        return Licence(f"{name}, no version told", "")
    return Licence(f"{name} {version}", f"https://creativecommons.org/licenses/{'-'.join(terms).lower()}/{version}/")


def whole_licence(inside: Iterable[str]) -> str | None:
    """Return the licence under which images of these licences can be used as a whole; None when there is none.

    Within public domain, BY and BY-NC that is the strictest inside, without a version where several are; share-alike
    and no-derivatives do not mix.
    """
    licenses = set(inside)
    kinds = {kind_of(license) for license in licenses}
    if not kinds or UNKNOWN in kinds or (len(kinds) > 1 and not kinds <= set(LADDER)):
        return None
    strictest = max(kinds, key=LADDER.index) if len(kinds) > 1 else kinds.pop()
    said = [license for license in licenses if kind_of(license) == strictest]
    return said[0] if len(said) == 1 else strictest
