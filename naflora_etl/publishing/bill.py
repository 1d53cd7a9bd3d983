"""host_bill.csv: what each image server gave, and what it was asked for in vain; ready to be shown to its owners."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import IO

from naflora_etl.publishing.funnel import Host

NAME = "host_bill.csv"
COLUMNS = ("host", "images", "size_bytes", "in_vain", "reasons")


def write_bill(hosts: Iterable[Host], stream: IO[bytes]) -> None:
    """Write a row a server, the one with most images first; reasons as `HTTP_GONE 3; ROBOTS_DISALLOWED 1`.

    How often and how fast a server was asked differs from run to run, so it stays in the data folder (`naflora hosts`).
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for host in hosts:
        reasons = "; ".join(f"{reason.issue} {reason.rows}" for reason in host.reasons)
        rows.writerow((host.name, host.images, host.size_bytes, host.failures, reasons))
    stream.write(text.getvalue().encode())
