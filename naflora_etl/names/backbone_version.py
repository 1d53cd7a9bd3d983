"""Which version of a backbone a file is: as its archive, its readme or its name says."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from naflora_etl.engine.faults import Fault
from naflora_etl.names.packed import Pack, open_pack
from naflora_etl.names.spreadsheet import read_sheets

MOST_README_BYTES = 4 << 20
_IN_TEXT = re.compile(r"\bversion\W{0,5}(\d{1,3}(?:\.\d+)*|20\d\d-\d\d(?:-\d\d)?)", re.IGNORECASE)
_SHORT = re.compile(r"(?<![A-Za-z0-9])v\.?\s?(\d{1,3}(?:\.\d+)*)(?![A-Za-z0-9])", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)(20\d\d[-_](?:0[1-9]|1[0-2])(?:[-_][0-3]\d)?)(?!\d)")
_MONTH = re.compile(r"(?<![a-z])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-_ ]?(20\d\d)", re.IGNORECASE)
_PUBLISHED = re.compile(r"<pubDate>\s*([^<]{4,40}?)\s*</pubDate>")


def find_version(path: Path) -> str | None:
    """Return the version, or the date of publication, that a backbone gives for itself; None where it gives none.

    Looked for in the name of the file, in a readme beside the table in a zip, in an archive's eml.xml, in the names
    of the zip's own files.
    """
    pack = open_pack(path)
    found = _in_name(path.name)
    if found is None and pack is not None:
        found = _in_readme(pack) or _in_eml(pack) or next(filter(None, map(_in_name, sorted(pack.sizes))), None)
    return found


def _in_name(name: str) -> str | None:
    plain = PurePosixPath(name).name.replace("_", " ")
    version, month = _SHORT.search(plain), _MONTH.search(plain)
    said = [version[1]] if version else []
    said += [f"{month[1].capitalize()} {month[2]}"] if month else []
    if said:
        return ", ".join(said)
    date = _DATE.search(name)
    return date[1].replace("_", "-") if date else None


def _in_readme(pack: Pack) -> str | None:
    for name, size in sorted(pack.sizes.items()):
        if not PurePosixPath(name).name.lower().startswith("readme") or size > MOST_README_BYTES:
            continue
        try:
            data = pack.read(name, MOST_README_BYTES)
            text = _sheet_text(data, pack.path) if data.startswith(b"PK") else data.decode("utf-8", "replace")
        except Fault:
            continue  # a readme that cannot be read says nothing
        found = _IN_TEXT.search(text) or _SHORT.search(text[:2000])
        if found:
            return found[1]
    return None


def _sheet_text(data: bytes, path: Path) -> str:
    return "\n".join(" ".join(row) for sheet in read_sheets(data, path).values() for row in sheet[:50])


def _in_eml(pack: Pack) -> str | None:
    name = pack.find("eml.xml")
    if name is None or pack.sizes[name] > MOST_README_BYTES:
        return None
    found = _PUBLISHED.search(pack.read(name).decode("utf-8", "replace"))
    return found[1] if found else None
