"""The plants of the sandbox: invented families, genera, species, and the quarrels about their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from naflora_etl.sandbox.latin import AUTHORS, ENDINGS_IS, ENDINGS_US, EPITHETS, HEADS, MIDDLES, PLACES, STEMS_IS, TAILS

GENERA_SIZES = (3, 2, 3, 2, 2)
FAMILY_SIZES = (2, 2, 1)
KEY_LETTERS = "23456789BCDFGHJKLMNPQRSTVWXYZ"  # as in Catalogue of Life: no vowels, no 0 and 1


@dataclass(frozen=True)
class TaxonName:
    """A name as the backbone holds it; `taxon` is the index of the species it leads to, None where it leads nowhere."""

    name_id: str
    rank: str
    status: str
    family: str
    genus: str
    species: str = ""
    hybrid: bool = False
    infra_rank: str = ""
    infraspecies: str = ""
    parenthetical_author: str = ""
    primary_author: str = ""
    reference: str = ""
    page: str = ""
    year: int = 1900
    remarks: str = ""
    accepted_id: str = ""
    basionym_id: str = ""
    parent_id: str = ""
    hybrid_formula: str = ""
    taxon: int | None = None

    @property
    def canonical(self) -> str:
        """The name without its authors."""
        parts = (self.genus, "×" if self.hybrid else "", self.species, self.infra_rank, self.infraspecies)
        return " ".join(part for part in parts if part)

    @property
    def authors(self) -> str:
        """The authors, those of the basionym in parentheses."""
        before = f"({self.parenthetical_author}) " if self.parenthetical_author else ""
        return before + self.primary_author

    @property
    def scientific_name(self) -> str:
        """The name with its authors."""
        return f"{self.canonical} {self.authors}".strip()

    @property
    def ipni_id(self) -> str:
        """Identifier in the International Plant Names Index's form."""
        return f"77{self.name_id}-1"

    @property
    def backbone_key(self) -> int:
        """Key in the frozen GBIF Backbone: a number."""
        return 7_000_000 + int(self.name_id)

    @property
    def key(self) -> str:
        """Key in the Catalogue of Life: letters and digits, never to be read as a number."""
        rest, letters = int(self.name_id) * 7919, ""
        while rest:
            rest, at = divmod(rest, len(KEY_LETTERS))
            letters = KEY_LETTERS[at] + letters
        return letters


@dataclass(frozen=True)
class Genus:
    """A genus: its own name and the species that it holds, by index."""

    index: int
    name: TaxonName
    species: tuple[int, ...]


@dataclass(frozen=True)
class Species:
    """A species: its place in its genus, and all names that lead to it, the accepted one first."""

    index: int
    genus: int
    place: int
    names: tuple[TaxonName, ...]

    @property
    def accepted(self) -> TaxonName:
        """The accepted name."""
        return self.names[0]


@dataclass(frozen=True)
class Flora:
    """All that grows: genera, species, and names that lead nowhere."""

    genera: tuple[Genus, ...]
    species: tuple[Species, ...]
    unplaced: tuple[TaxonName, ...]

    def names(self) -> Iterator[TaxonName]:
        """Yield every name of the backbone."""
        for genus in self.genera:
            yield genus.name
            for index in genus.species:
                yield from self.species[index].names
        yield from self.unplaced


