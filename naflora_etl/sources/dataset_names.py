"""What datasets call themselves: title, DOI and citation, out of answers that were kept and archives as they came."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from xml.etree import ElementTree

from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif_download
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.archives import is_address, name_of
from naflora_etl.sources.darwincore import clean_text
from naflora_etl.sources.paging import Request, Unreadable, read_json

KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""Of a dataset or recordset that an aggregator can be asked about; an archive's name is none."""
DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
PART = "dataset/"
"""Begins what follows the taxon in the page's key of an answer about a dataset."""
MOST_LETTERS = 2_000
OWN_METADATA = ("eml.xml", "EML.xml")
"""Beside a portal's meta.xml. GBIF's metadata.xml is about a download, whose datasets are told one by one."""
Row = Mapping[str, Any]
Whose = tuple[str, str]
"""Source and dataset key, as a manifest has them."""


class Named(NamedTuple):
    """A dataset that told its title."""

    title: str
    doi: str | None = None
    citation: str | None = None


def request_for(source: str, key: str, options: HarvestOptions) -> Request:
    """Return the question what a dataset of GBIF's, or a recordset of iDigBio's, is called."""
    if source == "gbif":
        return Request("dataset", f"{options.gbif_api}/v1/dataset/{key}")
    return Request("dataset", f"{options.idigbio_api}/v2/view/recordsets/{key}")


def read_answer(source: str, key: str, body: bytes) -> Named:
    """Return what an answer to `request_for` says; raises Unreadable where it is none, or is about another one."""
    answer = read_json(body)
    if str(answer.get("key" if source == "gbif" else "uuid")).lower() != key.lower():
        raise Unreadable("JSON, but not about this dataset")
    if source == "gbif":
        cited = answer.get("citation")
        return _named(answer.get("title"), answer.get("doi"), cited.get("text") if isinstance(cited, dict) else None)
    places = (("attribution", "name"), ("indexTerms", "name"), ("data", "collection_name"))
    parts = [(answer.get(part), name) for part, name in places]
    told = (part.get(name) for part, name in parts if isinstance(part, dict))
    return _named(next((name for name in told if clean_text(name)), None))


def read_eml(text: bytes) -> Named:
    """Return what a document in the Ecological Metadata Language says of its dataset; raises Unreadable.

    https://eml.ecoinformatics.org; the citation is that of GBIF's profile, in additionalMetadata.
    """
    if b"<!ENTITY" in text:
        raise Unreadable("XML with entities of its own")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Unreadable(f"not XML: {error}") from None
    known = (DOI.search(node.text or "") for node in root.iterfind("dataset/alternateIdentifier"))
    return _named(
        root.findtext("dataset/title"),
        next((found[0] for found in known if found), None),
        root.findtext("additionalMetadata/metadata/gbif/citation"),
    )


def find_names(
    harvest: Iterable[Row],
    wanted: Iterable[Whose],
    read: Callable[[str], bytes],
    file: Callable[[str], AbstractContextManager[str]],
) -> dict[Whose, Named]:
    """Return what is known of the wanted datasets; nothing is asked, and what cannot be read leaves its own unnamed.

    `harvest` are clean rows of that table; `read` returns the bytes of a blob, `file` the path of a large one. Where
    several answers tell of a dataset, the first by page key counts.
    """
    keys: dict[str, set[str]] = defaultdict(set)
    for source, key in wanted:
        keys[source].add(key)
    found: dict[Whose, Named] = {}
    for row in sorted(harvest, key=lambda row: str(row["page_key"])):
        source, about = row["source"], key_in(row["page_key"])
        try:
            if about is not None and about in keys[source]:
                found.setdefault((source, about), read_answer(source, about, read(row["blob"])))
            elif source == "gbif" and row["page_key"].startswith(gbif_download.PAGE_KEY):
                with file(row["blob"]) as path:
                    found = _read_archive(Archive(path), source, keys[source]) | found
            elif source == "archive" and is_address(row["request"]):
                with file(row["blob"]) as path:
                    found = _read_archive(Archive(path, name_of(row["request"])), source, keys[source]) | found
            elif source == "archive":
                found = _read_archive(Archive(row["request"]), source, keys[source]) | found
        except (Fault, Unreadable):
            continue
    return found


def key_in(page_key: str) -> str | None:
    """Return the key of the dataset that an answer is about; None for an answer about anything else."""
    key = page_key.rpartition(f"/{PART}")[2] if f"/{PART}" in page_key else ""
    return key if KEY.fullmatch(key) else None


def _read_archive(archive: Archive, source: str, keys: set[str]) -> dict[Whose, Named]:
    """Return what an archive tells of some datasets: GBIF's of each in its folder `dataset`, a portal's of itself."""
    places: dict[str, tuple[str, ...]] = {key: (f"dataset/{key}.xml",) for key in sorted(keys) if KEY.fullmatch(key)}
    if archive.name in keys:
        places[archive.name] = OWN_METADATA
    found = {}
    for key, names in places.items():
        texts = (text for name in names if (text := archive.read_beside(name)) is not None)
        try:
            if (text := next(texts, None)) is not None:
                found[source, key] = read_eml(text)
        except Unreadable:
            continue
    return found


def _named(title: object, doi: object = None, citation: object = None) -> Named:
    said = _line(title)
    if said is None:
        raise Unreadable("without a title")
    found = DOI.search(str(doi or ""))
    return Named(said, found[0] if found else None, _line(citation))


def _line(text: object) -> str | None:
    """Return a text on one line, no longer than a title or a citation is; None for none."""
    return " ".join((clean_text(text) or "").split())[:MOST_LETTERS] or None
