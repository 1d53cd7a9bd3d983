"""What a reharvest may take away: the section reharvest."""

from __future__ import annotations

from naflora_etl.recipe.section import Section, Share


class ReharvestOptions(Section):
    most_lost: Share = 0.2
    """Share of a source's images; a greater loss is believed only where half of a sample of records is gone by key."""
