"""The curator's page: each disputed sheet beside a sheet of its label's species and one of the model's."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from naflora_etl.learning.cabinet.heldout import read_files
from naflora_etl.learning.releases import Part, Release

THUMBNAIL_PX = (300, 420)
BESIDE_PX = (150, 210)
QUALITY = 80


@dataclass(frozen=True)
class Sheet:
    """A disputed sheet: its row of the table, its number in its part, and the class that the model names."""

    row: dict[str, Any]
    number: int
    predicted: int


def page_text(shown: Sequence[Sheet], release: Release, part: Part, *, title: str, of: int) -> str:
    """Return review.html, pictures inside; a picture that cannot be read is left blank."""
    pages = Environment(
        loader=PackageLoader("naflora_etl.learning.cabinet"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    train = release.part("train")
    beside = {species: picture_of(species, train) for sheet in shown for species in _species(sheet, part)}
    cards = [
        {
            "row": sheet.row,
            "picture": _picture(part, sheet.number, THUMBNAIL_PX),
            "label_picture": beside[_species(sheet, part)[0]],
            "predicted_picture": beside[_species(sheet, part)[1]],
        }
        for sheet in shown
    ]
    families = Counter(sheet.row["label_family"] for sheet in shown).most_common()
    return pages.get_template("review.html").render(
        cards=cards, families=families, title=title, of=of, sheets=len(part)
    )


def picture_of(species: int, train: Part) -> str:
    """Return a training sheet of a class, the first by its key, as a data URI; empty when there is none."""
    numbers = np.flatnonzero(train.class_ids == species)
    return _picture(train, int(numbers[0]), BESIDE_PX) if len(numbers) else ""


def _species(sheet: Sheet, part: Part) -> tuple[int, int]:
    return int(part.class_ids[sheet.number]), sheet.predicted


def _picture(part: Part, number: int, size: tuple[int, int]) -> str:
    try:
        with Image.open(io.BytesIO(next(iter(read_files(part, [number]))))) as image:
            image.draft("RGB", (2 * size[0], 2 * size[1]))
            picture = image.convert("RGB")
        picture.thumbnail(size, Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError):
        return ""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
