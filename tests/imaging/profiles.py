"""ICC profiles made in memory: of three primaries and a gamma, of grey, and broken in every way."""

from __future__ import annotations

import struct

SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
"""X, Y, Z (D50) of sRGB's red, green and blue."""
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
ADOBE_GAMMA = 2.19921875


def rgb_profile(primaries: tuple[tuple[float, ...], ...] = SRGB, gamma: float = 2.2) -> bytes:
    """A profile of a matrix and a curve."""
    tags = {name: _xyz(*xyz) for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """A profile of grey with that gamma."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def swapped_profile() -> bytes:
    """sRGB's primaries, red and green exchanged: what has to be seen when it is applied."""
    return rgb_profile((SRGB[1], SRGB[0], SRGB[2]))


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(0.9642, 1.0, 0.8249), **tags}
    table, data = b"", b""
    start = 132 + 12 * len(tags)
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(data), b"", 0x02400000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + data


def _xyz(*xyz: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in xyz))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def broken_profiles() -> dict[str, bytes]:
    """Profiles that make no sense, by name."""
    good = swapped_profile()
    return {
        "empty": b"",
        "rubbish": bytes(range(256)) * 8,
        "cut short": good[:200],
        "says more than it has": struct.pack(">I", 1 << 31) + good[4:],
        "without its mark": good.replace(b"acsp", b"xxxx"),
        "a million tags": good[:128] + struct.pack(">I", 1_000_000) + good[132:],
        "tags beyond its end": good[:136] + struct.pack(">I", 1 << 30) + good[140:],
        "of inks, on an image of lights": good[:16] + b"CMYK" + good[20:],
        "of no space that there is": good[:16] + b"ABCD" + good[20:],
    }
