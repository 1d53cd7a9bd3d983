"""README.md: the dataset card, with the head that the Hugging Face Hub reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from naflora_etl import __version__
from naflora_etl.publishing.citation import render_bibtex
from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.pages import render_page
from naflora_etl.publishing.report import shorten

HUB_LICENCES = ("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0",
                "cc-by-nc-nd-4.0", "cc-by-3.0", "cc-by-sa-3.0", "cc-by-nc-3.0", "cc-by-nc-sa-3.0")  # fmt: skip
"""Licences that the Hub knows by name."""
HUB_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def render_card(contents: Contents, reading: Mapping[str, Any] | None = None) -> str:
    """Return the card; every figure in it is counted from the tables, every choice read from the recipe.

    `reading` holds the figures of an independent reader, where one read a sample of the images.
    """
    return render_page(
        "card.md",
        release=contents.release,
        head=_head(contents),
        recipe=contents.recipe,
        backbone=contents.backbone,
        figures=contents.figures,
        funnel=contents.funnel,
        silences=contents.silences,
        licence=contents.licence,
        licences=contents.licences,
        institutions=shorten(contents.institutions, 40),
        datasets=shorten(contents.titles, 40),
        dataset_count=len(contents.titles),
        redaction=contents.redaction,
        reading=reading,
        version=__version__,
        bibtex=render_bibtex(contents),
    )


def _head(contents: Contents) -> dict[str, str]:
    """Return the values of the card's YAML head, quoted as JSON, which YAML reads."""
    name = (contents.licence or "").lower()
    licence = name if name in HUB_LICENCES else "cc" if name.startswith("cc") else "other"
    images = contents.figures["images"]
    size = next((name for limit, name in HUB_SIZES if images < limit), "1M<n<10M")
    return {"title": json.dumps(contents.release["title"], ensure_ascii=False), "licence": licence, "size": size}
