"""The frontier of servers in the report: what each buys, and a figure in which nothing hides anything."""

from __future__ import annotations

from typing import Any

import pytest

from naflora_etl.publishing.server_frontier import draw_frontier, tell_steps


def certificate(*steps: tuple[list[str], int, int], chosen: int, reachable: int, servers: int) -> dict[str, Any]:
    rows = [
        {"k": len(hosts), "hosts": hosts, "species": species, "capped_images": 9 * species, "bound": bound,
         "proven": species == bound}
        for hosts, species, bound in steps
    ]  # fmt: skip
    choice = next(row for row in rows if row["k"] == chosen)
    return {
        "threshold": 10, "frontier": rows, "choice": choice, "reachable_species": reachable, "servers": servers,
    }  # fmt: skip


PROVEN = certificate((["a"], 4, 4), (["b", "c"], 7, 7), chosen=2, reachable=9, servers=3)


def test_each_step_tells_who_joins_and_who_leaves() -> None:
    told = [(step["gain"], step["joins"], step["leaves"], step["is_chosen"]) for step in tell_steps(PROVEN)]
    assert told == [(4, ["a"], [], False), (3, ["b", "c"], ["a"], True)]


@pytest.mark.parametrize(
    ("given", "there", "absent"),
    [
        (PROVEN, ("best, proven", "chosen: 2 servers, 7 species", "by all 3 servers"), ("not ruled out", "best found")),
        (
            certificate((["a"], 4, 6), chosen=1, reachable=9, servers=3),
            ("best found", "not ruled out", "chosen: 1 server, 4 species"),
            ("best, proven",),
        ),
        (certificate((["a"], 4, 4), chosen=1, reachable=4, servers=1), ("reachable by the only server",), ()),
        (certificate(([], 0, 0), chosen=0, reachable=0, servers=0), ("chosen: 0 servers, 0 species",), ("0.02",)),
    ],
    ids=["proven", "a gap", "one server", "none"],
)
def test_the_figure_names_what_it_shows_and_no_more(
    given: dict[str, Any], there: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    svg = draw_frontier(given)
    assert [text for text in there if text not in svg] == []
    assert [text for text in absent if text in svg] == []
