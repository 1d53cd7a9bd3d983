"""What leaves the house: the sections shards and release."""

from __future__ import annotations

from naflora_etl.recipe.section import Count, Section


class ShardsOptions(Section):
    samples_per_shard: Count = 1000
    """Samples a tar at most; about 150 MB at 1000 px."""
    shuffle_seed: int = 3
    """Samples are shuffled once, so that a shard is a fair sample."""


class ReleaseOptions(Section):
    title: str = "Untitled herbarium dataset"
    """Title of the dataset card."""
    version: str = "0.1.0"
    """Version of the release; part of the tarball's name."""
    description: str = ""
    """A paragraph for the dataset card."""
    publisher: str = ""
    """Who publishes it."""
    contact_sheet: Count = 12
    """Images on the report's contact sheet."""
