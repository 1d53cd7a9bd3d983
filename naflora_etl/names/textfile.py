"""A file that should hold a table of text: its encoding and its lines, or a sentence that says what it is instead."""

from __future__ import annotations

import codecs
from pathlib import Path

from naflora_etl.engine.faults import Fault

DELIMITERS = ("\t", "|", ";", ",")

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAGIC = {
    b"PK\x03\x04": "a zip or spreadsheet file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
}


def read_bytes(path: str | Path, what: str) -> bytes:
    """Return the bytes of the file; `what` names it in the Fault told when it is missing, a folder, or empty."""
    path = Path(path)
    if path.is_dir():
        raise Fault(f"{path} is a folder; {what} is a file, name the one in it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; correct the path of {what} in the recipe.") from None
    except OSError as error:
        raise Fault(f"{path}: {what} cannot be read: {error.strerror}.") from None
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        raise Fault(f"{path} is empty; {what} needs a line of headings and rows under it.")
    return data


def decode_text(data: bytes, path: str | Path) -> tuple[str, str]:
    """Return (text, encoding): UTF-16 with its mark, UTF-8 with or without one, else Windows-1252.

    Raises Fault for what is no table of text: known binary formats, NUL bytes, a web page.
    """
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            raise Fault(f"{path} is {kind}, not a table of text; save it as CSV or TSV.")
    encoding = _encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        where = data.count(b"\n", 0, error.start) + 1
        raise Fault(f"{path} is neither UTF-8 nor Windows-1252 text (line {where}); save it as UTF-8.") from None
    if "\0" in text:
        raise Fault(f"{path} is not text (it holds NUL bytes); save the table as CSV or TSV.")
    if text[:200].lstrip().lower().startswith(("<!doctype html", "<html")):
        raise Fault(f"{path} is a web page, not a table; download the file itself.")
    return text, encoding


def _encoding_of(data: bytes) -> str:
    if data.startswith(_UTF16):
        return "utf-16"
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def find_delimiter(header: str) -> str | None:
    """Return the delimiter that cuts a line of headings into most columns; None if none cuts it."""
    best = max(DELIMITERS, key=header.count)
    return best if best in header else None
