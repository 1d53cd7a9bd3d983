"""The README and ARCHITECTURE say what the code is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from naflora_etl.pipeline import STAGES

ROOT = Path(__file__).parents[1]


def rows_under(text: str, heading: str) -> list[list[str]]:
    table = text.split(heading, 1)[1].split("\n\n", 2)
    lines = next(part for part in table if part.lstrip().startswith("|")).strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


PATH_TABLES = [("README.md", "## The path"), ("ARCHITECTURE.md", "## The natural path")]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize(("page", "heading"), PATH_TABLES)
def test_the_path_table_is_the_pipeline(page: str, heading: str) -> None:
    rows = rows_under((ROOT / page).read_text(encoding="utf-8"), heading)
    assert [row[0].strip("`") for row in rows] == [stage.name for stage in STAGES]
    for row, stage in zip(rows, STAGES, strict=True):
        read = {word for word in re.findall(r"[a-z]+", row[1]) if word not in ("given", "all", "of", "them")}
        assert read == set(stage.reads) or "all of them" in row[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_commands_in_the_makefile_are_told(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme and "make test" in readme
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
