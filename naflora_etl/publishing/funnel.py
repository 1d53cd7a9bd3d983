"""The funnel in numbers: what each stage had in hand, what stayed clean and what was set aside, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from naflora_etl.engine.tables import count_issues
from naflora_etl.issues import ISSUES

PATH = {
    "checklist": "lines of the checklist",
    "taxa": "names",
    "harvest": "answers of aggregators",
    "records": "images of specimen records",
    "selection": "images",
    "images": "images chosen, with their spares",
    "split": "images that were fetched",
    "shards": "images of the split",
}
"""Tables that the funnel runs through, and what a row of each is."""
NO_FAILURE = frozenset({"SPARE_NOT_NEEDED"})
"""Reasons to be set aside that are nobody's fault."""


@dataclass(frozen=True)
class Reason:
    """Why some rows were set aside."""

    issue: str
    sentence: str
    rows: int


@dataclass(frozen=True)
class Step:
    """One stage of the funnel."""

    stage: str
    what: str
    rows: int
    reasons: tuple[Reason, ...]

    @property
    def aside(self) -> int:
        """Rows that were set aside."""
        return sum(reason.rows for reason in self.reasons)

    @property
    def clean(self) -> int:
        """Rows that went on."""
        return self.rows - self.aside


@dataclass(frozen=True)
class Host:
    """What came of asking one image server."""

    name: str
    images: int
    reasons: tuple[Reason, ...]
    size_bytes: int = 0
    """Bytes that it sent for those images."""

    @property
    def failures(self) -> int:
        """Images that it did not give, or that were of no use."""
        return sum(reason.rows for reason in self.reasons)


def count_funnel(whole: Mapping[str, pa.Table]) -> tuple[Step, ...]:
    """Return the funnel of whole tables, in order of the path; a table that is not in `whole` is passed over."""
    return tuple(
        Step(stage, what, whole[stage].num_rows, _reasons(count_issues(whole[stage])))
        for stage, what in PATH.items()
        if stage in whole
    )


def count_hosts(images: pa.Table) -> tuple[Host, ...]:
    """Return what came of each image server, the one with most images first, from the whole table `images`."""
    counts: dict[str, Counter[str | None]] = {}
    sizes: Counter[str] = Counter()
    grouped = images.group_by(["host", "issue"]).aggregate([([], "count_all"), ("source_size_bytes", "sum")])
    for row in grouped.to_pylist():
        if row["issue"] not in NO_FAILURE:
            counts.setdefault(row["host"], Counter())[row["issue"]] += row["count_all"]
        if row["issue"] is None:
            sizes[row["host"]] += row["source_size_bytes_sum"] or 0
    hosts = [
        Host(name, found[None], _reasons({k: rows for k, rows in found.items() if k is not None}), sizes[name])
        for name, found in counts.items()
    ]
    return tuple(sorted(hosts, key=lambda host: (-host.images, host.name)))


def _reasons(issues: Mapping[str, int]) -> tuple[Reason, ...]:
    ordered = sorted(issues.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Reason(issue, ISSUES[issue], rows) for issue, rows in ordered)
