"""What stands beside each sheet in a step: by template, by type, or drawn as BioTrove draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from naflora_etl.engine.tables import read_parquet
from naflora_etl.learning.caption_rows import caption_texts, read_names, with_names
from naflora_etl.learning.captions import TRAINING_TYPES, biotrove_texts
from naflora_etl.learning.contrast.recipe import WordOptions
from naflora_etl.learning.releases import Integers, Part


class Words:
    """The texts of a part's sheets; which of them a step uses depends on (seed, step, place) alone."""

    def __init__(self, rows: Sequence[dict[str, Any]], options: WordOptions) -> None:
        self.options = options
        if options.kind == "random":
            self.texts = [_trainable(row) for row in rows]
            return
        kind = None if options.kind == "template" else options.kind
        _, make = caption_texts(rows, template=options.template, kind=kind, knobs=("words.kind = ", "words.names"))
        self.texts = [{"txt": make(row)["txt"]} for row in rows]

    def of(self, sheets: Integers, *, seed: int, step: int) -> list[str]:
        """Return a text for each of the sheets of a step."""
        if self.options.kind != "random":
            return [self.texts[sheet]["txt"] for sheet in sheets.tolist()]
        random = np.random.default_rng([seed, step, 7])
        count = 1 if self.options.per == "batch" else len(sheets)
        kinds = [TRAINING_TYPES[number] for number in random.integers(len(TRAINING_TYPES), size=count)]
        if len(kinds) == 1:
            kinds *= len(sheets)
        # a kind that wants a common name, for a sheet without one: its kind without it
        return [
            self.texts[sheet].get(kind) or self.texts[sheet]["taxon" if kind == "taxon_com" else "sci"]
            for sheet, kind in zip(sheets.tolist(), kinds, strict=True)
        ]


def rows_of(part: Part, names: str = "none") -> list[dict[str, Any]]:
    """Return the rows of the manifest in the order of the part, with names from elsewhere."""
    manifest = read_parquet(part.folder / "manifest.parquet")
    rows = with_names(manifest, read_names(Path(names)) if names != "none" else {})
    by_key = {row["image_key"]: row for row in rows}
    return [by_key[key] for key in part.image_keys]


def _trainable(row: dict[str, Any]) -> dict[str, str]:
    return {kind: text for kind, text in biotrove_texts(row).items() if kind in TRAINING_TYPES}
