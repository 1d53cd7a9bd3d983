"""Which images, and on which side: the sections selection and split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from naflora_etl.recipe.section import Count, Section, Share


class SelectionOptions(Section):
    seed: int = 1
    """Which images of a species are taken; the same seed keeps the choice stable over years."""
    servers: Annotated[int, Field(ge=1)] | Literal["all"] = 15
    """How many image servers at most; the paper used 15. "all": as many as there are."""
    threshold: Count = 10
    """A species counts as covered from this many images on the chosen servers."""
    cap: Count = 100
    """Images a species at most; the paper's 100."""
    spares: Annotated[int, Field(ge=0)] = 10
    """Ranked replacements a species for images that turn out dead."""
    require_hosts: tuple[str, ...] = ()
    """Servers that must be among the chosen."""
    exclude_hosts: tuple[str, ...] = ()
    """Servers that must not be asked."""


class SplitOptions(Section):
    seed: int = 2
    """Which specimens are tested on; must differ from selection's seed in meaning, so it has a salt of its own."""
    minimum: Count = 10
    """Images a species at least, counted after the downloads; a class with fewer is left out."""
    test_share: Share = 0.2
    """The paper's 80/20."""
    min_test: Count = 2
    """Test images a class at least; the paper's two."""
    min_train: Count = 1
    """Training images a class at least."""
