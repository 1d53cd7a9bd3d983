"""Names by verdict, and the doubtful ones."""

from __future__ import annotations

from typing import Any

from small_world import make_table

from naflora_etl.names.rules import FLAGGED, RULES, VERDICTS
from naflora_etl.publishing import verdicts
from naflora_etl.publishing.verdicts import Names, count_names

# name, verdict, rule, issue, taxon, images in the release -> whether it is doubtful
NAMES = (
    ("Acer rubrum", "accepted", "exact_with_authors", None, "w-1", 40, False),
    ("Acer rubrun", "accepted", "fuzzy_in_genus", None, "w-2", 3, True),
    ("Acer ruber", "synonym", "exact_authors_differ", None, "w-3", 12, True),
    ("Acer", "rank", "none", "RANK_NOT_WANTED", None, 0, False),
    ("Acer cf. rubrum", "doubtful", "none", "NAME_DOUBTFUL", None, 0, True),
    ("Acer nigrum", "ambiguous", "none", "NAME_AMBIGUOUS", None, 0, True),
    ("Acer x", "dropped", "override", "NAME_DROPPED", None, 0, False),
    ("Pinus alba", "accepted", "exact_with_authors", "FAMILY_NOT_WANTED", None, 0, False),
)


def tell(names: tuple[Any, ...] = NAMES) -> Names:
    taxa = [
        {"checklist_key": f"flora:{line}", "scientificName": name, "verdict": verdict, "rule": rule, "issue": issue,
         "taxon_id": taxon, "taxon_name": taxon and f"Accepted {taxon}"}
        for line, (name, verdict, rule, issue, taxon, *_) in enumerate(names)
    ]  # fmt: skip
    classes = [
        {"class_id": number, "taxon_id": taxon, "taxon_name": taxon, "family": "F", "genus": "G",
         "images_train": images - 1, "images_test": 1}
        for number, (*_, taxon, images, _) in enumerate(names) if taxon
    ]  # fmt: skip
    return count_names(make_table("taxa", taxa), make_table("classes", classes), VERDICTS, RULES, FLAGGED)


def test_the_verdicts_add_up_and_are_told_in_words() -> None:
    names = tell()
    assert sum(verdict.names for verdict in names.verdicts) == names.total == len(NAMES)
    first = names.verdicts[0]
    assert (first.name, first.names, first.taken, first.sentence) == ("accepted", 3, 2, VERDICTS["accepted"])


def test_the_doubtful_ones_are_those_that_a_person_should_see_and_the_weightiest_come_first() -> None:
    rows = tell().doubtful
    assert {row["name"] for row in rows} == {name for name, *_, is_doubtful in NAMES if is_doubtful}
    assert [(row["name"], row["became"], row["images"]) for row in rows] == [
        ("Acer ruber", "Accepted w-3", 12),
        ("Acer rubrun", "Accepted w-2", 3),
        ("Acer nigrum", None, 0),
        ("Acer cf. rubrum", None, 0),
    ]
    assert rows[0]["why"] == RULES["exact_authors_differ"] and rows[2]["why"] == VERDICTS["ambiguous"]


def test_a_long_list_is_cut_and_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(verdicts, "MOST_DOUBTFUL", 2)
    names = tell()
    assert (len(names.doubtful), names.doubtful_total) == (2, 4)


def test_a_table_from_before_there_were_verdicts_is_told_as_such() -> None:
    names = tell((("Acer rubrum", None, None, None, "w-1", 2, False),))
    assert [(verdict.name, verdict.names) for verdict in names.verdicts] == [("untold", 1)]
