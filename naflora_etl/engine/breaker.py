"""What is known of one host: when it may be asked next, and whether it rests because it kept failing.

A circuit breaker (Nygard, Release It!, ch. 5) in the words of a lane: a host that fails `patience` times in a row
*rests*; then one request probes it, alone. An answer ends the rest; a failure doubles it. Failures of requests that
were in flight together count once, and so do failures of one address that no other one shares: a page that always
fails says little about its host.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass

FIRST_REST_S = 1.0
LONGEST_REST_S = 900.0
DAY_S = 86_400.0
_PACKED = struct.Struct("<4s7d8sIII")
_MARK = b"NFL1"


@dataclass
class HostState:
    """The state of one host; times are of time.time(), which processes and machines share."""

    free_at: float = 0.0
    gap_s: float = 0.0
    """Seconds between the last request and `free_at`, to see through a clock that was set back."""
    pause_until: float = 0.0
    pause_s: float = 0.0
    rest_until: float = 0.0
    rest_s: float = 0.0
    """Length of the present rest; 0 while the host is well."""
    failed_at: float = 0.0
    failed_what: bytes = b""
    """Digest of the address that failed last."""
    failures: int = 0
    """In a row."""
    openings: int = 0
    """How often it was put to rest, ever."""
    limit: int = 0
    """Requests at a time that the last one to enter allowed, for whoever looks."""

    def pack(self) -> bytes:
        """Return the state as bytes of a fixed length."""
        return _PACKED.pack(_MARK, *astuple(self))

    @classmethod
    def unpack(cls, data: bytes) -> HostState:
        """Return the state that `pack` gave; a fresh one for anything else."""
        if len(data) != _PACKED.size or data[:4] != _MARK:
            return cls()
        state = cls(*_PACKED.unpack(data)[1:])
        state.failed_what = state.failed_what.rstrip(b"\0")
        return state

    def turn_in(self, now: float) -> float:
        """Return the seconds until the rate allows the next request."""
        return _left(self.free_at, self.gap_s, now)

    def pause_left(self, now: float) -> float:
        """Return the seconds that a Retry-After still asks for."""
        return _left(self.pause_until, self.pause_s, now)

    def rest_left(self, now: float) -> float:
        """Return the seconds until the host may be probed."""
        return _left(self.rest_until, self.rest_s, now) if self.rest_s else 0.0

    def as_dict(self, now: float) -> dict[str, float | int]:
        """Return how the host is, as JSON values."""
        return {
            "paused_s": round(self.pause_left(now), 1),
            "rests_s": round(self.rest_left(now), 1),
            "failures_in_a_row": self.failures,
            "rests_ever": self.openings,
        }

    def take_turn(self, now: float, gap_s: float) -> None:
        """Note that a request goes out."""
        self.free_at, self.gap_s = now + gap_s, gap_s

    def note_pause(self, now: float, seconds: float) -> None:
        """Note a Retry-After; a longer one that is in force stays."""
        seconds = min(seconds, DAY_S)
        if seconds > self.pause_left(now):
            self.pause_until, self.pause_s = now + seconds, seconds

    def note_failure(self, began: float, now: float, what: bytes, patience: int) -> bool:
        """Note a failed request that began at `began`; return whether that puts the host to rest."""
        if began < self.failed_at <= now:
            return False
        if self.rest_s:
            self.failed_at = now
            self.rest_s = min(2 * self.rest_s, LONGEST_REST_S)
        elif what and what == self.failed_what:
            return False
        else:
            self.failed_at, self.failed_what = now, what
            self.failures += 1
            if self.failures < patience:
                return False
            self.rest_s = FIRST_REST_S
        self.rest_until = now + self.rest_s
        self.openings += 1
        return True

    def note_success(self) -> None:
        """Note an answer: the host is well."""
        self.failures, self.failed_what, self.rest_s, self.rest_until = 0, b"", 0.0, 0.0

    @property
    def is_well(self) -> bool:
        """Whether there is nothing that a success would mend."""
        return not self.failures and not self.rest_s


def _left(until: float, length_s: float, now: float) -> float:
    """Return the seconds left of `length_s` that end at `until`; never more than all of them."""
    return min(max(0.0, until - now), length_s)
