"""What a release holds, gathered once for all the files that tell about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.publishing.diff import Difference
from naflora_etl.publishing.funnel import Host, Step
from naflora_etl.publishing.kaggle import UNNAMED
from naflora_etl.publishing.licences import Licence, name_licence, whole_licence
from naflora_etl.publishing.manifest import Names as DatasetNames
from naflora_etl.publishing.manifest import list_datasets
from naflora_etl.publishing.verdicts import Names

SOURCES = {"gbif": "GBIF", "idigbio": "iDigBio"}


class Count(NamedTuple):
    """A name, how many images bear it, and how many of those are to test on."""

    name: str
    images: int
    test: int = 0

    @property
    def train(self) -> int:
        """Images to train on."""
        return self.images - self.test


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
    names: Names | None = None
    changes: Difference | None = None
    """What changed since the release before this one, where the recipe names it."""
    dataset_names: DatasetNames = field(default_factory=dict)
    """Title, DOI and citation of the datasets that told their title, by source and key."""
    silences: tuple[str, ...] = ()
    """A sentence for each aggregator that did not answer about some taxa."""

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
        return self._count(pc.if_else(pc.equal(codes, ""), UNNAMED, codes))

    @cached_property
    def families(self) -> tuple[Count, ...]:
        """Images of each family, the largest first."""
        return self._count(self.manifest["family"])

    @cached_property
    def countries(self) -> tuple[Count, ...]:
        """Images from each country, the largest first."""
        return self._count(pc.coalesce(self.manifest["countryCode"], UNNAMED))

    @cached_property
    def datasets(self) -> pa.Table:
        """The table of datasets, with what is known of their names."""
        return list_datasets(self.manifest, self.dataset_names)

    @cached_property
    def titles(self) -> tuple[Count, ...]:
        """Images of each data set of the aggregators, by its title, else its key; the largest first."""
        rows = self.manifest.select(["source", "datasetKey", "part"])
        counts: Counter[tuple[str, str | None, str]] = Counter()
        for row in rows.group_by(rows.column_names).aggregate([([], "count_all")]).to_pylist():
            counts[row["source"], row["datasetKey"], row["part"]] = row["count_all"]
        listed = [
            (row["title"] or row["datasetKey"] or UNNAMED, row["source"], row["datasetKey"], row["images"])
            for row in self.datasets.to_pylist()
        ]
        times = Counter(name for name, *_ in listed)
        found = []
        for name, source, key, images in listed:  # one set comes under one title from both aggregators
            told = f"{name} ({SOURCES.get(source, source)})" if times[name] > 1 else name
            found.append(Count(told, images, counts[source, key, "test"]))
        return tuple(sorted(found, key=lambda count: (-count.images, count.name)))

    @cached_property
    def licences(self) -> tuple[tuple[Count, Licence], ...]:
        """Images under each licence, the most frequent first, with the licence's name and address."""
        return tuple((count, name_licence(count.name)) for count in self._count(self.manifest["license"]))

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

    @cached_property
    def years(self) -> tuple[tuple[int, int, int], ...]:
        """Year of gathering, images to train on, images to test on; in order, without those whose year is unknown."""
        rows = self.manifest.select(["year", "part"])
        known = rows.filter(pc.is_valid(rows["year"]))
        counts = self._count(known["year"], known)
        return tuple(sorted((int(count.name), count.train, count.test) for count in counts))

    def _count(self, column: pa.ChunkedArray, rows: pa.Table | None = None) -> tuple[Count, ...]:
        """Return how many of `rows` (all when not said) bear each value of `column`, the most frequent first."""
        part = (self.manifest if rows is None else rows)["part"]
        table = pa.table({"name": column, "test": pc.cast(pc.equal(part, "test"), pa.int64())})
        grouped = table.group_by("name").aggregate([("test", "sum"), ([], "count_all")]).to_pylist()
        found = [Count(row["name"], row["count_all"], row["test_sum"]) for row in grouped]
        return tuple(sorted(found, key=lambda count: (-count.images, count.name)))
