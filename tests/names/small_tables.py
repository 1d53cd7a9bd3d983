"""Small files for the tests of reading: spreadsheets, zips and archives, written by hand."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

META = """<?xml version="1.0" encoding="UTF-8"?>
<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">
  <core encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"
        rowType="http://rs.tdwg.org/dwc/terms/Taxon">
    <files><location>taxon.txt</location></files><id index="0"/>{taxon}
  </core>{extension}
</archive>"""
DISTRIBUTION = """
  <extension encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"
             rowType="http://rs.gbif.org/terms/1.0/Distribution">
    <files><location>distribution.txt</location></files><coreid index="0"/>{fields}
  </extension>"""


def write(folder: Path, data: str | bytes, name: str = "My List.csv", encoding: str = "utf-8") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
    return path


def zipped(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def locked(data: bytes) -> bytes:
    """Return a zip whose files say that they are encrypted."""
    body = bytearray(data)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = body.find(mark)
        while at >= 0:
            (was,) = struct.unpack_from("<H", body, at + flags)
            struct.pack_into("<H", body, at + flags, was | 1)
            at = body.find(mark, at + 4)
    return bytes(body)


def spreadsheet(*sheets: Sequence[Sequence[str | float | None]]) -> bytes:
    """Return an XLSX document of these sheets, as little as one needs to be."""
    names = [f"Sheet{at}" for at in range(1, len(sheets) + 1)]
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    book = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"/>' for at, name in enumerate(names, 1))
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{relations}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(1, len(sheets) + 1)
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.'
        'sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="rId1" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{book}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{packages}/relationships">{links}</Relationships>',
    }
    for at, rows in enumerate(sheets, 1):
        cells = f'<worksheet xmlns="{main}"><sheetData>{_rows(rows)}</sheetData></worksheet>'
        files[f"xl/worksheets/sheet{at}.xml"] = cells
    return zipped(files)


def _rows(rows: Sequence[Sequence[str | float | None]]) -> str:
    return "".join(
        f'<row r="{line}">{"".join(_cell(f"{chr(65 + at)}{line}", cell) for at, cell in enumerate(row))}</row>'
        for line, row in enumerate(rows, 1)
    )


def _cell(place: str, value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def archive(taxa: Sequence[Mapping[str, str]], places: Sequence[Mapping[str, str]] = ()) -> dict[str, str]:
    """Return the files of a Darwin Core archive of names, the first key of each row being its id."""
    fields = _fields(taxa[0])
    files = {"taxon.txt": _tabbed(taxa), "eml.xml": "<eml><pubDate>2026-06-04</pubDate></eml>"}
    extension = ""
    if places:
        extension = DISTRIBUTION.format(fields=_fields(places[0]))
        files["distribution.txt"] = _tabbed(places)
    return files | {"meta.xml": META.format(taxon=fields, extension=extension)}


def _fields(row: Mapping[str, str]) -> str:
    terms = list(enumerate(row))[1:]
    return "".join(f'<field index="{at}" term="http://rs.tdwg.org/dwc/terms/{term}"/>' for at, term in terms)


def _tabbed(rows: Sequence[Mapping[str, str]]) -> str:
    return "\n".join("\t".join(row) for row in [list(rows[0]), *(list(row.values()) for row in rows)]) + "\n"
