"""The given files: a Tropicos export and a WCVP names table, byte for byte, faults included."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.checklist import checklist_text, write_given
from naflora_etl.sandbox.names_table import COLUMNS, write_names_table
from naflora_etl.sandbox.world import build_world

WORLD = build_world(SandboxOptions())
CHECKLIST = checklist_text(WORLD)
ROWS = [[cell[1:-1] for cell in line.split("\t")] for line in CHECKLIST.split("\r\n")[1:-1]]
TABLE = [line.split("|") for line in write_names_table(WORLD).splitlines()]
NAMED = [dict(zip(COLUMNS, row, strict=True)) for row in TABLE[1:]]


def test_files_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = write_given(WORLD, tmp_path / "a"), write_given(build_world(SandboxOptions()), tmp_path / "b")
    assert first.checklist_path.read_bytes() == second.checklist_path.read_bytes()
    assert first.wcvp_path.read_bytes() == second.wcvp_path.read_bytes()


def test_files_that_are_right_are_not_touched(tmp_path: Path) -> None:
    given = write_given(WORLD, tmp_path)
    before = given.wcvp_path.stat().st_mtime_ns
    write_given(WORLD, tmp_path)
    assert given.wcvp_path.stat().st_mtime_ns == before
    given.wcvp_path.write_text("spoilt")
    write_given(WORLD, tmp_path)
    assert (
        hashlib.sha256(given.wcvp_path.read_bytes()).digest()
        == hashlib.sha256(write_names_table(WORLD).encode()).digest()
    )


def test_the_checklist_has_the_export_s_layout() -> None:
    assert CHECKLIST.startswith('Family\t!\tScientific Name\tAuthor\tReference\tDate\r\n"')
    assert CHECKLIST.endswith('"\r\n')
    assert CHECKLIST.count("\n") == CHECKLIST.count("\r\n")
    assert {len(row) for row in ROWS} == {6}


BACKBONE = {row["taxon_name"] for row in NAMED}
STRANGE = {
    "family rows": lambda row: row[2] == row[0],
    "genus rows": lambda row: row[2] in {genus.name.genus for genus in WORLD.flora.genera},
    "names that no backbone has": lambda row: row[2] == "Fabularia inventoris",
    "misspelt names": lambda row: row[2].count(" ") == 1 and row[3] and row[2] not in BACKBONE,
    "synonyms": lambda row: any(n["taxon_name"] == row[2] and n["taxon_status"] == "Synonym" for n in NAMED),
    "varieties": lambda row: " var. " in row[2],
    "autonyms without authors": lambda row: re.search(r"(\w+) (var\.|subsp\.) \1$", row[2]) and not row[3],
    "hybrids": lambda row: " × " in row[2] and row[3],
    "formulas of hybrids": lambda row: re.match(r"\w+ \w+ × \w+ \w+$", row[2]),
    "doubtful names": lambda row: " cf. " in row[2],
    "unescaped quotation marks": lambda row: '"' in row[4],
    "dates in brackets": lambda row: re.search(r"\d{4} \[\d{4}\]", row[5]),
    "marks of doubt": lambda row: row[1] == "**",
}


@pytest.mark.parametrize("kind", STRANGE)
def test_the_checklist_has(kind: str) -> None:
    assert any(STRANGE[kind](row) for row in ROWS)


def test_a_name_of_two_authors_is_listed_without_any() -> None:
    leads: dict[str, set[str]] = {}
    for row in NAMED:
        leads.setdefault(row["taxon_name"], set()).add(row["accepted_plant_name_id"])
    assert any(len(leads.get(row[2], ())) > 1 and not row[3] for row in ROWS)


def test_the_names_table_has_wcvp_s_31_columns() -> None:
    assert len(COLUMNS) == 31
    assert {len(row) for row in TABLE} == {31}


@pytest.mark.real
def test_wcvp_s_own_layout_is_met() -> None:
    real = Path(__file__).parents[2] / "../shared/data/names/wcvp_extract/wcvp_names.csv"
    if not real.is_file():
        pytest.skip("../shared/data is absent: nothing to compare the columns with")
    assert real.read_text(encoding="utf-8").split("\n", 1)[0].split("|") == list(COLUMNS)


TRUTHS = {
    "accepted names lead to themselves": lambda row: (
        row["taxon_status"] != "Accepted" or row["accepted_plant_name_id"] == row["plant_name_id"]
    ),
    "synonyms lead to an accepted name": lambda row: (
        row["taxon_status"] not in ("Synonym", "Illegitimate") or row["accepted_plant_name_id"] in ACCEPTED
    ),
    "unplaced names lead nowhere": lambda row: row["taxon_status"] != "Unplaced" or not row["accepted_plant_name_id"],
    "years stand in parentheses": lambda row: re.fullmatch(r"\(\d{4}\)", row["first_published"]),
    "names are made of their parts": lambda row: (
        row["taxon_name"].split()
        == [
            row[part]
            for part in ("genus", "species_hybrid", "species", "infraspecific_rank", "infraspecies")
            if row[part]
        ]
    ),
}
ACCEPTED = {row["plant_name_id"] for row in NAMED if row["taxon_status"] == "Accepted"}


@pytest.mark.parametrize("truth", TRUTHS)
def test_in_the_names_table(truth: str) -> None:
    assert all(TRUTHS[truth](row) for row in NAMED)


def test_quotation_marks_are_letters_like_any_other() -> None:
    assert any('"Flora Viva"' in row["place_of_publication"] for row in NAMED)
