"""The promises that recipe.json makes of the split: images a class at least, in all, to test on and to train on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from naflora_etl.publishing.findings import Finding

LEAST = {"minimum": "", "min_test": " to test on", "min_train": " to train on"}


def check_minima(classes: pa.Table, recipe: dict[str, Any]) -> Iterator[Finding]:
    """Yield, for each minimum of the recipe's section split, how many classes have fewer images, and the first.

    A class without any image in a part is told of elsewhere, or wanted (split.infeasible = "train"). An image that
    could not be packed after the split may be what a class lacks; then the release was not built anew since.
    """
    rows = classes.to_pylist()
    for knob, what in LEAST.items():
        least = recipe["split"][knob]
        few = [(row, count) for row in rows if 0 < (count := _count(row, knob)) < least]
        if few:
            row, count = few[0]
            first = f"class {row['class_id']} ({row['taxon_name']}) with {count}"
            asked = f"split.{knob} = {least} in recipe.json"
            found = f"classes with fewer images{what} than {asked}: {len(few)}, first {first}"
            yield Finding("classes.parquet", found)


def _count(row: dict[str, Any], knob: str) -> int:
    counts = {"min_test": row["images_test"], "min_train": row["images_train"]}
    return int(counts.get(knob, row["images_train"] + row["images_test"]))
