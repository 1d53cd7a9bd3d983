"""docs/names.md tells the rules and verdicts that there are, in their order."""

import re
from pathlib import Path

from naflora_etl.names.rules import FLAGGED, RULES, STATUS_ORDER, VERDICTS

PAGE = (Path(__file__).parents[2] / "docs/names.md").read_text(encoding="utf-8")


def test_the_page_lists_the_rules_in_order() -> None:
    told = re.findall(r"^\| \d+ \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert told == [(rule, sentence) for rule, sentence in RULES.items() if rule != "none"]


def test_the_page_lists_the_verdicts() -> None:
    told = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert told == list(VERDICTS.items())


def test_what_is_flagged_is_a_rule() -> None:
    assert set(RULES) > FLAGGED
    assert STATUS_ORDER[0] == "Accepted"
