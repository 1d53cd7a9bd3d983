"""The bill of each host: what it was asked, what it gave, how long it took, what went wrong.

It is read from a table whose rows tell in `asked` of every request that was made for them, so that it survives a kill
as the rows do, and says for every figure which row it comes from.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from naflora_etl.engine.answers import REDIRECTS, THROTTLED, Asked

OPTED_OUT = "ROBOTS_DISALLOWED"


def write_asked(asked: Iterable[Asked]) -> str:
    """Return requests as JSON: a list of [host, status, bytes, seconds], and 1 after those that put it to rest."""
    rows = [[one.host, one.status, one.bytes, one.seconds, *([1] if one.opened else [])] for one in asked]
    return json.dumps(rows, separators=(",", ":"))


def read_asked(text: str | None) -> list[Asked]:
    """Return the requests that `write_asked` told; none for null."""
    rows: list[list[Any]] = json.loads(text or "[]")
    return [Asked(row[0], row[1], row[2], row[3], bool(row[4:])) for row in rows]


@dataclass
class HostBill:
    """What one host was asked and gave."""

    host: str
    requests: int = 0
    bytes: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of each request that was answered, to its last byte."""
    answered: int = 0
    redirects: int = 0
    throttled: int = 0
    """429 and 420."""
    server_errors: int = 0
    unanswered: int = 0
    retries: int = 0
    """Requests for a row beyond the first, redirects aside."""
    rests: int = 0
    """How often it kept failing and was left alone."""
    given: int = 0
    """Rows that it gave."""
    opt_outs: int = 0
    issues: Counter[str] = field(default_factory=Counter)

    @property
    def median_s(self) -> float | None:
        """Median seconds of an answer."""
        return _quantile(self.seconds, 0.5)

    @property
    def p95_s(self) -> float | None:
        """Seconds that 95 of 100 answers did not take."""
        return _quantile(self.seconds, 0.95)

    def as_dict(self) -> dict[str, Any]:
        """Return the bill as JSON values."""
        values = asdict(self) | {"median_s": self.median_s, "p95_s": self.p95_s, "issues": dict(self.issues)}
        values.pop("seconds")
        return values


def bill_hosts(table: pa.Table) -> list[HostBill]:
    """Return the bill of each host that was asked for rows of `table`, most requests first.

    `table` has the columns host, asked and issue; null in `asked`: nobody asked for that row. A redirect's host has a
    bill of its own; rows and their issues stand with the host of their own address.
    """
    bills: dict[str, HostBill] = {}
    columns = (table[name].to_pylist() for name in ("host", "asked", "issue"))
    for host, text, issue in zip(*columns, strict=True):
        if text is None:
            continue
        own = bills.setdefault(host, HostBill(host))
        own.given += issue is None
        own.opt_outs += issue == OPTED_OUT
        own.issues.update([issue] if issue else [])
        _add(bills, read_asked(text))
    return sorted(bills.values(), key=lambda bill: (-bill.requests, bill.host))


def _add(bills: dict[str, HostBill], asked: Sequence[Asked]) -> None:
    seen: Counter[str] = Counter()
    for one in asked:
        bill = bills.setdefault(one.host, HostBill(one.host))
        bill.requests += 1
        bill.bytes += one.bytes
        bill.rests += one.opened
        bill.redirects += one.status in REDIRECTS
        bill.throttled += one.status in THROTTLED
        bill.server_errors += (one.status or 0) >= 500
        bill.unanswered += one.status is None
        if one.status is not None:
            bill.answered += 1
            bill.seconds.append(one.seconds)
        failed = one.status is None or one.status in THROTTLED or one.status >= 500
        bill.retries += seen[one.host] > 0
        seen[one.host] = seen[one.host] + 1 if failed else 0


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of `values` do not exceed (nearest rank); None without any."""
    return sorted(values)[max(0, -int(-len(values) * share // 1) - 1)] if values else None


# as a person reads them, 79 columns together
HEADINGS = ("requests", "MB", "median", "p95", "given", "retries", "429", "no answer", "opt-outs", "rests")
WIDTHS = (8, 8, 7, 7, 7, 7, 4, 9, 8, 5)


def describe_bill(bills: Sequence[HostBill], columns: int | None = None) -> str:
    """Return the bills as a table to read; where `columns` are too few, a host's name stands above its figures."""
    longest = max((len(bill.host) for bill in bills), default=0)
    beside = max(longest, 15) + 1
    if columns is not None and beside + sum(WIDTHS) + len(WIDTHS) > columns:
        beside = 0
    lines = [f"{'host':<{beside}}{_row(HEADINGS)}" if beside else f"host\n{_row(HEADINGS)}"]
    for bill in bills:
        figures = _row(
            (
                f"{bill.requests:,}", f"{bill.bytes / 1e6:,.1f}", _seconds(bill.median_s), _seconds(bill.p95_s),
                f"{bill.given:,}", f"{bill.retries:,}", f"{bill.throttled:,}", f"{bill.unanswered:,}",
                f"{bill.opt_outs:,}", f"{bill.rests:,}",
            )
        )  # fmt: skip
        lines.append(f"{bill.host:<{beside}}{figures}" if beside else f"{bill.host}\n{figures}")
        lines += [f"    {count:>9,}  {issue}" for issue, count in bill.issues.most_common()]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
