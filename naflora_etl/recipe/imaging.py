"""What is done to an image: the section images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from naflora_etl.recipe.section import Count, Section


class ImagesOptions(Section):
    size_px: Annotated[int, Field(ge=16)] = 1000
    """Long side of the finished image; the paper's 1000. Never enlarged."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 92
    """4:2:0 JPEG; 92 keeps the paper's ~150 kB a sheet."""
    redact: Literal["craft", "none"] = "craft"
    """Detector whose text boxes are covered; none only for images that bear no text."""
    detect_px: Annotated[int, Field(ge=320)] = 2560
    """Long side on which text is looked for; 2560 found 95 % of verified words, 1280 82 %."""
    coarse_px: Annotated[int, Field(ge=0)] = 0
    """When above 0, text is found roughly at this size, then looked at closely only there; 1280 halves the cost."""
    grow: Annotated[float, Field(ge=0, le=2)] = 0.1
    """Boxes are grown by this share of their short side on each side before they are covered."""
    noise_seed: int = 1
    """Seed of the noise laid over the text, so that the same sheet gives the same bytes."""
    max_source_bytes: Count = 200_000_000
    """Larger bodies are refused while they arrive."""
    max_source_pixels: Count = 400_000_000
    """Larger images are refused by their header, before any decoding."""
    min_side_px: Count = 200
    """Smaller images are thumbnails or placeholders."""
    snapshot: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")] = "1"
    """Change this label to ask again for images that were gone or broken; finished ones stay."""
    images_per_slice: Count = 500
    """Images a resumable slice (species stay whole); a slice is one pack and one Prefect task."""
