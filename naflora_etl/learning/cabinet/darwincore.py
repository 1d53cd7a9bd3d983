"""Identifications as Darwin Core: a CSV that goes back into a collection's database."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from naflora_etl.learning.cabinet.exported import Label
from naflora_etl.learning.cabinet.identify import Identification

COLUMNS = (
    "associatedMedia",
    "scientificName",
    "scientificNameAuthorship",
    "taxonRank",
    "taxonID",
    "genus",
    "family",
    "identificationQualifier",
    "identifiedBy",
    "dateIdentified",
    "identificationVerificationStatus",
    "identificationRemarks",
    "dynamicProperties",
    "issue",
)
"""Terms of Darwin Core (https://dwc.tdwg.org/terms/), and last our own: why a file has no identification."""


def write_rows(
    stream: IO[str], found: Iterable[Identification], *, root: Path, model: str, date: str, coverage: float
) -> Iterator[Identification]:
    """Write a row for each identification, and pass it on; `associatedMedia` is the path seen from `root`."""
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for one in found:
        media = one.path.relative_to(root).as_posix() if root in one.path.parents else str(one.path)
        row = {"associatedMedia": media, "issue": one.issue or ""}
        if not one.issue:
            row |= _facts(one, coverage) | {"identifiedBy": model, "dateIdentified": date}
        writer.writerow(row)
        yield one


def _facts(one: Identification, coverage: float) -> dict[str, str]:
    """The set at the rank where it agrees; below that rank the likeliest stands as a qualifier: Carex cf. alba."""
    first = one.top[0].label
    doubtful = one.rank != "species"
    rank = one.rank if one.candidates else "species"
    named = {
        "species": {
            "scientificName": first.taxon_name,
            "scientificNameAuthorship": first.taxon_authors,
            "taxonID": first.taxon_id,
            "genus": first.genus,
            "family": first.family,
        },
        "genus": {"scientificName": first.genus, "genus": first.genus, "family": first.family},
        "family": {"scientificName": first.family, "family": first.family},
        None: {},
    }[rank]
    likeliest = [
        {"scientificName": some.label.taxon_name, "probability": round(some.probability, 4)} for some in one.top
    ]
    return {
        **named,
        "taxonRank": rank or "",
        "identificationQualifier": _qualifier(first, rank) if doubtful else "",
        "identificationVerificationStatus": "unverified",
        "identificationRemarks": _remarks(one, coverage),
        "dynamicProperties": json.dumps({"likeliest": likeliest}, ensure_ascii=False),
    }


def _qualifier(first: Label, rank: str | None) -> str:
    if rank == "species":
        return "?"
    return f"cf. {first.taxon_name.removeprefix(f'{first.genus} ') if rank == 'genus' else first.taxon_name}"


def _remarks(one: Identification, coverage: float) -> str:
    if not one.candidates:
        return f"The likeliest species, at {one.top[0].probability:.1%} by a model that was not calibrated."
    names = " | ".join(label.taxon_name for label in one.candidates)
    return f"{one.finding()}; {coverage:.0%} of such sets hold the right species: {names}"
