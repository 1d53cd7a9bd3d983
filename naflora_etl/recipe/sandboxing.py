"""The embedded sandbox: the section sandbox."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from naflora_etl.recipe.section import Count, Section, Share


class SandboxOptions(Section):
    seed: int = 1
    """The same seed makes the same world, to the pixel."""
    species: Count = 12
    """Species that grow in it."""
    specimens_per_species: Count = 16
    """Mean number of specimens a species; a long tail around it."""
    quarter: Annotated[int, Field(ge=0)] = 0
    """Quarters of a year that passed: records were withdrawn, redetermined, relicensed, edited, added, renumbered."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 8640
    """Port on every loopback address of the world; fixed, since it is part of each image's URL."""
    min_sheet_px: Count = 3000
    """Long side of the smallest sheet."""
    max_sheet_px: Count = 6000
    """Long side of the largest sheet."""
    drop_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of requests for images whose connection is cut, half of them in the middle of the body."""
    dies_after: Annotated[int, Field(ge=0)] = 0
    """When above 0, the steady server cuts every connection from its so many-th picture on, as long as it runs."""
    gbif_lists: Share = 1.0
    """Share of its records that the GBIF look-alike's search knows; by key all answer, as while an index is rebuilt."""
    download_s: Annotated[float, Field(ge=0)] = 0.0
    """Seconds that the GBIF look-alike takes to prepare a download."""

    @model_validator(mode="after")
    def _sizes_in_order(self) -> SandboxOptions:
        if self.min_sheet_px > self.max_sheet_px:
            raise ValueError(f"min_sheet_px {self.min_sheet_px} is above max_sheet_px {self.max_sheet_px}")
        return self
