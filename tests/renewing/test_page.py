"""What a reharvest says of itself, to whoever reads it on a page."""

from __future__ import annotations

import pytest

from naflora_etl.engine.contracts import read_contract
from naflora_etl.renewing.change import compare_records
from naflora_etl.renewing.confirmation import Confirmation
from naflora_etl.renewing.page import describe_outcome, render_page
from naflora_etl.renewing.run import Outcome

ALIVE = [{"record": "7", "name": "Acer rubrum L."}]
# what a sample of missing records said; the sentence
SAMPLES: dict[str, tuple[Confirmation, str]] = {
    "one": (Confirmation(1, gone=1), "1 record is not listed at gbif any more; of 1 asked for by key 1 is gone."),
    "many": (
        Confirmation(1200, gone=20),
        "1,200 records are not listed at gbif any more; of 20 asked for by key 20 are gone.",
    ),
    "some answer, some do not": (
        Confirmation(3, gone=1, silent=1, alive=ALIVE),
        "3 records are not listed at gbif any more; of 3 asked for by key 1 is gone, 1 answered and so only left our "
        "question: 7 (Acer rubrum L.), 1 gave no answer.",
    ),
}


@pytest.fixture
def nothing_else() -> Outcome:
    empty = read_contract("records").arrow_schema.empty_table()
    return Outcome("1+2027-01-05", [], change=compare_records(empty, empty))


@pytest.mark.parametrize(("sample", "sentence"), SAMPLES.values(), ids=SAMPLES)
def test_missing_records_are_told(sample: Confirmation, sentence: str, nothing_else: Outcome) -> None:
    nothing_else.confirmed = {"gbif": sample}
    assert describe_outcome(nothing_else).endswith(sentence)


def test_the_page_says_what_it_is(nothing_else: Outcome) -> None:
    assert render_page(nothing_else, "Flora").startswith("# Flora: reharvest 1+2027-01-05\n")
