"""A file that should hold a table of text: its encoding and its lines, or a sentence that says what it is instead."""

from __future__ import annotations

import codecs
import re
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
    b"{\\rtf": "a rich-text document",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"RDX": "an R data file",
    b"SQLite format 3": "a SQLite database",
}
# What people's machines wrote before UTF-8: Windows, the old Macintosh, DOS. The first is by far the most frequent.
_SINGLE_BYTE = ("cp1252", "mac_roman", "cp850")
_MARKUP = re.compile(r"\s*<(?:!doctype\s+html|html|head|body|table|meta|div|script)\b", re.IGNORECASE)
_XML = re.compile(r"\s*<\?xml\b", re.IGNORECASE)


def read_bytes(path: str | Path, what: str) -> bytes:
    """Return the bytes of the file; `what` names it in the Fault told when it is missing, a folder, or empty."""
    path = Path(path)
    if path.is_dir():
        raise Fault(f"{path} is a folder; {what} is a file, name the one in it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; correct the path of {what}.") from None
    except (OSError, ValueError) as error:
        raise Fault(f"{path}: {what} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    refuse_empty(data, path, what)
    return data


def refuse_empty(data: bytes, path: str | Path, what: str) -> None:
    """Raise Fault for a file in which nothing stands."""
    if not data[:100].strip(b"\xef\xbb\xbf\xff\xfe \t\r\n") and not data.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise Fault(f"{path} is empty; {what} needs a line of headings and rows under it.")


def refuse_other_formats(data: bytes, path: str | Path) -> None:
    """Raise Fault for the beginning of a file that is known to be no text."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            raise Fault(f"{path} is {kind}, not a table of text; save it as CSV or TSV.")


def decode_lines(data: bytes, path: str | Path, encoding: str | None = None) -> tuple[list[str], list[str]]:
    """Return (lines, the encoding that each was read in); `encoding` is used as it is when it is said.

    UTF-16 by its mark or its zero bytes, else UTF-8. In a file that is not UTF-8 throughout, each line that is not is
    read as Windows-1252, or as an old Macintosh's or DOS's where that alone makes words of it: files that were pasted
    together mix encodings. Raises Fault for what is no text: binary formats, NUL bytes, a web page, bytes that are no
    letters.
    """
    refuse_other_formats(data, path)
    found = encoding or _whole_encoding(data)
    if found is not None:
        try:
            lines = _split(data.decode(found))
        except LookupError:
            raise Fault(f"{path}: {found} is no encoding that is known; say utf-8, cp1252, mac_roman ...") from None
        except UnicodeDecodeError as error:
            where = data.count(b"\n", 0, error.start) + 1
            raise Fault(f"{path} is not {found} text (line {where}); say another encoding, or none.") from None
        encodings = [found.removesuffix("-sig")] * len(lines)
    else:
        lines, encodings = _decode_mixed(data, path)
    _refuse_no_table(lines, path)
    return lines, encodings


def decode_text(data: bytes, path: str | Path) -> tuple[str, str]:
    """Return (text, encoding of its first odd line); see decode_lines."""
    lines, encodings = decode_lines(data, path)
    return "\n".join(lines), next((found for found in encodings if found != "utf-8"), encodings[0])


def find_delimiter(header: str) -> str | None:
    """Return the delimiter that cuts a line of headings into most columns; None if none cuts it."""
    best = max(DELIMITERS, key=header.count)
    return best if best in header else None


def _whole_encoding(data: bytes) -> str | None:
    if data.startswith(_UTF16):
        return "utf-16"
    sample = data[:4000]
    if len(sample) > 3 and b"\0" in sample:
        for encoding, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
            if zeros.count(0) > 0.8 * len(zeros):  # Latin letters in two bytes have one that is zero
                return encoding
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return encoding


def _decode_mixed(data: bytes, path: str | Path) -> tuple[list[str], list[str]]:
    raw = data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
    pieces = raw.split(b"\n") if b"\n" in raw else raw.split(b"\r")
    odd = _single_byte_encoding(b"\n".join(piece for piece in pieces if not _is_utf8(piece)))
    lines, encodings = [], []
    for number, piece in enumerate(pieces, start=1):
        encoding = "utf-8" if _is_utf8(piece) else odd
        try:
            lines.append(piece.decode(encoding).rstrip("\r"))
        except UnicodeDecodeError:
            raise Fault(f"{path} is neither UTF-8 nor Windows-1252 text (line {number}); save it as UTF-8.") from None
        encodings.append(encoding)
    if odd in encodings and all(piece.isascii() for piece, used in zip(pieces, encodings, strict=True) if used != odd):
        encodings = [odd] * len(encodings)  # nothing in the file says UTF-8
    return lines, encodings


def _is_utf8(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _single_byte_encoding(data: bytes) -> str:
    """Return the encoding under which the bytes beyond ASCII are most often small letters within words."""
    scores = {encoding: _score(data, encoding) for encoding in _SINGLE_BYTE}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0 else _SINGLE_BYTE[0]


def _score(data: bytes, encoding: str) -> float:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return float("-inf")
    score = 0.0
    for found in re.finditer(r"(?<=[A-Za-z])[^\x00-\x7f]+|[^\x00-\x7f]+(?=[a-z])", text):
        for letter in found.group():
            score += 1 if letter.islower() and letter not in "ªº" else -1 if letter.isalpha() else -0.5
    return score


def _split(text: str) -> list[str]:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    lines = text.split("\n") if "\n" in text else text.split("\r")
    return [line.rstrip("\r") for line in lines]


def _refuse_no_table(lines: list[str], path: str | Path) -> None:
    if not any(map(str.strip, lines)):
        raise Fault(f"{path} is empty: nothing but spaces stands in it.")
    holding = next((number for number, line in enumerate(lines, start=1) if "\0" in line), None)
    if holding is not None:
        raise Fault(f"{path} is not text (it holds NUL bytes, line {holding}); save the table as CSV or TSV.")
    start = re.sub(r"<!--.*?-->", "", "\n".join(lines[:50])[:4000], flags=re.DOTALL)
    if _MARKUP.match(start) or (_XML.match(start) and re.search(r"<html\b", start, re.IGNORECASE)):
        raise Fault(f"{path} is a web page, not a table; download the file itself.")
    if _XML.match(start):
        raise Fault(f"{path} is an XML document, not a table of text; save the table as CSV or TSV.")
