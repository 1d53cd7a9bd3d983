"""A finding: where a release breaks a promise, what was found there, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

TAKE_ANEW = "take the file anew from where the release came from"
BUILD_ANEW = "build the release anew"


@dataclass(frozen=True)
class Finding:
    """One broken promise, told in a sentence."""

    where: str
    found: str
    mend: str = BUILD_ANEW

    def __str__(self) -> str:
        return f"{self.where}: {self.found}; {self.mend}."


def tell_keys(where: str, what: str, keys: Iterable[object], mend: str = BUILD_ANEW) -> Iterator[Finding]:
    """Yield one finding for all of `keys`, with their number and the first; none when there are no keys."""
    listed = sorted({str(key) for key in keys})
    if listed:
        yield Finding(where, f"{what}: {len(listed)}, first {listed[0]}", mend)
