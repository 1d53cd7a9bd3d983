"""A Darwin Core archive of names, a zip or a folder: what its meta.xml says lies where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree import ElementTree

from naflora_etl.engine.faults import Fault


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file of an archive, as meta.xml describes it."""

    location: str
    row_type: str
    columns: tuple[str, ...]
    """Short names of the terms by position; a position that meta.xml leaves out is `column N`."""
    constants: tuple[tuple[str, str], ...]
    """Terms that have the same value in every row, and no column."""
    id_place: int
    delimiter: str
    quotes: bool
    encoding: str
    header_lines: int


def read_meta(text: bytes, path: str) -> tuple[ArchiveFile, tuple[ArchiveFile, ...]]:
    """Return (core, extensions) of an archive; raises Fault for a meta.xml that cannot be followed."""
    if b"<!ENTITY" in text:
        raise Fault(f"{path}: its meta.xml defines entities of its own, which no archive needs; download it again.")
    try:
        root = ElementTree.fromstring(text)
        cores = [node for node in root if _short(node.tag) == "core"]
        if len(cores) != 1:
            raise ValueError(f"it names {len(cores)} cores, not one")
        return _file(cores[0]), tuple(_file(node) for node in root if _short(node.tag) == "extension")
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Fault(f"{path}: its meta.xml cannot be followed ({error}); download it again.") from None


def _file(node: ElementTree.Element) -> ArchiveFile:
    """Return what a core or extension says, with the defaults of the Darwin Core text guide."""
    parts = {_short(child.tag): child for child in node.iter()}
    fields = [child.attrib for child in node if _short(child.tag) == "field"]
    key = parts.get("id", parts.get("coreid"))
    location = (parts["location"].text or "").strip() if "location" in parts else ""
    if not location or location.startswith("/") or ".." in PurePosixPath(location).parts:
        raise ValueError(f"no file in {_short(node.tag)}")
    encoding = node.get("encoding") or "UTF-8"
    "".encode(encoding)
    id_place = int(key.get("index", 0)) if key is not None else 0
    terms = {int(field["index"]): _short(field["term"]) for field in fields if "index" in field}
    width = max([id_place, *terms]) + 1
    if width > 10_000:
        raise ValueError(f"it counts {width:,} columns")
    return ArchiveFile(
        location=location,
        row_type=_short(node.get("rowType", "")).lower(),
        columns=tuple(terms.get(at, "id" if at == id_place else f"column {at + 1}") for at in range(width)),
        constants=tuple(
            (_short(field["term"]), field["default"]) for field in fields if "default" in field and "index" not in field
        ),
        id_place=id_place,
        delimiter=_unescaped(node.get("fieldsTerminatedBy", ",")) or ",",
        quotes=bool(node.get("fieldsEnclosedBy", '"').strip()),
        encoding=encoding,
        header_lines=int(node.get("ignoreHeaderLines", 0) or 0),
    )


def _short(term: str) -> str:
    """Return the short name of a term or tag: what stands after the last slash, hash or brace."""
    return term.replace("#", "/").replace("}", "/").rsplit("/", 1)[-1]


def _unescaped(text: str) -> str:
    return text.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r").replace('\\"', '"')
