"""meta.xml: what the descriptor of a Darwin Core archive says of its files (Darwin Core Text Guide, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree import ElementTree

from naflora_etl.engine.faults import Fault

MOST_COLUMNS = 10_000
MOST_HEADER_LINES = 1000


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of an archive, as meta.xml describes it."""

    location: str
    row_type: str
    """Short name in lower case: occurrence, multimedia, distribution."""
    columns: tuple[tuple[int, str], ...]
    """(position, short name of the term)."""
    constants: tuple[tuple[str, str], ...]
    """Terms that have the same value in every row, and no column."""
    id_position: int
    delimiter: str
    quote: str
    """Empty where fields are not enclosed."""
    encoding: str
    header_lines: int

    @property
    def headings(self) -> tuple[str, ...]:
        """A name for each position; one that meta.xml leaves out is `id` or `column N`."""
        terms = dict(self.columns)
        width = max([self.id_position, *terms]) + 1
        return tuple(terms.get(at, "id" if at == self.id_position else f"column {at + 1}") for at in range(width))


def read_meta(text: bytes, path: str, again: str) -> tuple[DataFile, tuple[DataFile, ...]]:
    """Return (core, extensions); raises Fault, which ends with what to do `again`, for what cannot be followed."""
    if b"<!ENTITY" in text:
        raise Fault(f"{path}: its meta.xml defines entities of its own, which no archive needs; {again}.")
    try:
        root = ElementTree.fromstring(text)
        cores = [node for node in root if _short(node.tag) == "core"]
        if len(cores) != 1:
            raise ValueError(f"it names {len(cores)} cores, not one")
        return _data_file(cores[0]), tuple(_data_file(node) for node in root if _short(node.tag) == "extension")
    except ElementTree.ParseError as error:
        raise Fault(f"{path}: its meta.xml cannot be followed (it is not XML: {error}); {again}.") from None
    except (ValueError, LookupError) as error:
        raise Fault(f"{path}: its meta.xml cannot be followed ({error}); {again}.") from None


def _data_file(node: ElementTree.Element) -> DataFile:
    """Return what a core or extension says, with the defaults of the text guide."""
    parts = {_short(child.tag): child for child in node.iter()}
    fields = [child.attrib for child in node if _short(child.tag) == "field"]
    key = parts.get("id", parts.get("coreid"))
    location = (parts["location"].text or "").strip() if "location" in parts else ""
    if not location or location.startswith("/") or ".." in PurePosixPath(location).parts:
        raise ValueError(f"no file in {_short(node.tag)}")
    encoding = node.get("encoding") or "UTF-8"
    "".encode(encoding)
    made = DataFile(
        location=location,
        row_type=_short(node.get("rowType", "")).lower(),
        columns=tuple((int(field["index"]), _short(field["term"])) for field in fields if "index" in field),
        constants=tuple(
            (_short(field["term"]), field["default"]) for field in fields if "default" in field and "index" not in field
        ),
        id_position=int(key.get("index", 0)) if key is not None else 0,
        delimiter=_unescaped(node.get("fieldsTerminatedBy", ",")) or ",",
        quote=_unescaped(node.get("fieldsEnclosedBy", '"')).strip(),
        encoding=encoding,
        header_lines=int(node.get("ignoreHeaderLines", 0) or 0),
    )
    positions = [made.id_position, *(position for position, _ in made.columns)]
    if min(positions) < 0 or max(positions) >= MOST_COLUMNS:
        raise ValueError(f"it counts columns from {min(positions):,} to {max(positions):,}")
    if not 0 <= made.header_lines <= MOST_HEADER_LINES:
        raise ValueError(f"it has {made.header_lines:,} lines of headings")
    if len(made.delimiter) > 1 or len(made.quote) > 1 or made.delimiter in ("\n", "\r", made.quote):
        raise ValueError(f"its fields end in {made.delimiter!r} and are enclosed by {made.quote!r}")
    return made


def _short(term: str) -> str:
    """Return the short name of a term or tag: what stands after the last slash, hash or brace."""
    return term.replace("#", "/").replace("}", "/").rsplit("/", 1)[-1]


def _unescaped(text: str) -> str:
    return text.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r").replace('\\"', '"')
