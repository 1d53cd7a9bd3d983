"""What real archives have wrong in them, rarely: another encoding, cells too few, stray media, huge cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SHARE = 0.0004
LARGE_BYTES = 2_000_000


def spoil_rows(lines: pa.Array, delimiter: str, batch: int) -> pa.Array:
    """Return a batch of lines with a few in Latin-1, with carriage returns, with NUL, cut short or grown longer."""
    random = np.random.default_rng([batch, len(lines)])
    chosen = np.flatnonzero(random.random(len(lines)) < SHARE)
    if not len(chosen):
        return lines.cast(pa.binary())
    spoilt = [_spoil(lines[int(at)].as_py(), delimiter, number) for number, at in enumerate(chosen)]
    mask = np.zeros(len(lines), bool)
    mask[chosen] = True
    return pc.replace_with_mask(lines.cast(pa.binary()), pa.array(mask), pa.array(spoilt, pa.binary()))


def _spoil(line: str, delimiter: str, way: int) -> bytes:
    """Return a line with one fault; every eighth has not the columns it should."""
    text = line.rstrip("\n")
    match way % 8:
        case 0:
            return text.rpartition(delimiter)[0].encode() + b"\n"
        case 1 | 2:
            return text.replace("ö", "é").encode("cp1252", "replace") + b"\r\n"
        case 3:
            return text.replace(delimiter, delimiter + "\0", 1).encode() + b"\n"
        case 4:
            return text.replace(delimiter, "  " + delimiter, 1).encode() + b"\n\n"
        case _:
            return text.encode() + b"\r\n"


def stray_rows(name: str, delimiter: str, columns: int) -> Iterator[bytes]:
    """Yield what ends a file: media of no record, or a record of two megabytes without any, a line without sense."""
    empty = [""] * columns
    if name.startswith("multimedia"):
        at = 3 if name.endswith(".txt") else 1
        for number in range(3):
            cells = empty.copy()
            cells[0], cells[at] = f"stray-{number}", f"https://nowhere.example.org/{number}.jpg"
            yield delimiter.join(cells).encode() + b"\n"
        return
    cells = empty.copy()
    cells[0], cells[7] = "large", "x" * LARGE_BYTES
    yield delimiter.join(cells).encode() + b"\n"
    yield b"no such row\n"
