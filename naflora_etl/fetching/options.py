"""What a fetch is told to do, and what it tells at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from naflora_etl.recipe import ImagesOptions

Output = Literal["webdataset", "files"]
UNASKED = frozenset({"KEY_UNUSABLE", "KEY_REPEATED", "URL_UNUSABLE"})
"""Rows that the list itself sets aside."""


@dataclass(frozen=True)
class FetchOptions:
    """Everything but the list, the folder and the manners."""

    images: ImagesOptions
    output: Output = "webdataset"
    shard_size: int = 1000
    """Rows of the list a shard; a shard holds those of them that became images."""
    again: bool = False
    """Whether what failed for good is asked again, too."""
    key_column: str = "key"
    url_column: str = "url"

    def shaping(self) -> dict[str, Any]:
        """Return what shapes an image, so that two ways are never mixed in one folder."""
        images = self.images
        shaping: dict[str, Any] = {
            "size_px": images.size_px,
            "jpeg_quality": images.jpeg_quality,
            "redact": images.redact,
            "iiif": images.iiif,
            "output": self.output,
        }
        if images.redact != "none":
            skipped = {"snapshot", "images_per_slice", *shaping}
            shaping |= {name: value for name, value in images.model_dump(mode="json").items() if name not in skipped}
        return shaping


@dataclass
class Summary:
    """What came of a list."""

    rows: int
    images: int
    issues: dict[str, int]
    shards: dict[str, dict[str, Any]]
    """By name: samples, bytes, and for a tar its sha256."""
    asked: int = 0
    """Addresses asked by this run."""
    auto_keys: bool = False
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By host, for this run: addresses asked, bytes that came, issues."""
    reduced: int = 0
    """Images of this run that came from a IIIF service as small as is needed, rather than whole."""
    reduced_bytes: int = 0
    """What these weighed; what they would have weighed, nobody said."""
