"""Darwin Core as people write it -> one specimen, its images, and keys that outlive a portal's own numbers."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from naflora_etl.sources.places import country_code

KEY_DIGITS = 20
IMAGE_FORMATS = ("jpg", "jpeg", "png", "tif", "tiff", "jp2", "gif", "application/octet-stream")
PICTURES = ("stillimage", "image", "photograph")
DEFAULT_PORTS = {"http": 80, "https": 443}
HOST = re.compile(r"[\w.-]+\.[\w-]+|localhost|[0-9]\w*|[0-9a-f:]*:[0-9a-f:.]+")
"""A host's name or address, however that is spelt; whether it may be asked, others judge."""
_DOUBTS = re.compile(r"\b(?:cf|aff|nr|near|vel|mixed|maybe|perhaps|prob\w*|poss\w*)\b|\?")
_BETWEEN = re.compile(r"[\W_]+")
_WORDS = re.compile(r"[^\W_]+")
_URN = re.compile(r"^urn:(?:uuid:)?")
_TITLE = re.compile(r"\W*(?:collector(?:\(s\)|s)?|coll?|leg)\b[.:)]*\s*", re.IGNORECASE)
_OTHERS = re.compile(r"[;|&/\n]|\b(?:with|and|et|y|und|s\.n)\b")
_SUFFIX = re.compile(r"[\s,]+(?:jr|sr|ii|iii|iv)\.?$", re.IGNORECASE)
_SUFFIX_ENDS = tuple(".rRiIvV")
_CAPITALS = re.compile(r"(?<=[a-z]) [A-Z]{1,4}$")
_NOBODY = frozenset(("anonymous", "unknown", "anon", "unspecified", "none"))
_LETTER_APART = re.compile(r"(\d)-([a-z])$")
_BEFORE_NUMBER = re.compile(r"^(?:no|nr)?-?0*")


@dataclass(frozen=True, slots=True)
class Media:
    """One medium of a record, as its source gives it."""

    url: str | None
    kind: str | None = None
    """StillImage, Sound, InteractiveResource ..."""
    format: str | None = None
    """MIME type, or whatever stands in its place."""
    licenses: tuple[str | None, ...] = ()
    """Every text about its licence."""
    rights_holder: str | None = None
    creator: str | None = None
    media_id: str | None = None
    """The aggregator's own id of the medium, where it has one."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One record of one source, with its media."""

    source: str
    record_id: str
    page_key: str
    terms: Mapping[str, str]
    """Darwin Core terms by their short names; what is empty is not there."""
    media: tuple[Media, ...] = ()
    licenses: tuple[str | None, ...] = ()
    """Every text about the record's own licence."""
    issue: str | None = None
    """Why the record could not be read whole."""


def clean_text(value: object) -> str | None:
    """Return a value as text with its ends trimmed; None when nothing is left."""
    if value is None or isinstance(value, (dict, list)):
        return None
    return str(value).replace("\x00", "").strip() or None


def fold_text(text: str) -> str:
    """Return letters and digits of a text in small letters without accents, a hyphen for all between them."""
    plain = _plain_letters(text)
    return plain if plain.isalnum() else _BETWEEN.sub("-", plain).strip("-")


def _plain_letters(text: str) -> str:
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join([c for c in plain if not unicodedata.combining(c)])


def short_key(*parts: str) -> str:
    """Return the first 20 hex digits of the sha256 of some texts."""
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:KEY_DIGITS]


# specimen


def describe_specimen(record: Occurrence) -> dict[str, Any]:
    """Return the columns of the records table that tell about the specimen, whichever of its images is meant."""
    terms = record.terms
    date = event_date(terms)
    return {
        "source": record.source,
        "source_record_id": record.record_id,
        "page_key": record.page_key,
        "scientificName": terms.get("scientificName"),
        "specimen_key": specimen_key(record),
        "gathering_key": gathering_key(terms.get("recordedBy"), collector_number(terms), date),
        **{name: terms.get(name) for name in ("institutionCode", "collectionCode", "catalogNumber", "occurrenceID")},
        "recordedBy": terms.get("recordedBy"),
        "recordNumber": collector_number(terms),
        "eventDate": date,
        "year": year_of(date) or whole(terms.get("year")),
        "countryCode": country_code(terms.get("countryCode")) or country_code(terms.get("country")),
        "stateProvince": terms.get("stateProvince"),
        "decimalLatitude": degrees(terms.get("decimalLatitude"), 90),
        "decimalLongitude": degrees(terms.get("decimalLongitude"), 180),
        "datasetKey": terms.get("datasetKey"),
        "basisOfRecord": terms.get("basisOfRecord"),
    }


