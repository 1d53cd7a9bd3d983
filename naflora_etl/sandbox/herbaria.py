"""Who keeps the sandbox's specimens, who gathered them and where, and the servers that hold the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1

CC = "https://creativecommons.org/licenses"
CC_BY = "http://creativecommons.org/licenses/by/4.0/legalcode"
CC_BY_NC = "http://creativecommons.org/licenses/by-nc/4.0/legalcode"
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/legalcode"


@dataclass(frozen=True)
class Host:
    """An image server: its address on loopback and its manners (hosts.py)."""

    number: int
    manner: str
    port: int

    @property
    def address(self) -> str:
        """The loopback address."""
        return f"127.10.1.{self.number}"

    @property
    def name(self) -> str:
        """Host and port, as it stands in a URL."""
        return f"{self.address}:{self.port}"


MANNERS = ("steady", "throttling", "slow", "dead_links", "lying", "flaky", "closed", "small")
"""One server each, 127.10.1.1 and up: what it is like to ask them."""


@dataclass(frozen=True)
class Institution:
    """A herbarium: how its labels, licences and servers are."""

    code: str
    name: str
    collection: str
    weight: int
    """How many specimens of a hundred are here."""
    host: int
    """Number of its image server."""
    record_license: str
    media_licenses: tuple[str | None, ...]
    """Its licence texts as it writes them, the usual one first."""

    @property
    def dataset_key(self) -> str:
        """GBIF dataset key."""
        return as_uuid(f"dataset/{self.code}")

    @property
    def dataset_title(self) -> str:
        """What the dataset, or the recordset, is called."""
        return f"{self.collection} of {self.name}"

    @property
    def dataset_doi(self) -> str:
        """DOI of the dataset."""
        return f"10.15468/{self.code.lower()}"

    @property
    def dataset_citation(self) -> str:
        """How the dataset wants to be cited."""
        return f"{self.name} (2026). {self.dataset_title}. Occurrence dataset https://doi.org/{self.dataset_doi}"

    @property
    def publisher_key(self) -> str:
        """GBIF key of the publishing organisation."""
        return as_uuid(f"publisher/{self.code}")

    @property
    def recordset(self) -> str:
        """iDigBio recordset uuid."""
        return as_uuid(f"recordset/{self.code}")


def as_uuid(text: str) -> str:
    """Return the text's digest in the form of a random UUID."""
    digest = sha1(f"sandbox/{text}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


INSTITUTIONS = (
    Institution("NWU", "Northwater University Herbarium", "Vascular Plants", 24, 1, CC_BY, (CC_BY, "CC BY 4.0")),
    Institution("TLM", "Tallmark Museum of Botany", "Herbarium", 14, 2, CC_BY_NC, ("cc-by-nc", CC_BY_NC, None)),
    Institution("GRN", "Greenhollow Botanical Garden", "GRN", 13, 3, CC0, ("CC0", "CC0 1.0 Universal")),
    Institution("ARB", "Arbor State Herbarium", "Phanerogams", 13, 4, CC_BY, (f"{CC}/by/4.0/", "CC-BY", None)),
    Institution("SKO", "Skogland Natural History Museum", "Botany", 12, 5, CC_BY_NC, (f"{CC}/by-nc/4.0/", "CC BY-NC")),
    Institution("PRA", "Prairie College Herbarium", "Plants", 10, 6, CC_BY, ("CC-BY-4.0", "© PRA. Licence: CC BY 4.0")),
    Institution("HLL", "Hall Academy of Sciences", "Herb. Gen.", 5, 7, CC_BY_NC, (CC_BY_NC,)),
    Institution("OSP", "Osprey Field Station", "OSP", 4, 8, CC0, ("CC0 1.0", "public domain")),
    Institution("RSV", "Reserve Trust", "Types", 5, 1, CC_BY_NC, ("All rights reserved", f"{CC}/by-nc-nd/4.0/")),
)
OBSERVERS = Institution("FLDN", "Fieldnotes", "Observations", 0, 1, CC_BY_NC, (f"{CC}/by-nc/4.0/",))
COLLECTORS = (
    "A. M. Hollis", "B. Nakamura", "C. E. Lindqvist", "D. Oyelaran", "E. Tremblay", "F. J. Moreau",
    "G. Whitfeather", "H. Castellanos", "I. Petrossian", "J. R. Dunmore", "K. Aalto", "L. Beauregard & S. Finch",
    "M. Sandoval", "N. Thorsen", "O. Blackwood", "P. Iyer",
)  # fmt: skip
# country code, country, state or province, locality, latitude, longitude
PLACES = (
    ("US", "United States of America", "Oregon", "Cedar Creek, 3 mi N of Halfway", 44.91, -117.12),
    ("US", "United States of America", "Minnesota", "Gravel pit by Lake Osakis", 45.87, -95.14),
    ("US", "United States of America", "Vermont", "Rich woods below Mount Equinox", 43.16, -73.12),
    ("US", "United States of America", "New Mexico", "Canyon floor, Gila Wilderness", 33.22, -108.21),
    ("US", "United States of America", "Georgia", "Sandhills along the Ohoopee River", 32.54, -82.44),
    ("CA", "Canada", "Ontario", "Alvar pavement, Manitoulin Island", 45.75, -82.21),
    ("CA", "Canada", "British Columbia", "Talus slope above Seton Lake", 50.69, -122.08),
    ("CA", "Canada", "Quebec", "Peat bog, Riviere-du-Loup", 47.83, -69.53),
    ("GL", "Greenland", "Kujalleq", "Heath at Narsarsuaq", 61.16, -45.42),
)
PLACES_ABROAD = (
    ("MX", "Mexico", "Durango", "Pine forest near El Salto", 23.78, -105.36),
    ("JP", "Japan", "Hokkaido", "Roadside, Furano", 43.34, 142.38),
)


def hosts_of(port: int) -> tuple[Host, ...]:
    """Return the image servers of a world at `port`, numbered from 1."""
    return tuple(Host(number, manner, port) for number, manner in enumerate(MANNERS, start=1))
