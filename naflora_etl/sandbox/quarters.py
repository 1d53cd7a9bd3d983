"""What a quarter of a year does to the sandbox's specimens: withdrawn, redetermined, relicensed, edited, added.

Each quarter is made from the one before and from nothing else, so the same options give the same world at any time.
What happens to a specimen, its barcode and the quarter decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha1

from naflora_etl.sandbox.flora import Flora
from naflora_etl.sandbox.gatherings import Specimen

RENUMBERED = ("GRN",)
"""Herbaria whose records GBIF gives new numbers with the first quarter; their occurrenceIDs stay."""
REPOINTED = ("OSP",)
"""Herbaria whose numbers at GBIF change hands: a number stands for another specimen than before."""
NEW_NUMBERS = 1_000_000_000
STRICTER = "All rights reserved"
# what happens to a specimen, with its share of all; to the rest nothing does
FATES = (
    ("withdrawn", 0.05), ("picture_withdrawn", 0.04), ("redetermined", 0.04), ("relicensed", 0.04), ("edited", 0.06),
)  # fmt: skip
ONE_NEW_FOR = 10
"""Specimens a new one."""
Grow = Callable[[int, int], Sequence[Specimen]]
"""Returns the first so many specimens of a species, in a quarter, as they would be gathered."""


def pass_quarters(
    specimens: Sequence[Specimen], flora: Flora, seed: int, quarters: int, grow: Grow
) -> tuple[Specimen, ...]:
    """Return the specimens of one species after so many quarters, in their order; new ones come last."""
    found = list(specimens)
    for quarter in range(1, quarters + 1):
        found = [_live(specimen, flora, seed, quarter) for specimen in found]
        found += [replace(new, changed_in=quarter) for new in grow(len(found), max(1, len(found) // ONE_NEW_FOR))]
    return tuple(_renumber(found)) if quarters else tuple(found)


def fate_of(barcode: str, seed: int, quarter: int) -> str:
    """Return what happens to a specimen in a quarter: a name out of FATES, or '' for nothing."""
    luck = int(sha1(f"{seed}/{quarter}/{barcode}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    for fate, share in FATES:
        if luck < share:
            return fate
        luck -= share
    return ""


def _live(specimen: Specimen, flora: Flora, seed: int, quarter: int) -> Specimen:
    fate = fate_of(specimen.barcode, seed, quarter)
    if not fate or specimen.observation:
        return specimen
    if fate == "withdrawn":
        return replace(specimen, in_gbif=False, in_idigbio=False)
    changed = replace(specimen, changed_in=quarter)
    if fate == "picture_withdrawn":
        return replace(changed, pictures=specimen.pictures[:1]) if len(specimen.pictures) > 1 else specimen
    if fate == "redetermined":
        mates = [mate for mate in flora.genera[flora.species[specimen.taxon].genus].species if mate != specimen.taxon]
        name = flora.species[mates[specimen.index % len(mates)]].accepted if mates else specimen.name
        return replace(changed, name=name, old_name=name)
    if fate == "relicensed":
        return replace(changed, pictures=tuple(replace(picture, license=STRICTER) for picture in specimen.pictures))
    return replace(changed, number=f"{specimen.number}b")


def _renumber(specimens: list[Specimen]) -> list[Specimen]:
    """Give new numbers to one herbarium's records, and let those of another change hands."""
    found = [
        replace(specimen, number_at_gbif=specimen.gbif_key + NEW_NUMBERS)
        if specimen.institution.code in RENUMBERED else specimen
        for specimen in specimens
    ]  # fmt: skip
    places = [at for at, specimen in enumerate(found) if specimen.institution.code in REPOINTED]
    numbers = [found[at].gbif_key for at in places]
    for at, number in zip(places, numbers[1:] + numbers[:1], strict=True):
        found[at] = replace(found[at], number_at_gbif=number)
    return found
