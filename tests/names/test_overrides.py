"""A file of overrides: what it decides, and what is told of a bad one."""

from pathlib import Path

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.names.overrides import read_overrides
from naflora_etl.names.resolve import Resolver
from tests.names.test_resolve import backbone


def write(folder: Path, text: str) -> Path:
    path = folder / "overrides.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_decision_wins_over_every_rule(tmp_path: Path) -> None:
    rows = ("Poa annua L.,3,AB,seen", "no name at all,24,AB,", "Abies  alba,drop,,", "Poa supina,,AB,")
    text = "\n".join(("name,accepted_id,who,why", *rows))
    overrides = read_overrides(write(tmp_path, text))
    assert len(overrides) == 3  # the row that is not filled in decides nothing
    resolver = Resolver(backbone(), overrides=overrides)
    verdict = resolver.resolve(" Poa  annua L. ")
    assert (verdict.taxon_id, verdict.rule, verdict.override, verdict.issue) == ("3", "override", "AB: seen", None)
    assert resolver.resolve("Poa annua", "L.").taxon_id == "3"
    assert resolver.resolve("Poa annua").taxon_id == "24"
    assert resolver.resolve("no name at all").override == "AB"
    dropped = resolver.resolve("Abies alba", "Mill.")
    assert (dropped.issue, dropped.verdict, dropped.override) == ("NAME_DROPPED", "dropped", "no reason told")
    assert resolver.resolve("Po annua", verbatim="Poa annua L.").taxon_id == "3"


def test_homonyms_are_told_apart_by_their_authors(tmp_path: Path) -> None:
    text = "name,authors,accepted_id,who,why\nAbies alba,Mill.,3,AB,\nAbies alba,,1,AB,\n"
    resolver = Resolver(backbone(), overrides=read_overrides(write(tmp_path, text)))
    assert resolver.resolve("Abies alba", "Mill.").taxon_id == "3"
    assert resolver.resolve("Abies alba").taxon_id == "1"


def test_the_id_of_a_synonym_is_followed(tmp_path: Path) -> None:
    text = "name,accepted_id,who,why\nAnything,6,AB,\n"
    verdict = Resolver(backbone(), overrides=read_overrides(write(tmp_path, text))).resolve("Anything")
    assert (verdict.plant_name_id, verdict.taxon_id, verdict.verdict) == ("6", "1", "synonym")


FAULTS = {
    "a column missing": ("name,accepted_id,who\nPoa,1,AB\n", "has no column why; its columns are: name, accepted_id"),
    "a name decided twice": ("name,accepted_id,who,why\nPoa a,1,,\nPoa  a,3,,\n", "line 3: 'Poa a' was decided in"),
    "an id without a name": ("name,accepted_id,who,why\n,1,AB,\n", "line 2: an accepted_id without a name"),
    "an unknown id": ("name,accepted_id,who,why\nPoa a,77x,AB,\n", "the backbone has no id 77x (line 2, 'Poa a')"),
}


@pytest.mark.parametrize(("text", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_is_told_of_a_bad_one(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(Fault) as told:
        Resolver(backbone(), overrides=read_overrides(write(tmp_path, text)))
    assert sentence in str(told.value)
