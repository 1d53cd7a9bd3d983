"""The body of an answer: read within bounds, unpacked within bounds, and put together again when it was cut.

A cut body is resumed only when the server vouches for it: a strong ETag or a strong Last-Modified goes back in If-Range
(RFC 9110, 13.1.5), the answer's Content-Range must be the one asked for, and the last bytes are asked for twice and
must be the same. Whatever does not fit is thrown away and the whole is asked for.
"""

from __future__ import annotations

import email.utils
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp

from naflora_etl.engine.answers import Stop

CEILING_BYTES = 1 << 30
"""No body is read beyond this, whatever the caller allows."""
OVERLAP_BYTES = 4096
WORTH_RESUMING_BYTES = 65_536
PIECE_BYTES = 65_536
MOST_MEMBERS = 1000
"""Gzip files that may stand one behind the other in a body."""


class Cut(Exception):
    """The body ended before its end; what came of it."""

    def __init__(self, what: str, body: bytes) -> None:
        super().__init__(what)
        self.body = body


async def read_body(response: aiohttp.ClientResponse, limit: int, *, only_start: bool = False) -> bytes:
    """Return the body as it came over the wire.

    Raises Stop for one over `limit` bytes (`only_start`: returns that much of it), Cut for one that ended too early.
    """
    chunks: list[bytes] = []
    size = 0
    if response.method == "HEAD":  # tells a length, and has no body
        return b""
    if not only_start and (response.content_length or 0) > limit:
        raise Stop("IMAGE_TOO_LARGE", f"the body has {response.content_length} bytes", response.status)
    try:
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                if only_start:
                    return b"".join(chunks)[:limit]
                raise Stop("IMAGE_TOO_LARGE", f"the body has over {limit} bytes", response.status)
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        raise Cut(str(error) or type(error).__name__, b"".join(chunks)) from error
    return b"".join(chunks)


def unpack_body(body: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """Return the body without its Content-Encoding; Stop for one that unpacks to over `limit` bytes or not at all.

    A label that we did not ask for, or that does not fit the bytes, is passed over: they may be as they should be.
    """
    for coding in reversed(headers.get("content-encoding", "").lower().split(",")):
        if coding.strip() in ("gzip", "x-gzip") and body[:2] == b"\x1f\x8b":
            body = _inflate(body, 31, limit)
        elif coding.strip() == "deflate" and body[:1] and body[0] & 0x0F == 8:
            body = _inflate(body, 15, limit)
    return body


def _inflate(body: bytes, window_bits: int, limit: int) -> bytes:
    """Unpack piece by piece: what is left behind a member is copied, and a body may be made of a million empty ones."""
    view, place, made = memoryview(body), 0, bytearray()
    for _ in range(MOST_MEMBERS):
        unpacker = zlib.decompressobj(window_bits)
        while place < len(view) and not unpacker.eof:
            piece = view[place : place + PIECE_BYTES]
            try:
                made += unpacker.decompress(piece, limit + 1 - len(made))
            except zlib.error as error:
                raise Stop("HTTP_ERROR", f"the body cannot be unpacked: {error}") from None
            if len(made) > limit:
                raise Stop("IMAGE_TOO_LARGE", f"the body unpacks to over {limit} bytes")
            place += len(piece) - len(unpacker.unused_data)
        if not unpacker.eof:
            raise Stop("HTTP_ERROR", "the packed body is not whole")
        if window_bits != 31 or body[place : place + 2] != b"\x1f\x8b":
            return bytes(made)
    raise Stop("HTTP_ERROR", f"the body is packed in more than {MOST_MEMBERS} pieces")


@dataclass(frozen=True)
class Partial:
    """The beginning of a body, and what its server vouches for it by."""

    url: str
    body: bytes
    validator: str
    total: int | None

    @property
    def start(self) -> int:
        """The first byte to ask for: a little before the end, so that the seam can be looked at."""
        return len(self.body) - min(OVERLAP_BYTES, len(self.body) // 2)

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest."""
        return {"Range": f"bytes={self.start}-", "If-Range": self.validator}

    def join(self, rest: bytes, headers: Mapping[str, str], limit: int) -> bytes | None:
        """Return the whole body; None when `rest` is not its rest."""
        end = self._end_of(rest, headers)
        if end is None or end - self.start != len(rest) or end > limit:
            return None
        return self.body[: self.start] + rest

    def extended(self, rest: bytes, headers: Mapping[str, str]) -> Partial | None:
        """Return what there is now that the rest was cut, too; None when `rest` is not of this body."""
        end = self._end_of(rest, headers)
        return None if end is None else replace(self, body=self.body[: self.start] + rest, total=end)

    def _end_of(self, rest: bytes, headers: Mapping[str, str]) -> int | None:
        """Return the length of the whole body; None when its Content-Range, its validator or the seam do not fit."""
        found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", headers.get("content-range", "").strip())
        if found is None or int(found[1]) != self.start:
            return None
        ends = {int(found[2]) + 1, self.total or int(found[2]) + 1}
        ends |= {int(found[3])} if found[3] != "*" else set()
        vouched = headers.get("etag") if self.validator.startswith('"') else headers.get("last-modified")
        seam = self.body[self.start :]
        if len(ends) != 1 or vouched not in (None, self.validator) or rest[: len(seam)] != seam:
            return None
        return ends.pop()


def partial_of(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Partial | None:
    """Return what may be resumed of an answer that was cut; None when it is not worth it, or nobody vouches for it."""
    if status != 200 or len(body) < WORTH_RESUMING_BYTES or headers.get("content-encoding", "identity") != "identity":
        return None
    if headers.get("accept-ranges", "bytes").lower() == "none":
        return None
    validator = _strong_validator(headers)
    length = headers.get("content-length", "")
    return Partial(url, body, validator, int(length) if length.isdigit() else None) if validator else None


def _strong_validator(headers: Mapping[str, str]) -> str | None:
    """Return a strong ETag, or a Last-Modified that was a second old when it was sent (RFC 9110, 8.8.2.2)."""
    etag = headers.get("etag", "")
    if etag:
        return etag if re.fullmatch(r'"[^"]*"', etag) else None
    try:
        modified = email.utils.parsedate_to_datetime(headers["last-modified"])
        sent = email.utils.parsedate_to_datetime(headers["date"])
        return headers["last-modified"] if sent - modified >= timedelta(seconds=1) else None
    except (KeyError, ValueError, TypeError, OverflowError, IndexError):
        return None


def is_whole(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a 206 that nobody asked for holds all of its body nevertheless."""
    found = re.fullmatch(r"bytes 0-(\d+)/(\d+)", headers.get("content-range", "").strip())
    return found is not None and int(found[1]) + 1 == int(found[2]) == len(body)
