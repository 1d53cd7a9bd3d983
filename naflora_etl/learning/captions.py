"""Captions from metadata: a template filled from columns, the columns that separate classes, BioTrove's ten texts."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from naflora_etl.engine.faults import Fault

Row = Mapping[str, Any]
LIT_TEMPLATE = "A photo of the {common_name} {supercategory} {scientificName}."
"""Nakkab et al. 2023: common name, supercategory and scientific name of iNaturalist-2021."""
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
OF_VASCULAR_PLANTS = {"kingdom": "Plantae", "phylum": "Tracheophyta", "supercategory": "Plants"}
"""What is true of every taxon of our releases, whose backbone holds vascular plants alone."""
TEXT_TYPES = (
    "com", "common_name", "sci", "sci_com", "scientific_name", "taxon", "taxonTag", "taxonTag_com", "taxon_com",
    "taxonomic_name",
)  # fmt: skip
TRAINING_TYPES = ("sci", "com", "taxon", "sci_com", "taxon_com")
"""Those of which BioTrove's training draws one at random."""


def caption_row(row: Row) -> dict[str, str]:
    """Return the texts of a row by name; empty ones are left out.

    In a release taxon_name is the class, without authors; its scientificName is what a collection wrote, so the
    first stands for both.
    """
    named = OF_VASCULAR_PLANTS | {key: str(value).strip() for key, value in row.items() if value is not None}
    named["scientificName"] = named.get("taxon_name") or named.get("scientificName", "")
    if "common_name" in named:
        named.setdefault("common", named["common_name"])
    named.setdefault("scientific", named["scientificName"])
    return {key: value for key, value in named.items() if value}


def fill_template(template: str, row: Row) -> str:
    """Return the caption: {column} replaced, a missing value left out together with the space before it."""
    named, pieces = caption_row(row), []
    for text, column, _, _ in string.Formatter().parse(template):
        value = named.get(column, "") if column is not None else ""
        pieces += [text, value]
        if column is not None and not value:
            pieces[-2] = text.rstrip()
    return " ".join("".join(pieces).split())


def check_template(template: str, columns: Sequence[str], knob: str = "--template") -> None:
    """Raise Fault for a template (the reader gave it as `knob`) that names no column, or one that no row has."""
    try:
        wanted = [column for _, column, _, _ in string.Formatter().parse(template) if column is not None]
    except ValueError as error:
        raise Fault(f'{knob} "{template}" cannot be read ({error}); write "A photo of {{taxon_name}}."') from None
    known = sorted({*columns, *OF_VASCULAR_PLANTS, "scientificName", "scientific", "common", "common_name"})
    strangers = [column for column in wanted if column not in known]
    if strangers or not wanted:
        found = f"there is no column {', '.join(strangers)}" if strangers else "it names no column"
        raise Fault(f'{knob} "{template}": {found}; there are {", ".join(known)}.')


def biotrove_texts(row: Row) -> dict[str, str]:
    """Return BioTrove's ten texts by type; those that need a common name are left out where there is none.

    BioTrove writes "a photo of ." there, and two spaces for a missing rank, which is left out here too.
    """
    named = caption_row(row)
    scientific, common = named.get("scientificName", ""), named.get("common_name", "")
    ranks = [(rank, named[rank]) for rank in RANKS if rank in named]
    taxon = " ".join(name for _, name in ranks)
    tagged = " ".join(f"{rank} {name}" for rank, name in ranks)
    texts = {
        "sci": f"a photo of {scientific}.",
        "scientific_name": f"{scientific}.",
        "taxon": f"a photo of {taxon}.",
        "taxonTag": f"a photo of {tagged}.",
        "taxonomic_name": f"{taxon}.",
    }
    if common:
        texts |= {
            "com": f"a photo of {common}.",
            "common_name": f"{common}.",
            "sci_com": f"a photo of {scientific} with common name {common}.",
            "taxon_com": f"a photo of {taxon} with common name {common}.",
            "taxonTag_com": f"a photo of {tagged} with common name {common}.",
        }
    return {kind: texts[kind] for kind in TEXT_TYPES if kind in texts}


def biotrove_facts(key: str, row: Row) -> dict[str, str]:
    """Return the JSON that BioTrove puts beside its ten texts."""
    texts = biotrove_texts(row)
    facts = {
        "photo_id": key,
        "text": f"This is a photo of {caption_row(row).get('scientificName', '')}.",
        "photo_of_taxon": texts["taxon"],
        "photo_of_detailed_taxon": texts["taxonTag"],
        "photo_of_detailed_taxon_with_common": texts.get("taxonTag_com", ""),
        "photo_of_taxon_with_common": texts.get("taxon_com", ""),
        "taxonomic_name": texts["taxonomic_name"],
    }
    return {name: text for name, text in facts.items() if text}


def choose_columns(columns: Mapping[str, Sequence[Any]], labels: Sequence[Any]) -> list[str]:
    """Return the columns that tell classes apart, in the order they help, few as possible.

    Each next column is the one that leaves the least entropy of the class, H(class | chosen), until nothing is gained.
    Only columns that belong to the class and not to the single image are asked (a catalogue number separates all
    and says nothing): those whose value the class foretells by 95 %. A column of one value foretells nothing.
    """
    truth = _codes(labels)
    coded = {name: _codes(values) for name, values in columns.items()}
    left = {name: codes for name, codes in coded.items() if _belongs(codes, truth)}
    chosen: list[str] = []
    known = np.zeros(len(truth), np.int64)
    uncertain = conditional_entropy(truth, known)
    while left and uncertain > 1e-9:
        entropies = {name: conditional_entropy(truth, _join(known, codes)) for name, codes in left.items()}
        best = min(entropies, key=lambda name: entropies[name])  # the first of equals, in the order given
        if uncertain - entropies[best] < 1e-6:
            break
        known, uncertain = _join(known, left.pop(best)), entropies[best]
        chosen.append(best)
    return chosen


def conditional_entropy(of: npt.NDArray[np.int64], given: npt.NDArray[np.int64]) -> float:
    """Return H(of | given) in bits, from counts."""
    return _entropy(_join(of, given)) - _entropy(given)


def _belongs(codes: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> bool:
    whole = _entropy(codes)
    return whole > 0 and conditional_entropy(codes, truth) <= 0.05 * whole


def _entropy(codes: npt.NDArray[np.int64]) -> float:
    shares = np.bincount(codes) / len(codes)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def _codes(values: Sequence[Any]) -> npt.NDArray[np.int64]:
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def _join(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray(np.unique(one * (int(other.max(initial=0)) + 1) + other, return_inverse=True)[1], np.int64)
