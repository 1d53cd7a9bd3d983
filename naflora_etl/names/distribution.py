"""Where a list says that a name occurs, and in what state: the regions and statuses that a recipe asks for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from naflora_etl.engine.faults import Fault
from naflora_etl.names.headings import Headings
from naflora_etl.names.listing import Listing
from naflora_etl.recipe import ChecklistOptions

OUTSIDE = "NAME_OUTSIDE_REGION"
ABSENT = "NAME_NOT_PRESENT"
NOT_ESTABLISHED = "ESTABLISHMENT_NOT_WANTED"
_PLACES = ("locationID", "countryCode", "country", "stateProvince", "locality")
_ABSENT = frozenset({"absent", "excluded", "extinct", "erroneous", "falselyreported"})


@dataclass(frozen=True, slots=True)
class _Place:
    """One line of a distribution: where, whether it is there, how it came there."""

    regions: frozenset[str]
    status: str
    means: str


class Distribution:
    """What a list tells about where its names occur: in columns of its own, or in an archive's distribution file."""

    def __init__(self, listing: Listing, options: ChecklistOptions) -> None:
        self._headings = listing.headings
        self._constants = listing.constants
        self._wanted = frozenset(_code(region) for region in options.regions)
        self._statuses = frozenset(_plain(status) for status in options.occurrence)
        self._means = frozenset(_plain(means) for means in options.establishment)
        self._places: dict[str, list[_Place]] = defaultdict(list)
        self._accepted: dict[str, str] = {}
        self.tells_regions = _tells(listing.headings, listing.constants, _PLACES)
        self.tells_establishment = _tells(listing.headings, listing.constants, ("establishmentMeans",))
        self._is_apart = listing.distribution is not None
        if listing.distribution is not None:
            self._read(listing, listing.distribution)

    def issue(self, cells: Sequence[str]) -> str | None:
        """Return why a row of the list is not wanted where the recipe asks for it; None when it is, or nobody knows."""
        if self._is_apart:
            places = self._of(cells)
        elif self.tells_regions or _tells(self._headings, self._constants, ("occurrenceStatus", "establishmentMeans")):
            places = [_place(_reader(self._headings, self._constants, cells))]
        else:
            return None
        if self._wanted and self.tells_regions:
            places = [place for place in places if place.regions & self._wanted]
            if not places:
                return OUTSIDE
        if not places:
            return None
        present = [place for place in places if self._is_there(place.status)]
        if not present:
            return ABSENT
        if self._means and self.tells_establishment and not any(place.means in self._means for place in present):
            return NOT_ESTABLISHED
        return None

    def _is_there(self, status: str) -> bool:
        return status in self._statuses if self._statuses else status not in _ABSENT

    def _read(self, listing: Listing, distribution: Listing) -> None:
        headings, constants = distribution.headings, distribution.constants
        self.tells_regions = _tells(headings, constants, _PLACES)
        self.tells_establishment = _tells(headings, constants, ("establishmentMeans",))
        at = headings.places["id"]
        for row in distribution.rows:
            if not row.fits:
                raise Fault(
                    f"{listing.path}: line {row.line} of its distribution file has {len(row.cells)} cells, not those "
                    "that meta.xml promises, so nobody knows where its name occurs; download the archive again."
                )
            self._places[row.cells[at]].append(_place(_reader(headings, constants, row.cells)))
        own, accepted = listing.headings.places["id"], listing.headings.of("accepted")
        identifier = listing.headings.of("identifier")
        if accepted is None:
            return
        of_taxon = {
            row.cells[identifier]: row.cells[own] for row in listing.rows if row.fits and identifier is not None
        }
        for row in listing.rows:
            if row.fits and row.cells[accepted]:
                self._accepted[row.cells[own]] = of_taxon.get(row.cells[accepted], row.cells[accepted])

    def _of(self, cells: Sequence[str]) -> list[_Place]:
        """Return the places of a row; those of its accepted name, if it is a synonym that has none."""
        own = cells[self._headings.places["id"]]
        return self._places.get(own) or self._places.get(self._accepted.get(own, ""), [])


def _place(read: Callable[[str], str]) -> _Place:
    codes = (code for meaning in _PLACES for code in _codes(read(meaning), whole=meaning == "locality"))
    return _Place(frozenset(codes), _plain(read("occurrenceStatus")), _plain(read("establishmentMeans")))


def _reader(headings: Headings, constants: dict[str, str], cells: Sequence[str]) -> Callable[[str], str]:
    def read(meaning: str) -> str:
        place = headings.of(meaning)
        return cells[place] if place is not None else constants.get(meaning, "")

    return read


def _tells(headings: Headings, constants: dict[str, str], meanings: Sequence[str]) -> bool:
    return any(headings.of(meaning) is not None or constants.get(meaning) for meaning in meanings)


def _codes(written: str, whole: bool) -> list[str]:
    """Return the regions in a cell: `ISO 3166-2:CA-QC` is CA-QC, and CA too; lists are cut at | and ;."""
    codes = []
    for piece in [written] if whole else re.split(r"[|;]", written):
        code = _code(piece)
        if code:
            codes.append(code)
        if re.fullmatch(r"[a-z]{2}-[a-z0-9]{1,3}", code):
            codes.append(code[:2])
    return codes


def _code(region: str) -> str:
    return region.rsplit(":", 1)[-1].strip().lower()


def _plain(word: str) -> str:
    """Return a status without case and spaces, `naturalized` and `naturalised` alike."""
    return re.sub(r"[\s_-]+", "", word.split("|")[0]).lower().replace("ized", "ised")
