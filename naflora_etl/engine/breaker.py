"""What is known of one host: when it may be asked next, at what pace, and whether it rests because it kept failing.

A circuit breaker (Nygard, Release It!, ch. 5) in the words of a lane: a host that fails `patience` times in a row
*rests*; then one request probes it, alone. An answer ends the rest; a failure doubles it. Failures of requests that
were in flight together count once, and so do failures of one address that no other one shares: a page that always
fails says little about its host.

A host that refuses, because there were too many requests, shows its own pace: what it granted since the last
refusal, by the time that it took, the pause after it included. From then on it is asked a little more slowly
than that, and then ever so slightly faster with each request that goes out (additive increase, multiplicative
decrease, as in Jacobson, Congestion avoidance and control, 1988), until the recipe's own rate is the slower one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

FIRST_REST_S = 1.0
LONGEST_REST_S = 900.0
DAY_S = 86_400.0
A_LITTLE_BELOW = 0.9
"""So much of the rate that a host granted is asked of it after a refusal."""
RECOVERY_S = 600.0
"""Each request adds 1 / RECOVERY_S a second to the pace of a slowed host: a tenth more in a minute of asking."""
ROUNDING_S = 1.0
"""Retry-After counts whole seconds: so much of it may be more than was needed."""
SLOWEST_GAP_S = 30.0
"""However much is refused, one request goes out in this time."""
IDLE_S = 10.0
"""When nobody wanted to ask for so long, the time and the requests before say nothing of what the host grants."""
_PACKED = struct.Struct("<4s7d8sIIIddII")
_MARK = b"NFL2"


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
    slow_gap_s: float = 0.0
    """Seconds between requests that the host's refusals call for; 0 when it never refused."""
    since: float = 0.0
    """When the first request went out of those that are counted below."""
    turns: int = 0
    """Requests since then."""
    refused: int = 0
    """How many of them were refused."""

    def pack(self) -> bytes:
        """Return the state as bytes of a fixed length."""
        return _PACKED.pack(_MARK, *vars(self).values())

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

    @property
    def slowed_to(self) -> float | None:
        """Requests a second, where refusals keep them below the recipe's rate."""
        return 1 / self.slow_gap_s if self.slow_gap_s and self.slow_gap_s == self.gap_s else None

    def as_dict(self, now: float) -> dict[str, float | int | None]:
        """Return how the host is, as JSON values."""
        return {
            "paused_s": round(self.pause_left(now), 1),
            "rests_s": round(self.rest_left(now), 1),
            "failures_in_a_row": self.failures,
            "rests_ever": self.openings,
            "slowed_to_per_second": round(self.slowed_to, 3) if self.slowed_to else None,
        }

    def take_turn(self, now: float, gap_s: float) -> None:
        """Note that a request goes out; the next one does after `gap_s`, or later where the host is slowed."""
        self.hold_off(now, gap_s)
        self.turns += 1

    def hold_off(self, now: float, gap_s: float) -> None:
        """Let the next request wait as if one had gone out now."""
        self._adapt(now)
        self.gap_s = max(gap_s, self.slow_gap_s)
        self.free_at = now + self.gap_s

    def _adapt(self, now: float) -> None:
        """Slow the pace when there were refusals, all those since `since` together; else let it recover."""
        could_ask = max(self.free_at, self.pause_until)
        is_idle = abs(now - could_ask) > IDLE_S  # either way: a clock may have been set back
        if self.refused and not (is_idle and self.turns == 1):  # one now and then is not too often
            granted, took_s = max(self.turns - self.refused, 1), could_ask - self.since
            if self.pause_until > self.free_at:
                took_s = max(took_s - min(self.pause_s, ROUNDING_S), self.pause_s)
            self.slow_gap_s = min(took_s / granted / A_LITTLE_BELOW, SLOWEST_GAP_S)
        elif self.slow_gap_s:
            self.slow_gap_s /= 1 + self.gap_s / RECOVERY_S
        if self.refused or is_idle:
            self.since, self.turns, self.refused = now, 0, 0

    def note_refusal(self, began: float) -> None:
        """Note that there were too many requests for the host, says its answer to the one that began at `began`.

        What was in flight when others were refused is part of those.
        """
        if began >= self.since and self.refused < self.turns:
            self.refused += 1

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
