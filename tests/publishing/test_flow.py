"""The flow picture of the funnel."""

from __future__ import annotations

import re

import pytest

from naflora_etl.publishing.figures import NARROW, WIDE, Look, draw_both
from naflora_etl.publishing.flow import draw_flow, gather
from naflora_etl.publishing.funnel import Reason, Step


def step(stage: str, rows: int, *reasons: tuple[str, int]) -> Step:
    return Step(stage, "things", rows, tuple(Reason(name, f"It is {name}.", count) for name, count in reasons))


FUNNEL = (
    step("checklist", 40),
    step("taxa", 40, ("<odd> & $doubtful$", 10)),
    step("records", 9_000_000, *((f"R{number}", 1_000_000 - number) for number in range(8))),
    step("selection", 1_000_028, ("A", 28)),
    step("images", 1_000_000),
)


@pytest.mark.parametrize("look", [WIDE, NARROW], ids=lambda look: look.name)
def test_every_stage_and_its_first_reasons_are_written(look: Look) -> None:
    said = re.sub(r"<!--.*?-->|\s+", " ", draw_flow(FUNNEL, 800_000, 200_000, look))
    for text in ("taxa", "10 It is &lt;odd&gt; &amp; $doubtful$.", "1,000,000 It is R0.", "28 It is A.", "release"):
        assert f">{text}<" in said.replace("  ", " "), text
    assert "It is R3." not in said and f"{sum(1_000_000 - n for n in range(3, 8)):,} for 5 other reasons." in said
    assert said == re.sub(r"<!--.*?-->|\s+", " ", draw_flow(FUNNEL, 800_000, 200_000, look)), "the same every time"


@pytest.mark.parametrize(
    "funnel",
    [(), (step("checklist", 0),), (step("records", 3, ("A", 3)), step("selection", 0)), (step("harvest", 2),)],
    ids=["nothing", "an empty list", "nothing left", "answers alone"],
)
def test_a_funnel_that_holds_little_is_drawn(funnel: tuple[Step, ...]) -> None:
    assert draw_flow(funnel, 0, 0).startswith("<svg")


def test_reasons_beyond_the_first_are_one_and_none_is_lost() -> None:
    reasons = FUNNEL[2].reasons
    assert sum(reason.rows for reason in gather(reasons)) == sum(reason.rows for reason in reasons)
    assert gather(reasons[:4]) == list(reasons[:4]) and len(gather(reasons)) == 4


def test_two_figures_share_no_id_and_take_the_colours_of_the_page() -> None:
    both = draw_both(lambda look: draw_flow(FUNNEL, 1, 1, look))
    ids = re.findall(r' id="([^"]*)"', both)
    assert len(ids) == len(set(ids)) and set(re.findall(r'(?:href="#|url\(#)([^")]+)', both)) <= set(ids)
    assert not re.search(r"#[0-9a-f]{6}\b", both) and "var(--stream)" in both
