"""The contents of a release of any size, with everything that a page must bear: thousands of rows, endless names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from naflora_etl.engine.tables import read_parquet
from naflora_etl.issues import ISSUES
from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.diff import COLUMNS, compare_manifests
from naflora_etl.publishing.funnel import Host, Reason, Step
from naflora_etl.publishing.provenance import publish_recipe
from naflora_etl.publishing.verdicts import count_names
from naflora_etl.recipe import make_recipe

LONG = "Herbarium of the <Royal> Society & Friends of Very Long Names " * 5


def make_contents(release: Path, images: int) -> Contents:
    """Return what `release` becomes with so many images, a species for every 15, and as much of everything else."""
    numbers = np.arange(images)
    seed = read_parquet(release / "manifest.parquet")
    manifest = seed.take(pa.array(numbers % seed.num_rows))
    some = {
        "image_key": [f"{number:020x}" for number in numbers],
        "specimen_key": [f"NY:{number}" for number in numbers],
        "gathering_key": [None] * images,
        "sha256": [f"{number:064x}" for number in numbers],
        "source_sha256": [f"{number:064x}" for number in numbers],
        "dhash": [None] * images,
        "institutionCode": [f"{LONG}{number % (images // 20)}" for number in numbers],
        "family": [f"Family{number % (images // 40)}aceae" for number in numbers],
        "countryCode": [f"{number % (images // 40)}" for number in numbers],
        "year": [1600 + int(number) % 500 for number in numbers],
        "part": ["test" if number % 5 == 0 else "train" for number in numbers],
        "license": [f"LICENCE-{number % (images // 30)}" for number in numbers],
    }
    for name, values in some.items():
        place = manifest.schema.get_field_index(name)
        manifest = manifest.set_column(place, name, pa.array(values, manifest.schema.field(place).type))
    classes = read_parquet(release / "classes.parquet")
    classes = classes.take(pa.array(numbers[: images // 15] % classes.num_rows))
    reasons = tuple(Reason(issue, sentence, 7) for issue, sentence in ISSUES.items())
    taxa = pa.table(
        {
            "checklist_key": [f"flora:{number}" for number in range(images // 30)],
            "scientificName": [LONG] * (images // 30),
            "scientificNameAuthorship": [LONG] * (images // 30),
            "verdict": ["ambiguous"] * (images // 30),
            "alternatives": [LONG * 9] * (images // 30),
            "issue": ["NAME_AMBIGUOUS"] * (images // 30),
            **{name: pa.nulls(images // 30, pa.string()) for name in ("rule", "taxon_name", "taxon_id")},
        }
    )
    return Contents(
        recipe=publish_recipe(make_recipe({"name": "large"}, folder=release)),
        manifest=manifest,
        classes=classes,
        excluded=read_parquet(release / "excluded.parquet"),
        funnel=tuple(Step(stage, "things", images, reasons) for stage in ("checklist", "taxa", "records", "images")),
        hosts=tuple(Host(f"{number}.{LONG}", images, reasons[:40]) for number in range(images // 30)),
        certificate={
            "frontier": [
                {"k": k, "species": k, "bound": k + 1, "proven": False, "capped_images": k, "hosts": [LONG, str(k)]}
                for k in range(1, images // 20)
            ],
            "choice": {"k": 100, "species": 100},
            "threshold": 10,
            "servers": images // 40,
            "reachable_species": images,
            "explanation": "As few as will do.",
        },
        changes=compare_manifests(
            {"name": "large", "version": "1", "images": images},
            manifest.select(COLUMNS).slice(images // 2),
            {"name": "large", "version": "2", "images": images},
            manifest.select(COLUMNS),
        ),
        names=count_names(taxa, classes, {"ambiguous": "Homonyms."}, {}, ()),
    )
