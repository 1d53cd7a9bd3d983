"""Which images, and on which side: the sections selection and split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from naflora_etl.recipe.section import Count, Section, Share

GENUS_KEY = "genus:"
"""Before the name of a genus: the key of a class that its species share (split.infeasible = "merge")."""


class SelectionOptions(Section):
    seed: int = 1
    """Which images of a species are taken; the same seed keeps the choice stable over years."""
    servers: Annotated[int, Field(ge=1)] | Literal["all", "frontier"] = 15
    """How many image servers at most; the paper's 15, chosen nobody knows how. "frontier": as the knee says."""
    coverage: Annotated[float, Field(gt=0, le=1)] | None = None
    """Instead of `servers`: as few as cover this share of the species that all servers together can cover."""
    threshold: Count = 10
    """Unique images that make a species covered; the paper says "at least 10" here and "n <= 10 removed" there (11)."""
    cap: Count = 100
    """Images a species at most; the paper's 100."""
    spread: Literal["off", "institution", "region", "year"] = "off"
    """Over what a species' images take turns, lest one herbarium fill the cap; docs/split.md tells the churn."""
    spares: Annotated[int, Field(ge=0)] = 10
    """Ranked replacements a species for images that turn out dead."""
    require_hosts: tuple[str, ...] = ()
    """Servers that must be among the chosen."""
    exclude_hosts: tuple[str, ...] = ()
    """Servers that must not be asked."""
    host_costs: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Cost of a request by host (seconds in its lane, say), 1 when not named; settles ties; the paper is silent."""
    prefer_hosts: tuple[str, ...] = ()
    """Servers of the last release, which stay while that costs few species; a new harvest else flips near ties."""
    prefer_within: Share = 0.002
    """Share of the best choice's species that may be given up to keep preferred servers."""
    proof_nodes: Annotated[int, Field(ge=0)] = 100
    """Branches tried to prove the choice, fewer in large tables; not seconds, so that all machines choose the same."""

    @model_validator(mode="after")
    def _one_demand(self) -> SelectionOptions:
        if self.coverage is not None and "servers" in self.model_fields_set:
            raise ValueError("servers and coverage are two demands; say one of them")
        return self


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
    near: Annotated[int, Field(ge=0, le=8)] | Literal["off"] = 4
    """Bits of 64 in which two images of a species may differ and be one picture; docs/split.md measures 0 to 8."""
    infeasible: Literal["drop", "train", "merge"] = "drop"
    """A class that hangs together (one gathering): left out; trained on, never tested; or one class with its genus'."""
    ledger: tuple[str, ...] = ()
    """Earlier releases (folders or manifest.parquet), all of them: no image in them ever changes its side."""
    public_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the test images that a competition scores in public (test_half); the rest stays private."""
    folds: Annotated[int, Field(ge=0)] = 0
    """Into how many folds the training images are dealt for cross-validation; 0: none."""

    @field_validator("ledger", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("folds")
    @classmethod
    def _two_at_least(cls, value: int) -> int:
        if value == 1:
            raise ValueError("one fold leaves nothing to train on; say 0 or 2 and more")
        return value
