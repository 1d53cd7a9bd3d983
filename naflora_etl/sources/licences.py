"""What people write into a licence field -> one SPDX-like id, or None where it cannot be understood."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable

ALL_RIGHTS_RESERVED = "ARR"
FROM_MILD_TO_STRICT = (
    "CC0",
    "CC-PDDC",
    "PDM",
    "CC-BY",
    "CC-BY-SA",
    "CC-BY-NC",
    "CC-BY-NC-SA",
    "CC-BY-ND",
    "CC-BY-NC-ND",
    ALL_RIGHTS_RESERVED,
)

_VERSION = r"(?:[\s/_.-]*v?\.?\s?([1-4])[._]([05])(?![\d.]\d))?"
_ADDRESS = re.compile(r"creativecommons\.org/licen[cs]es/(by(?:-(?:nc|nd|sa))*)(?:/([1-4])\.([05]))?")
_BUTTON = re.compile(r"creativecommons\.org/l/(by(?:-(?:nc|nd|sa))*)(?:/([1-4])\.([05]))?")
_CODE = re.compile(r"\bcc[\s_:-]*(by(?:[\s_/-]*(?:nc|nd|sa)(?![a-z]))*)(?![a-z])" + _VERSION)
_BARE = re.compile(r"^(by(?:[\s_-](?:nc|nd|sa))*)" + _VERSION + "$")
_WORDS = re.compile(r"\b(attribution(?:[\s_,/-]*(?:non[\s-]?commercial|no[\s-]?deriv\w*|share[\s-]?alike))*)\b")
_WORDS_VERSION = re.compile(r"\b([1-4])\.([05])\b")
_ZERO = re.compile(r"publicdomain/zero|\bcc[\s_-]*(?:0|zero)(?![a-z])|creative commons zero|\bpublic domain dedication")
_MARK = re.compile(r"publicdomain/mark|\bpdm\b|\bpublic domain mark\b")
_DEDICATION = re.compile(r"creativecommons\.org/licen[cs]es/publicdomain")
_DOMAIN = re.compile(r"^(?:(?:this (?:image|work) is )?in the )?public[\s-]domain\.?$")
_RESERVED = re.compile(r"all rights? reserved|copyright reserved|todos los derechos reservados|tous droits réservés"
                       r"|rightsstatements\.org/(?:vocab|page)/inc")  # fmt: skip


def read_license(text: str | None) -> str | None:
    """Return the licence that `text` names: CC0-1.0, PDM-1.0, CC-BY-NC-3.0, CC-BY (no version told), ARR; else None.

    A text that names several counts as the strictest of them.
    """
    plain = " ".join(html.unescape(text or "").lower().split())
    found = list(_licenses_in(plain))
    return strictest(found) if found else None


def _licenses_in(text: str) -> Iterable[str]:
    if _RESERVED.search(text):
        yield ALL_RIGHTS_RESERVED
    if _ZERO.search(text):
        yield "CC0-1.0"
    elif _DEDICATION.search(text):
        yield "CC-PDDC"
    elif _MARK.search(text) or _DOMAIN.search(text):
        yield "PDM-1.0"
    codes = [match for pattern in (_ADDRESS, _BUTTON, _CODE, _BARE) for match in pattern.finditer(text)]
    for match in codes:
        yield _named(match[1], f"{match[2]}.{match[3]}" if match[2] else None)
    if not codes and ("creative commons" in text or text.startswith("attribution")):
        for words in _WORDS.finditer(text):
            version = _WORDS_VERSION.search(text)
            yield _named(words[1], version[0] if version else None)


def _named(parts: str, version: str | None) -> str:
    is_nc = "nc" in parts or "commercial" in parts
    is_nd = "nd" in re.split(r"[\s_/-]", parts) or "deriv" in parts
    is_sa = "sa" in re.split(r"[\s_/-]", parts) or "alike" in parts
    name = "CC-BY" + "-NC" * is_nc + ("-ND" if is_nd else "-SA" * is_sa)
    return f"{name}-{version}" if version else name


def family_of(license_id: str) -> str:
    """Return the licence without its version: CC-BY-NC for CC-BY-NC-3.0."""
    return re.sub(r"-\d\.\d$", "", license_id)


def strictest(licenses: Collection[str]) -> str:
    """Return the strictest of some licences; the first of equals, one with a version before one without."""
    return max(licenses, key=strictness)


def strictness(license_id: str) -> int:
    """Return a number that grows with strictness; one with a version is a little stricter than one without."""
    return 2 * FROM_MILD_TO_STRICT.index(family_of(license_id)) + (license_id != family_of(license_id))


def is_allowed(license_id: str, allowed: Iterable[str]) -> bool:
    """Return whether a licence is among the allowed ones; versions are not told apart."""
    return family_of(license_id) in {family_of(name) for name in allowed}


def choose_license(of_image: Iterable[str | None], of_record: Iterable[str | None]) -> tuple[str | None, str | None]:
    """Return (licence, its text) of an image, from all that is written at the image and at its record.

    The image outranks the record, also where the image's text cannot be understood. Of several texts at one place
    the strictest counts. Both None: nothing is written anywhere.
    """
    for place in (of_image, of_record):
        texts = [text.strip() for text in place if text and text.strip()]
        said = [(name, text) for text in texts if (name := read_license(text)) is not None]
        if said:
            best = strictest([name for name, _ in said])
            return best, next(text for name, text in said if name == best)
        if texts:
            return None, texts[0]
    return None, None
