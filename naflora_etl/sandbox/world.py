"""The small world: made from a seed, of any size; names at once, specimens when somebody asks for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import sha256

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.flora import Flora, TaxonName, grow_flora
from naflora_etl.sandbox.gatherings import FIRST_GBIF_KEY, Specimen, gather, gather_more
from naflora_etl.sandbox.herbaria import Host, hosts_of
from naflora_etl.sandbox.quarters import NEW_NUMBERS, pass_quarters

WORLD_VERSION = 1  # raised when the same options make another world
GBIF_ADDRESS = "127.10.0.1"
IDIGBIO_ADDRESS = "127.10.0.2"
SPECIES_KEPT = 2_000  # whose specimens stay in memory


@dataclass(frozen=True)
class World:
    """All that the sandbox's servers know."""

    options: SandboxOptions
    flora: Flora
    hosts: tuple[Host, ...]
    _gathered: dict[int, tuple[Specimen, ...]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def gbif_api(self) -> str:
        """Root of the GBIF look-alike."""
        return f"http://{GBIF_ADDRESS}:{self.options.port}"

    @property
    def idigbio_api(self) -> str:
        """Root of the iDigBio look-alike."""
        return f"http://{IDIGBIO_ADDRESS}:{self.options.port}"

    @property
    def digest(self) -> str:
        """What tells this world from every other."""
        return digest_options(self.options)

    def specimens(self, species: int) -> tuple[Specimen, ...]:
        """Return the specimens of a species, observations included."""
        if species not in self._gathered:
            if len(self._gathered) >= SPECIES_KEPT:
                self._gathered.clear()
            options, plant = self.options, self.flora.species[species]
            first = gather(options.seed, self.flora, self.hosts, plant, options.specimens_per_species)
            grow = partial(gather_more, options.seed, self.flora, self.hosts, plant)
            self._gathered[species] = pass_quarters(first, self.flora, options.seed, options.quarter, grow)
        return self._gathered[species]

    def all_specimens(self) -> Iterator[Specimen]:
        """Yield every specimen, species by species."""
        for plant in self.flora.species:
            yield from self.specimens(plant.index)

    def find_specimen(self, species: int, index: int) -> Specimen | None:
        """Return one specimen; None where there is no such."""
        if not 0 <= species < len(self.flora.species):
            return None
        found = self.specimens(species)
        return found[index] if 0 <= index < len(found) else None

    def find_gbif(self, key: str) -> Specimen | None:
        """Return the specimen that a number of GBIF's stands for now; None where there is no such."""
        number = (int(key) if key.isdigit() else 0) - FIRST_GBIF_KEY
        species = number % NEW_NUMBERS // 10_000
        if number < 0 or species >= len(self.flora.species):
            return None
        found = (specimen for specimen in self.specimens(species) if str(specimen.gbif_key) == key)
        return next(found, None)

    def find_barcode(self, barcode: str) -> Specimen | None:
        """Return the specimen that bears a barcode; None where there is no such."""
        digits = barcode.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if not digits.isdigit() or len(digits) < 9:
            return None
        found = self.find_specimen(int(digits[:-4]), int(digits[-4:]))
        return found if found is not None and found.barcode == barcode else None

    @cached_property
    def names_by_canonical(self) -> dict[str, tuple[TaxonName, ...]]:
        """Every name by its text without authors and hybrid mark; homonyms together."""
        found: dict[str, list[TaxonName]] = defaultdict(list)
        for name in self.flora.names():
            found[name.canonical.replace("× ", "")].append(name)
        return {canonical: tuple(names) for canonical, names in found.items()}

    @cached_property
    def names_by_id(self) -> dict[str, TaxonName]:
        """Every name by its identifier in the names table."""
        return {name.name_id: name for name in self.flora.names()}


def build_world(options: SandboxOptions) -> World:
    """Return the world that the options describe: the same options, the same world."""
    return World(options, grow_flora(options.seed, options.species), hosts_of(options.port))


def digest_options(options: SandboxOptions) -> str:
    """Return the digest by which two processes know that they mean the same world."""
    return sha256(f"{WORLD_VERSION} {options.model_dump_json()}".encode()).hexdigest()
