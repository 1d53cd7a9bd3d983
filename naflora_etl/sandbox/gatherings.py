"""The specimens of one species: gatherings, their duplicates in several herbaria, and the pictures of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from naflora_etl.sandbox.flora import Flora, Species, TaxonName
from naflora_etl.sandbox.herbaria import (
    COLLECTORS,
    INSTITUTIONS,
    OBSERVERS,
    PLACES,
    PLACES_ABROAD,
    Host,
    Institution,
)

GOLDEN = 0.6180339887498949
TAIL = 0.55  # of the log-normal that spreads specimens over species
FIRST_GBIF_KEY = 4_000_000_000
MOST_SPECIMENS = 9_000  # of one species, as its numbers have four digits
# what a troubled server does, with the share of its pictures; the rest are good
TROUBLES: dict[str, tuple[tuple[str, float], ...]] = {
    "dead_links": (("not_found", 0.14), ("gone", 0.06)),
    "lying": (("html", 0.08), ("svg", 0.08), ("cut_short", 0.08), ("as_text", 0.12), ("png", 0.06)),
}


@dataclass(frozen=True)
class Picture:
    """An image of a specimen: where it lies and what really comes when it is asked for."""

    number: int
    host: Host
    path: str
    trouble: str
    """'' for a good one, else a name out of TROUBLES."""
    license: str | None
    only_page: bool
    """The aggregator knows a web page only, no image address."""

    @property
    def url(self) -> str:
        """The address of the image."""
        return f"http://{self.host.name}{self.path}"

    @property
    def page_url(self) -> str:
        """The address of the web page about it."""
        return f"http://{self.host.name}/about{self.path.removesuffix('.jpg')}"


@dataclass(frozen=True)
class Specimen:
    """One sheet in one herbarium (or an observation, which is no sheet)."""

    taxon: int
    index: int
    name: TaxonName
    """As GBIF has it."""
    old_name: TaxonName
    """As the label, and iDigBio, have it."""
    institution: Institution
    collector: str
    number: str
    date: str
    """ISO 8601 as published: a day, a month, a year, an interval or nothing."""
    place: tuple[str, str, str, str, float, float]
    observation: bool
    in_gbif: bool
    in_idigbio: bool
    determiner: str
    pictures: tuple[Picture, ...]
    changed_in: int = 0
    """The quarter in which its publisher changed it last."""
    number_at_gbif: int | None = None
    """GBIF's number, where it is not the first one that the record got."""

    @property
    def barcode(self) -> str:
        """The catalogue number; it bears species and specimen, so that a picture's address leads back to it."""
        return f"{self.institution.code}{self.taxon:05d}{self.index:04d}"

    @property
    def gbif_key(self) -> int:
        """GBIF's number of the record."""
        return self.number_at_gbif or FIRST_GBIF_KEY + self.taxon * 10_000 + self.index


def count_specimens(seed: int, species: int, mean: int) -> int:
    """Return how many sheets a species has: log-normal around `mean`, small worlds with a tail too."""
    share = (0.5 + GOLDEN * (species + 7 * seed)) % 1.0
    spread = NormalDist().inv_cdf(min(max(share, 0.01), 0.99)) * TAIL - TAIL**2 / 2
    return min(MOST_SPECIMENS, max(2, round(mean * math.exp(spread))))


def gather(seed: int, flora: Flora, hosts: tuple[Host, ...], species: Species, mean: int) -> tuple[Specimen, ...]:
    """Return all specimens of a species."""
    return gather_more(seed, flora, hosts, species, 0, count_specimens(seed, species.index, mean))


def gather_more(
    seed: int, flora: Flora, hosts: tuple[Host, ...], species: Species, first: int, count: int
) -> tuple[Specimen, ...]:
    """Return specimens of a species that are numbered from `first`: `count` sheets, and an observation now and then."""
    random = Random(f"{seed}/specimens/{species.index}" + (f"/{first}" if first else ""))
    found: list[Specimen] = []
    while len(found) < count:
        gathering = _go_out(random, flora, species)
        keepers = _keepers(random)[: count - len(found)]
        for keeper in keepers:
            found.append(_mount(random, gathering, keeper, first + len(found), hosts))
        if random.random() < 0.06:
            found.append(_mount(random, gathering, OBSERVERS, first + len(found), hosts))
    return tuple(found)


