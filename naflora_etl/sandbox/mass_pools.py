"""What a great many records are drawn from: invented plants, people, herbaria, places, licences and remarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pyarrow as pa

from naflora_etl.sandbox.herbaria import CC, CC0, CC_BY, CC_BY_NC, PLACES, PLACES_ABROAD, as_uuid
from naflora_etl.sandbox.latin import AUTHORS, EPITHETS, HEADS, MIDDLES, TAILS

INSTITUTIONS = 60
COLLECTORS = 8_000
COLLECTIONS = ("Vascular Plants", "Herbarium", "Phanerogams", "Botany", "Plants", "VP")
SURNAME_ENDS = (
    "berg", "son", "ez", "ova", "hart", "eau", "ström", "ley", "ini", "ara", "kamp", "field", "wick", "dóttir", "mann",
    "stad",
)  # fmt: skip
INITIALS = "ABCDEFGHIJKLMNOPRSTUVW"
RECORD_LICENSES = ("CC_BY_4_0", "CC_BY_NC_4_0", "CC0_1_0")
ADDRESSES = (CC_BY, CC_BY_NC, CC0)
MEDIA_LICENSES = (
    (CC_BY, "CC BY 4.0", "CC-BY", f"{CC}/by/4.0/", "© the herbarium. Licence: CC BY 4.0", ""),
    (CC_BY_NC, "cc-by-nc", f"{CC}/by-nc/4.0/", "CC BY-NC", "Attribution-NonCommercial 4.0", "All rights reserved"),
    (CC0, "CC0", "CC0 1.0 Universal", "public domain", "ask the curator", ""),
)  # fmt: skip
"""How the herbaria of each licence write it at their images: mostly well, some stricter, some not at all."""
KINDS = ("StillImage", "StillImage", "StillImage", "image", "", "Sound", "InteractiveResource", "StillImage")
FORMATS = ("image/jpeg", "jpg", "", "image/jpeg", "image/jpeg", "audio/mpeg", "application/ld+json", "text/html")
BASES = ("PRESERVED_SPECIMEN", "HUMAN_OBSERVATION", "FOSSIL_SPECIMEN", "MATERIAL_SAMPLE", "LIVING_SPECIMEN")
BASES_THERE = ("PreservedSpecimen", "HumanObservation", "FossilSpecimen", "MaterialSample", "LivingSpecimen")
PREPARATIONS = ("herbarium sheet", "Sheet", "", "sheet; packet", "microscope slide", "DNA extract")
REMARKS = (
    "", "Dry slope with scattered junipers; flowers pale yellow, fading to cream.", "Common along the road.",
    "Örtlich häufig am Flußufer, mit Salix und Alnus.", 'Label reads "near the old mill", hand of the collector.',
    "Perennial to 60 cm; leaves glaucous beneath, anthers purple, in the shade of large boulders, north facing.",
    "Rare. Growing with Carex, Juncus and Sphagnum in a wet depression, soil dark and peaty; fruits immature.",
)  # fmt: skip


@dataclass(frozen=True)
class Name:
    """A written name and the species behind it; `accepted` leads from a synonym to it."""

    written: str
    authors: str
    taxon: int
    is_accepted: bool


class Pools:
    """The pools of a flora of so many species; the same seed gives the same ones."""

    def __init__(self, species: int, seed: int) -> None:
        self.random = np.random.default_rng([seed, 0])
        genera = [head + middle + tail for head, middle, tail in product(HEADS, MIDDLES, TAILS)]
        words = [stem + end for stem in EPITHETS for end in ("ensis", "oides", "ana")]
        at = np.sort(self.random.choice(len(genera) * len(words), 2 * species, replace=False))
        names = [(f"{genera[i // len(words)]} {words[i % len(words)]}", AUTHORS[i % len(AUTHORS)]) for i in at]
        order = self.random.permutation(len(names))
        self.species = [Name(names[i][0], names[i][1], number, True) for number, i in enumerate(order[:species])]
        self.synonyms = [Name(names[i][0], names[i][1], number, False) for number, i in enumerate(order[species:])]

    @cached_property
    def written(self) -> pa.Array:
        """Every way to write a species: with and without authors, by a synonym, in doubt; five columns of species."""
        full = [f"{name.written} {name.authors}" for name in self.species]
        bare = [name.written for name in self.species]
        old = [f"{name.written} {name.authors}" for name in self.synonyms]
        unknown = [f"Ignotia {name.written.split()[1]} {name.authors}" for name in self.species]
        return pa.array(full + bare + old + unknown)

    @cached_property
    def genera(self) -> pa.Array:
        """The genus of each species."""
        return pa.array([name.written.split()[0] for name in self.species])

    @cached_property
    def epithets(self) -> pa.Array:
        """The epithet of each species."""
        return pa.array([name.written.split()[1] for name in self.species])

    @cached_property
    def collectors(self) -> tuple[pa.Array, pa.Array]:
        """Collectors as GBIF's publishers write them, and the same ones as iDigBio's do."""
        surnames = [a + b + c for a, b, c in product(HEADS, MIDDLES, SURNAME_ENDS)]
        chosen = [surnames[i] for i in self.random.permutation(len(surnames))[:COLLECTORS]]
        letters = self.random.integers(0, len(INITIALS), (len(chosen), 2))
        first = [f"{INITIALS[a]}. {INITIALS[b]}." for a, b in letters]
        here = [f"{a} {b}" for a, b in zip(first, chosen, strict=True)]
        there = [f"{b}, {a}" for a, b in zip(first, chosen, strict=True)]
        return pa.array(here), pa.array(there)

    @cached_property
    def codes(self) -> pa.Array:
        """Codes of the institutions."""
        return pa.array([f"{a}{b}{c}" for a, b, c in product("NBGK", "YRMHA", "ULX")][:INSTITUTIONS])

    @cached_property
    def collections(self) -> pa.Array:
        """The collection of each institution."""
        return pa.array([COLLECTIONS[i % len(COLLECTIONS)] for i in range(INSTITUTIONS)])

    @cached_property
    def datasets(self) -> pa.Array:
        """GBIF's key of each institution's dataset."""
        return pa.array([as_uuid(f"mass/{code}") for code in self.codes.to_pylist()])

    @cached_property
    def recordsets(self) -> pa.Array:
        """iDigBio's key of the same."""
        return pa.array([as_uuid(f"mass/recordset/{code}") for code in self.codes.to_pylist()])

    @cached_property
    def stems(self) -> pa.Array:
        """What the address of an image begins with: one server an institution, in four ways of asking."""
        ways = ("https://herbarium-{0}.example.org/images/", "http://{0}.example.edu/ids/deliveryService?max=0&id=",
                "https://iiif.{0}.example.net/2/", "https://images.{0}.example.org/Herb Sheets/")  # fmt: skip
        return pa.array([ways[i % 4].format(code.lower()) for i, code in enumerate(self.codes.to_pylist())])

    @cached_property
    def ends(self) -> pa.Array:
        """What it ends with."""
        ways = (".jpg", "&format=jpeg", "/full/max/0/default.jpg", ".JPG")
        return pa.array([ways[i % 4] for i in range(INSTITUTIONS)])


PLACE_COLUMNS = [pa.array([str(place[i]) for place in (*PLACES, *PLACES_ABROAD)]) for i in range(4)]
LATITUDES, LONGITUDES = (np.array([place[i] for place in (*PLACES, *PLACES_ABROAD)], float) for i in (4, 5))
HOME_PLACES = len(PLACES)