def grow_flora(seed: int, species: int) -> Flora:
    """Return the flora of `species` species; the same seed grows the same, and a larger one begins like a smaller."""
    genera: list[Genus] = []
    plants: list[Species] = []
    unplaced: list[TaxonName] = []
    taken: set[str] = set()
    family, left_in_family = "", 0
    while len(plants) < species:
        random = Random(f"{seed}/genus/{len(genera)}")
        word = _new_word(random, taken)
        if not left_in_family:
            left_in_family = FAMILY_SIZES[(len(genera) // 2) % len(FAMILY_SIZES)]
            family = _stem(word) + "aceae"
        left_in_family -= 1
        numbers = _Numbers(random, 100_000 + 100 * len(genera), family, word)
        size = min(GENERA_SIZES[len(genera) % len(GENERA_SIZES)], species - len(plants))
        members = range(len(plants), len(plants) + size)
        genus = Genus(len(genera), numbers.name("Genus", "Accepted"), tuple(members))
        epithets = random.sample(EPITHETS, size + 3)
        for place, index in enumerate(members):
            plants.append(_grow_species(numbers, genus, index, place, epithets))
        unplaced.append(numbers.name("Species", "Unplaced", species=_agree(epithets[-1], word), remarks=", nom. nud."))
        genera.append(genus)
    return Flora(tuple(genera), tuple(plants), tuple(unplaced))


class _Numbers:
    """Makes the names of one genus, numbered as they come."""

    def __init__(self, random: Random, first: int, family: str, genus: str) -> None:
        self.random = random
        self.next = first
        self.family = family
        self.genus = genus

    def name(self, rank: str, status: str, **parts: object) -> TaxonName:
        """Return a new name; an accepted one is its own accepted name."""
        random, name_id = self.random, str(self.next)
        self.next += 1
        values: dict[str, object] = {
            "primary_author": random.choice(AUTHORS),
            "reference": random.choice(PLACES),
            "page": f" {random.randint(1, 60)}: {random.randint(1, 700)}",
            "year": random.randint(1753, 2012),
            "accepted_id": name_id if status == "Accepted" else "",
            "genus": self.genus,
        }
        return TaxonName(name_id, rank, status, self.family, **(values | parts))  # type: ignore[arg-type]


def _grow_species(numbers: _Numbers, genus: Genus, index: int, place: int, epithets: list[str]) -> Species:
    random, word = numbers.random, numbers.genus
    lead = {"parent_id": genus.name.name_id, "taxon": index}
    hybrid = index % 6 == 4
    formula = f"{word[0]}. {_agree(epithets[0], word)} × {word[0]}. {_agree(epithets[-2], word)}" if hybrid else ""
    accepted = numbers.name(
        "Species", "Accepted", species=_agree(epithets[place], word), hybrid=hybrid, hybrid_formula=formula, **lead
    )
    under = lead | {"accepted_id": accepted.name_id}
    names = [accepted]
    if index % 2 == 0:  # once described in another genus: a homotypic synonym, and the reason for parentheses
        old = numbers.name("Species", "Synonym", genus=_old_genus(word), species=_agree(epithets[place], "a"), **under)
        accepted = names[0] = _with_basionym(accepted, old)
        names.append(old)
    if index % 3 != 2:
        other = random.choice([stem for stem in EPITHETS if stem not in epithets])
        names.append(numbers.name("Species", "Synonym", species=_agree(other, word), **under))
    if place < 2:  # one name, given by two authors to two plants: without the author it says nothing
        names.append(numbers.name("Species", "Synonym", species=_agree(epithets[-3], word), **under))
    if place == 1:  # and one that was taken already when it was given
        twin = _agree(epithets[0], word)
        names.append(numbers.name("Species", "Illegitimate", species=twin, remarks=", nom. illeg.", **under))
    if index % 3 == 0:
        rank, short = (("Variety", "var."), ("Subspecies", "subsp."))[index % 2]
        epithet = _agree(random.choice(EPITHETS[:20]), word)
        parts = {"species": accepted.species, "infra_rank": short, "infraspecies": epithet, "hybrid": hybrid}
        names.append(numbers.name(rank, "Accepted", **parts, parent_id=accepted.name_id, taxon=index))
    return Species(index, genus.index, place, tuple(names))


def _with_basionym(name: TaxonName, basionym: TaxonName) -> TaxonName:
    return replace(name, parenthetical_author=basionym.primary_author, basionym_id=basionym.name_id)


def _new_word(random: Random, taken: set[str]) -> str:
    """Return a genus name of which no other is a single letter away, lest spelling mistakes lead astray."""
    while True:
        middle = "".join(random.choice(MIDDLES) for _ in range(1 + (len(taken) > 30_000)))
        word = random.choice(HEADS) + middle + random.choice(TAILS)
        near = {word[:at] + word[at + 1 :] for at in range(len(word))} | {word}
        if not near & taken:
            taken |= near
            return word


def _stem(genus: str) -> str:
    for ending in ("ium", "eum", "us", "a", "is", "on"):
        if genus.endswith(ending):
            return genus[: -len(ending)]
    return genus


def _old_genus(word: str) -> str:
    return f"Neo{_stem(word).lower()}a"


def _agree(stem: str, genus: str) -> str:
    """Return the epithet in its genus's gender."""
    if stem.endswith(("ns", "is", "ip")):
        return stem + ("es" if stem.endswith("ip") else "")
    gender = 2 if genus.endswith("um") else 0 if genus.endswith(("us", "odon", "ostemon")) else 1
    return stem + (ENDINGS_IS if stem in STEMS_IS else ENDINGS_US)[gender]