@dataclass(frozen=True)
class _Gathering:
    species: Species
    name: TaxonName
    old_name: TaxonName
    collector: str
    number: str
    date: str
    place: tuple[str, str, str, str, float, float]
    determiner: str


def _go_out(random: Random, flora: Flora, species: Species) -> _Gathering:
    accepted, others = species.names[0], species.names[1:]
    name = accepted
    varieties = [other for other in others if other.infraspecies]
    if varieties and random.random() < 0.15:
        name = random.choice(varieties)
    elif others and random.random() < 0.15:
        name = random.choice(others)
    old_name = random.choice(others) if others and random.random() < 0.12 else name
    mates = [mate for mate in flora.genera[species.genus].species if mate != species.index]
    if mates and random.random() < 0.02:  # the aggregators disagree about what it is
        old_name = flora.species[random.choice(mates)].accepted
    return _Gathering(
        species,
        name,
        old_name,
        random.choice(COLLECTORS),
        "s.n." if random.random() < 0.05 else str(random.randint(11, 9800)),
        _date(random),
        random.choice(PLACES_ABROAD) if random.random() < 0.05 else random.choice(PLACES),
        random.choice(COLLECTORS),
    )


def _keepers(random: Random) -> list[Institution]:
    """Return the herbaria that got a sheet of a gathering: mostly one, at times two or three."""
    luck, keepers = random.random(), list[Institution]()
    for _ in range(1 + (luck < 0.14) + (luck < 0.04)):
        left = [keeper for keeper in INSTITUTIONS if keeper not in keepers]
        keepers += random.choices(left, [keeper.weight for keeper in left])
    return keepers


def _mount(random: Random, gathering: _Gathering, keeper: Institution, index: int, hosts: tuple[Host, ...]) -> Specimen:
    taxon = gathering.species.index
    observation = keeper is OBSERVERS
    listed = random.random()
    pictures = 1 if observation else 1 + (random.random() < 0.2)
    barcode = f"{keeper.code}{taxon:05d}{index:04d}"
    return Specimen(
        taxon,
        index,
        gathering.name,
        gathering.old_name,
        keeper,
        gathering.collector,
        gathering.number,
        gathering.date,
        gathering.place,
        observation,
        in_gbif=observation or listed < 0.8,
        in_idigbio=not observation and not 0.25 < listed < 0.5,
        determiner=gathering.determiner,
        pictures=tuple(_picture(random, keeper, barcode, number, hosts) for number in range(1, pictures + 1)),
    )


def _picture(random: Random, keeper: Institution, barcode: str, number: int, hosts: tuple[Host, ...]) -> Picture:
    host = hosts[keeper.host - 1]
    luck, trouble = random.random(), ""
    for name, share in TROUBLES.get(host.manner, ()):
        if not trouble and luck < share:
            trouble = name
        luck -= share
    licenses = keeper.media_licenses
    license_text = licenses[0] if random.random() < 0.75 else random.choice(licenses)
    return Picture(number, host, f"/sheets/{barcode}_{number}.jpg", trouble, license_text, random.random() < 0.02)


def _date(random: Random) -> str:
    year, month, day = random.randint(1897, 2019), random.randint(5, 9), random.randint(1, 28)
    whole = f"{year}-{month:02d}-{day:02d}"
    luck = random.random()
    if luck < 0.05:
        return f"{year}"
    if luck < 0.10:
        return f"{year}-{month:02d}"
    if luck < 0.14:
        return f"{year}-{month:02d}-{day:02d}/{year}-{month + 1:02d}-{day:02d}"
    return "" if luck < 0.16 else whole
