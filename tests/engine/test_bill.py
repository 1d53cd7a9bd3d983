"""The bill of each host, from rows that tell what was asked for them."""

from __future__ import annotations

import pyarrow as pa

from naflora_etl.engine.answers import Asked
from naflora_etl.engine.bill import bill_hosts, describe_bill, read_asked, write_asked


def table(*rows: tuple[str, tuple[Asked, ...] | None, str | None]) -> pa.Table:
    return pa.table({
        "host": [host for host, _, _ in rows],
        "asked": pa.array([None if asked is None else write_asked(asked) for _, asked, _ in rows], pa.string()),
        "issue": pa.array([issue for _, _, issue in rows], pa.string()),
    })


def test_requests_survive_their_writing() -> None:
    asked = [Asked("h", 200, 5, 0.25), Asked("h", None, 0, 1.5, True)]
    assert write_asked(asked) == '[["h",200,5,0.25],["h",null,0,1.5,1]]'
    assert read_asked(write_asked(asked)) == asked
    assert read_asked(None) == []


def test_every_request_stands_on_the_bill_of_the_host_that_had_it() -> None:
    bills = bill_hosts(table(
        ("a", (Asked("a", 404, 0, 0.1), Asked("a", 200, 100, 0.3)), None),  # robots.txt, then the image
        ("a", (Asked("a", 302, 0, 0.1), Asked("b", 200, 50, 0.7)), None),
        ("a", (Asked("a", 429, 0, 0.1), Asked("a", 503, 0, 0.1), Asked("a", None, 0, 9.0, True)), "HOST_TROUBLE"),
        ("a", (Asked("a", 200, 0, 0.2),), "ROBOTS_DISALLOWED"),
        ("a", (), "HOST_TROUBLE"),  # the host rested: nobody asked
        ("a", None, "SPARE_NOT_NEEDED"),
        ("c", None, None),  # packed before anything of this was kept
    ))  # fmt: skip
    a, b = bills
    assert (a.host, a.requests, a.bytes, a.given, a.opt_outs) == ("a", 7, 100, 2, 1)
    assert (a.retries, a.throttled, a.server_errors, a.unanswered, a.redirects, a.rests) == (2, 1, 1, 1, 1, 1)
    assert dict(a.issues) == {"HOST_TROUBLE": 2, "ROBOTS_DISALLOWED": 1}
    assert (a.median_s, a.p95_s) == (0.1, 0.3)
    assert (b.host, b.requests, b.bytes, b.given, b.median_s) == ("b", 1, 50, 0, 0.7)
    assert "a  " in describe_bill(bills) and "HOST_TROUBLE" in describe_bill(bills)
    assert a.as_dict()["issues"] == {"HOST_TROUBLE": 2, "ROBOTS_DISALLOWED": 1}