def specimen_key(record: Occurrence) -> str:
    """Return the key of the physical specimen: institution, collection and catalogue number or barcode.

    Where these do not name it, the publisher's occurrenceID does, and at last the source's own record id.
    """
    terms = record.terms
    institution, number = terms.get("institutionCode"), terms.get("catalogNumber") or terms.get("barcodeValue")
    if institution and number and any(c.isdigit() for c in number):
        return short_key(fold_text(institution), fold_text(terms.get("collectionCode", "")), fold_text(number))
    if occurrence_id := terms.get("occurrenceID"):
        return short_key("occurrenceID", bare_occurrence_id(occurrence_id))
    return short_key(record.source, terms.get("datasetKey", ""), record.record_id)


def bare_occurrence_id(text: str) -> str:
    """Return an occurrenceID without what says that it is one, in small letters."""
    return _URN.sub("", text.lower())


BASES = {
    "preservedspecimen": None,
    "humanobservation": "RECORD_IS_OBSERVATION",
    "machineobservation": "RECORD_IS_OBSERVATION",
    "observation": "RECORD_IS_OBSERVATION",
    "fossilspecimen": "RECORD_IS_FOSSIL",
    "livingspecimen": "RECORD_IS_LIVING",
    "materialsample": "RECORD_IS_SAMPLE",
}
"""What a basisOfRecord means: a preserved specimen, or why it is none."""
SAMPLES = re.compile(r"\b(?:dna|tissue|genomic|silica|extract|wood|xylarium|seeds?|spirit|alcohol|pollen)\b")
SLIDES = re.compile(r"\b(?:microscop\w*|slides?|microslides?)\b")
SHEETS = re.compile(r"\b(?:sheets?|herbarium|herb|pressed|mounted|dried|packets?|exsiccat\w*)\b")


def specimen_issue(basis_of_record: str | None, preparations: str | None = None) -> str | None:
    """Return why a record is no herbarium sheet, by its basis and by how it was prepared; None where it may be one."""
    basis = fold_text(basis_of_record or "").replace("-", "")
    issue = BASES.get(basis, "NOT_A_SPECIMEN")
    kept = (preparations or "").lower()
    if issue is None and kept and not SHEETS.search(kept):
        issue = "RECORD_IS_SLIDE" if SLIDES.search(kept) else "RECORD_IS_SAMPLE" if SAMPLES.search(kept) else None
    return issue


def is_doubtful(qualifier: str | None) -> bool:
    """Return whether an identificationQualifier (cf., aff., ?) leaves the taxon open."""
    return _DOUBTS.search(qualifier.lower()) is not None if qualifier else False


def gathering_key(collector: str | None, number: str | None, date: str | None) -> str | None:
    """Return the key of a gathering: the first collector's surname, the collector's number, the date."""
    surname, digits = surname_of(collector), plain_number(number)
    if not surname or not date or not digits:
        return None
    return short_key(surname, digits, date[:10])


def surname_of(collectors: str | None) -> str | None:
    """Return the folded surname of the first collector: `clark` of `Elizabeth Clark` and `Clark, E. & Bell, J.`"""
    text = collectors or ""
    if title := _TITLE.match(text):
        text = text[title.end() :]
    if other := _OTHERS.search(text):
        text = text[: other.start()]
    before, _, after = text.partition(",")
    # `Clark, E.` puts the surname first; in `E. Clark, J. Bell` the comma parts two people, in `Clark Jr., E.` neither
    name = _CAPITALS.sub("", _without_suffix(before.strip() or after.strip()))  # `Jongkind CCH`
    words = [word for word in _WORDS.findall(_plain_letters(name)) if len(word) > 1]
    if not words or not _NOBODY.isdisjoint(words):
        return None
    return words[-1] if not words[-1].isdigit() else None


