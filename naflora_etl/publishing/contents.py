"""What a release holds, gathered once for all the files that tell about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.publishing.funnel import Host, Step
from naflora_etl.publishing.kaggle import UNNAMED
from naflora_etl.publishing.licences import Licence, name_licence, whole_licence


class Count(NamedTuple):
    """A name and how many images bear it."""

    name: str
    images: int


@dataclass(frozen=True)
class Contents:
    """The published tables, the funnel that led to them, and the recipe as published."""

    recipe: dict[str, Any]
    manifest: pa.Table
    classes: pa.Table
    excluded: pa.Table
    funnel: tuple[Step, ...]
    hosts: tuple[Host, ...]
    backbone: dict[str, Any] | None = None
    """The backbone of names that was read: its file, layout, version and sha256."""
    certificate: dict[str, Any] | None = None
    """servers.json of the selection: the frontier of servers, the bounds, and the choice."""

    @property
    def release(self) -> dict[str, Any]:
        """The recipe's section `release`: title, version, description, publisher."""
        return dict(self.recipe["release"])

    @cached_property
    def figures(self) -> dict[str, int]:
        """The numbers that come first: images, train, test, species, genera, families, specimens, institutions."""
        train = int(pc.sum(self.classes["images_train"]).as_py() or 0)
        return {
            "images": self.manifest.num_rows,
            "train": train,
            "test": self.manifest.num_rows - train,
            "species": self.classes.num_rows,
            "genera": len(pc.unique(self.classes["genus"])),
            "families": len(pc.unique(self.classes["family"])),
            "specimens": len(pc.unique(self.manifest["specimen_key"])),
            "institutions": sum(count.name != UNNAMED for count in self.institutions),
            "size_bytes": int(pc.sum(self.manifest["length_bytes"]).as_py() or 0),
        }

    @cached_property
    def institutions(self) -> tuple[Count, ...]:
        """Images of each institution, the largest first."""
        codes = pc.coalesce(self.manifest["institutionCode"], self.manifest["collectionCode"], UNNAMED)
        return _counts(pc.if_else(pc.equal(codes, ""), UNNAMED, codes))

    @cached_property
    def families(self) -> tuple[Count, ...]:
        """Images of each family, the largest first."""
        return _counts(self.manifest["family"])

    @cached_property
    def countries(self) -> tuple[Count, ...]:
        """Images from each country, the largest first."""
        return _counts(pc.coalesce(self.manifest["countryCode"], UNNAMED))

    @cached_property
    def datasets(self) -> tuple[Count, ...]:
        """Images of each data set of the aggregators, the largest first."""
        return _counts(pc.coalesce(self.manifest["datasetKey"], UNNAMED))

    @cached_property
    def licences(self) -> tuple[tuple[Count, Licence], ...]:
        """Images under each licence, the most frequent first, with the licence's name and address."""
        return tuple((count, name_licence(count.name)) for count in _counts(self.manifest["license"]))

    @cached_property
    def licence(self) -> str | None:
        """The licence that the images can be used under as a whole, None when theirs do not mix."""
        return whole_licence(count.name for count, _ in self.licences)

    @cached_property
    def redaction(self) -> dict[str, float]:
        """Images with text found, boxes covered, and the mean share of an image that was covered, 0 to 1."""
        boxes = self.manifest["text_boxes"]
        return {
            "images_with_text": int(pc.sum(pc.greater(boxes, 0)).as_py() or 0),
            "boxes": int(pc.sum(boxes).as_py() or 0),
            "mean_share": float(pc.mean(self.manifest["text_share"]).as_py() or 0.0),
        }


def _counts(column: pa.ChunkedArray) -> tuple[Count, ...]:
    found = [Count(row["values"], row["counts"]) for row in pc.value_counts(column).to_pylist()]
    return tuple(sorted(found, key=lambda count: (-count.images, count.name)))
