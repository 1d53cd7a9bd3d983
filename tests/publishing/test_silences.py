"""Who did not answer is named: on the card, on the report, in the funnel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from large_contents import make_contents

from naflora_etl.engine.contracts import read_contract
from naflora_etl.publishing.card import render_card
from naflora_etl.publishing.report import render_report
from naflora_etl.publishing.silences import tell_silences

Row = tuple[str, str | None, str | None]
GONE = "SOURCE_UNREACHABLE"
SAYS = "gave no usable answer about"
# rows of harvest (source, taxon, issue); what is told
CASES: dict[str, tuple[list[Row], list[str]]] = {
    "nothing was asked": ([], []),
    "all came": ([("gbif", "1", None), ("idigbio", "1", None)], []),
    "a name that it does not know": ([("gbif", "1", "NAME_NOT_IN_SOURCE"), ("gbif", "2", "SOURCE_CEILING")], []),
    "a dataset without a title": ([("gbif", None, "DATASET_NOT_NAMED"), ("gbif", "1", None)], []),
    "an address that is refused": (
        [("gbif", "1", None), ("idigbio", "1", "ADDRESS_REFUSED")],
        [f"iDigBio {SAYS} 1 of 1 taxa, so its records of them are not all here."],
    ),
    "one of two": (
        [("gbif", "1", None), ("gbif", "2", None), ("idigbio", "1", GONE), ("idigbio", "2", GONE)],
        [f"iDigBio {SAYS} 2 of 2 taxa, so its records of them are not all here."],
    ),
    "both, in part; several pages of a taxon": (
        [("gbif", "1", None), ("gbif", "1", "SOURCE_UNREADABLE"), ("gbif", "2", None), ("idigbio", "2", GONE)],
        [
            f"GBIF {SAYS} 1 of 2 taxa, so its records of them are not all here.",
            f"iDigBio {SAYS} 1 of 1 taxa, so its records of them are not all here.",
        ],
    ),
    "an archive for all taxa": (
        [("gbif", "1", None), ("idigbio", None, GONE)],
        ["iDigBio did not send what it was asked for, so its records are not here."],
    ),
}


@pytest.mark.parametrize(("rows", "sentences"), CASES.values(), ids=CASES)
def test_who_did_not_answer_is_named(rows: list[Row], sentences: list[str]) -> None:
    schema = read_contract("harvest").arrow_schema
    names = ("source", "taxon_id", "issue")
    told = [dict.fromkeys(schema.names) | dict(zip(names, row, strict=True)) for row in rows]
    assert list(tell_silences(pa.Table.from_pylist(told, schema))) == sentences


def test_card_and_report_tell_it(release: Path) -> None:
    contents = make_contents(release, 200)
    sentence = "iDigBio <was> away."
    silent = replace(contents, silences=(sentence,))
    for page in (render_card(contents), render_report(contents, ())):
        assert "away." not in page
    assert f"**{sentence}**" in render_card(silent)
    assert "<strong>iDigBio &lt;was&gt; away.</strong>" in render_report(silent, ())