def plain_number(text: str | None) -> str | None:
    """Return a collector's number without the words before it: `16273` of `Vink, W  16273`, `12a` of `No. 12 a`."""
    words = (text or "").split()
    at = next((at for at, word in enumerate(words) if any(map(str.isdigit, word))), len(words))
    folded = _LETTER_APART.sub(r"\1\2", fold_text(" ".join(words[at:])))
    return _BEFORE_NUMBER.sub("", folded) or None


def _without_suffix(name: str) -> str:
    return _SUFFIX.sub("", name) if not name.isascii() or name[-1:] in _SUFFIX_ENDS else name


def year_of(date: str | None) -> int | None:
    """Return the year of an ISO 8601 date or interval; None when an interval spans several years."""
    years = {int(match) for match in re.findall(r"(?:^|/)\s*(1[5-9]\d\d|20\d\d)(?=\D|$)", date or "")}
    return years.pop() if len(years) == 1 else None


def event_date(terms: Mapping[str, str]) -> str | None:
    """Return the date of gathering as given, or as year, month and day tell it."""
    if date := terms.get("eventDate"):
        return date
    year, month, day = (whole(terms.get(name)) for name in ("year", "month", "day"))
    if not year:
        return None
    if not month or not 1 <= month <= 12:
        return f"{year:04}"
    return f"{year:04}-{month:02}-{day:02}" if day and 1 <= day <= 31 else f"{year:04}-{month:02}"


def collector_number(terms: Mapping[str, str]) -> str | None:
    """Return the collector's number as given."""
    return terms.get("recordNumber") or terms.get("fieldNumber")


def whole(text: str | None) -> int | None:
    """Return a number of one to four digits; None for 0 and for anything else."""
    return int(text) if text and re.fullmatch(r"\d{1,4}", text) and int(text) else None


def degrees(text: str | None, most: float) -> float | None:
    """Return degrees of latitude or longitude; None beyond `most`."""
    try:
        degrees = float(text or "")
    except ValueError:
        return None
    return degrees if abs(degrees) <= most else None


# image


def normalise_url(text: str | None) -> str | None:
    """Return an http(s) address in one spelling: small scheme and host, no default port, no fragment, all quoted.

    None when it is no such address.
    """
    try:
        parts = urlsplit(html.unescape(text or "").strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not HOST.fullmatch(host):
        return None
    place = f"[{host}]" if ":" in host else host
    place = place if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{place}:{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = f"?{quote(parts.query, safe='/?%:@!$&()*+,;=~[]')}" if parts.query else ""
    return f"{parts.scheme}://{place}{path}{query}"


def host_of(url: str) -> str:
    """Return host, and port when not the default, of a normalised URL."""
    return urlsplit(url).netloc


def image_key(url: str) -> str:
    """Return the key of the image behind a normalised URL."""
    return short_key(url)


def is_image(media: Media) -> bool:
    """Return whether a medium says to be a picture."""
    return media_issue(media) is None


def media_issue(media: Media) -> str | None:
    """Return why a medium is no picture (a sound, a web page, a IIIF manifest), as it says itself or by its address."""
    path = re.split(r"[?#]", media.url or "", maxsplit=1)[0].lower()
    if not path:
        return "NO_IMAGE"
    if issue := kind_issue(media.kind, media.format):
        return issue
    if path.endswith(("/manifest", "manifest.json", "/info.json")):
        return "IMAGE_IS_MANIFEST"
    return "IMAGE_IS_WEB_PAGE" if path.endswith((".html", ".htm")) else None


def kind_issue(kind: str | None, form: str | None) -> str | None:
    """Return why a medium is no picture, by its type and format alone."""
    told, mime = fold_text(kind or "").replace("-", ""), (form or "").lower().strip()
    if mime.startswith(("application/ld+json", "application/json")):
        return "IMAGE_IS_MANIFEST"
    if mime.startswith(("text/html", "application/xhtml")) and told in ("", *PICTURES):
        return "IMAGE_IS_WEB_PAGE"
    if (told and told not in PICTURES) or (mime and not _is_picture(mime)):
        return "NO_IMAGE"
    return None


def _is_picture(mime: str) -> bool:
    return mime.startswith("image") or mime.lstrip(".") in IMAGE_FORMATS
