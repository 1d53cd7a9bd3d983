"""match, as a user types it: one row in, one verdict row out; the review that becomes a file of overrides; the diff."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from naflora_etl.cli import main
from naflora_etl.engine.tables import read_parquet
from naflora_etl.names.matching import COLUMNS, own_columns

BACKBONE = """plant_name_id|taxon_rank|taxon_status|family|genus|species|taxon_name|taxon_authors|accepted_plant_name_id
1|Species|Accepted|Pinaceae|Abies|alba|Abies alba|Mill.|1
2|Species|Synonym|Pinaceae|Abies|alba|Abies alba|Michx.|3
3|Species|Accepted|Pinaceae|Abies|balsamea|Abies balsamea|(L.) Mill.|3
4|Species|Accepted|Poaceae|Poa|annua|Poa annua|L.|4
"""
NAMES = """sp,family,note
Abies alba Mill.,Pinaceae,"a, b"
Poa annua,,
Abies alba,,twice
"Abies balsmea (L.) Mill.",,
42 plants,,
Abies alba,,again
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "wcvp.csv").write_text(BACKBONE, encoding="utf-8")
    (tmp_path / "names.csv").write_text(NAMES, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    paths = [str(folder / text) if text.endswith((".csv", ".parquet", ".json", ".txt")) else text for text in arguments]
    return CliRunner().invoke(main, ["match", *paths])


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_row_comes_back_in_order_behind_its_own_columns(files: Path) -> None:
    result = run(files, "names.csv", "--backbone", "wcvp.csv", "--name-column", "sp")
    assert result.exit_code == 0, result.output
    rows = rows_of(result.stdout)
    assert tuple(rows[0]) == ("sp", "input_family", "note", *COLUMNS)
    assert [row["sp"] for row in rows] == [row["sp"] for row in rows_of(NAMES)]
    assert [(row["verdict"], row["accepted_id"], row["issue"]) for row in rows] == [
        ("accepted", "1", ""),
        ("accepted", "4", ""),
        ("ambiguous", "", "NAME_AMBIGUOUS"),
        ("accepted", "3", ""),
        ("unreadable", "", "NAME_UNPARSABLE"),
        ("ambiguous", "", "NAME_AMBIGUOUS"),
    ]
    assert rows[2]["alternatives"] == "Abies alba Mill. [1]; Abies alba Michx. [2]"
    assert (rows[0]["note"], rows[0]["input_family"], rows[0]["family"]) == ("a, b", "Pinaceae", "Pinaceae")
    assert "6 names: 3 clean, leading to 3 taxa." in result.stderr
    digest = hashlib.sha256(BACKBONE.encode()).hexdigest()
    sentence = f"By the backbone wcvp.csv, which tells no version (wcvp), sha256 {digest[:12]}, 4 names."
    assert sentence in result.stderr
    assert "input_family" in result.stderr


def test_the_review_filled_in_is_a_file_of_overrides(files: Path) -> None:
    run(files, "names.csv", "--backbone", "wcvp.csv", "--name-column", "sp", "--review", "review.csv", "--out", "o.csv")
    review = rows_of((files / "review.csv").read_text(encoding="utf-8"))
    assert [(row["name"], row["rows"], row["alternative_1_id"]) for row in review] == [("Abies alba", "2", "1")]
    review[0] |= {"accepted_id": "2", "who": "AB", "why": "the label says Michaux"}
    with (files / "review.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(review[0]))
        writer.writeheader()
        writer.writerows(review)
    arguments = ("names.csv", "--backbone", "wcvp.csv", "--name-column", "sp", "--overrides", "review.csv", "--json")
    result = run(files, *arguments, "--out", "o.parquet")
    assert result.exit_code == 0, result.output
    rows = read_parquet(files / "o.parquet").to_pylist()
    assert [(row["rule"], row["accepted_id"]) for row in rows if row["sp"] == "Abies alba"] == [("override", "3")] * 2
    summary = json.loads(result.stdout)
    assert summary["backbone"]["sha256"] == hashlib.sha256(BACKBONE.encode()).hexdigest()
    assert summary["overrides"] == {"AB: the label says Michaux": 2}
    assert summary["rows"] == sum(summary["verdicts"].values()) == sum(summary["rules"].values()) == 6
    assert summary["rows"] == summary["clean"] + sum(summary["issues"].values())


def test_authors_may_stand_apart(files: Path) -> None:
    (files / "apart.csv").write_text("n,who\nAbies alba,Michx.\nAbies alba,Mill.\n", encoding="utf-8")
    result = run(files, "apart.csv", "--backbone", "wcvp.csv", "--name-column", "n", "--author-column", "who")
    assert [row["accepted_id"] for row in rows_of(result.stdout)] == ["3", "1"]


def test_a_backbone_of_another_layout_by_its_mapping(files: Path) -> None:
    other = BACKBONE.replace("|", ",").replace("plant_name_id,", "ID,", 1).replace("taxon_authors", "By")
    (files / "other.csv").write_text(other, encoding="utf-8")
    mapping = ("--mapping", "plant_name_id=ID", "--mapping", "taxon_authors=By")
    result = run(files, "names.csv", "--backbone", "other.csv", "--name-column", "sp", *mapping)
    assert [row["accepted_id"] for row in rows_of(result.stdout)][:2] == ["1", "4"]


def test_two_versions_compared(files: Path) -> None:
    new = BACKBONE.replace("4|Species|Accepted|Poaceae|Poa|annua|Poa annua|L.|4\n", "").replace("|3\n", "|1\n")
    (files / "new.csv").write_text(new, encoding="utf-8")
    result = run(files, "--diff", "wcvp.csv", "new.csv", "--out", "changes.csv", "--json")
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    assert {change: count for change, count in counts.items() if count} == {"lumped": 2, "vanished": 1}
    changes = rows_of((files / "changes.csv").read_text(encoding="utf-8"))
    assert [(row["name"], row["change"], row["new_accepted_name"]) for row in changes] == [
        ("Abies alba", "lumped", "Abies alba"),
        ("Abies balsamea", "lumped", "Abies alba"),
        ("Poa annua", "vanished", ""),
    ]
    run(files, "--diff", "wcvp.csv", "new.csv", "--out", "changes.json")
    assert json.loads((files / "changes.json").read_text(encoding="utf-8"))[2]["change"] == "vanished"


def test_decisions_in_a_review_are_not_written_over(files: Path) -> None:
    (files / "done.csv").write_text("name,accepted_id,who,why\nAbies alba,1,AB,\n", encoding="utf-8")
    result = run(files, "names.csv", "--backbone", "wcvp.csv", "--name-column", "sp", "--review", "done.csv")
    assert result.exit_code == 1
    assert "done.csv holds 1 decisions already; give it as --overrides" in result.stderr
    assert "AB" in (files / "done.csv").read_text(encoding="utf-8")


FAULTS = {
    "no list": ((), "give a list and a backbone"),
    "no backbone": (("names.csv",), "give a list and a backbone"),
    "a list that is not there": (("none.csv", "--backbone", "wcvp.csv"), "no such file"),
    "a column that is not there": (("names.csv", "--backbone", "wcvp.csv", "--name-column", "taxon"), "'taxon'"),
    "a mapping without a column": (("names.csv", "--backbone", "wcvp.csv", "--mapping", "genus"), "WCVP_COLUMN="),
    "an extension unknown": (("names.csv", "--backbone", "wcvp.csv", "--out", "o.xlsx"), "use .csv, .tsv"),
    "the list overwritten": (("names.csv", "--backbone", "wcvp.csv", "--out", "names.csv"), "overwrite the list;"),
    "the backbone overwritten": (("names.csv", "--backbone", "wcvp.csv", "--out", "wcvp.csv"), "the backbone;"),
    "one file twice": (
        ("names.csv", "--backbone", "wcvp.csv", "--out", "o.csv", "--review", "o.csv"),
        "would overwrite what --out writes",
    ),
    "an old version overwritten": (("--diff", "wcvp.csv", "names.csv", "--out", "wcvp.csv"), "the older backbone;"),
    "one column for names and authors": (
        ("names.csv", "--backbone", "wcvp.csv", "--name-column", "sp", "--author-column", "sp"),
        "holds the names, so it cannot hold the authors",
    ),
    "a folder that is not there": (("names.csv", "--backbone", "wcvp.csv", "--out", "no/o.csv"), "there is no folder"),
}


@pytest.mark.parametrize(("arguments", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_mistake_is_a_sentence(files: Path, arguments: tuple[str, ...], sentence: str) -> None:
    result = run(files, *arguments)
    assert result.exit_code != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("columns", "expected"),
    {
        ("sp", "note"): ["sp", "note"],
        ("name", "family"): ["input_name", "input_family"],
        ("input_name", "name"): ["input_name", "input_input_name"],
    }.items(),
)
def test_own_columns_that_are_called_like_ours(columns: tuple[str, ...], expected: list[str]) -> None:
    assert own_columns(list(columns)) == expected
