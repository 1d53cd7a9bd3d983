"""What is printed reads well where a person reads it: on a terminal of 80 columns, and whole in a file."""

from __future__ import annotations

import pytest

from naflora_etl import console
from naflora_etl.console import fold, tell
from naflora_etl.engine.bill import HostBill, describe_bill
from naflora_etl.engine.receipts import Receipt

FOLDED = {
    "a reason, under itself": (
        "           14  OUTSIDE_REGION            The record comes from a country that the recipe does not ask for.",
        "           14  OUTSIDE_REGION            The record comes from a country that\n"
        "                                         the recipe does not ask for.",
    ),
    "a sentence, from the margin": (
        "Images: at most 80 (10 species x cap 8), about 0.2 GB, from at most 6 servers; which ones, the harvest tells.",
        "Images: at most 80 (10 species x cap 8), about 0.2 GB, from at most 6 servers;\n"
        "which ones, the harvest tells.",
    ),
    "a short line, as it is": ("    image_url   http://127.0.0.1/1.jpg", "    image_url   http://127.0.0.1/1.jpg"),
}


@pytest.mark.parametrize(("line", "folded"), FOLDED.values(), ids=FOLDED)
def test_a_long_line_goes_on_under_its_last_column(line: str, folded: str) -> None:
    assert fold(line, 80) == folded


@pytest.mark.parametrize(("columns", "lines"), [(None, 1), (80, 2), (200, 1)])
def test_a_stage_is_told_in_the_room_there_is(
    columns: int | None, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "columns", lambda: columns)
    receipt = Receipt(
        stage="records", fingerprint="f", parts=(), given=40, rows=226, clean=132, seconds=3.0,
        issues={"DUPLICATE_RECORD": 63, "OUTSIDE_REGION": 14, "LICENSE_NOT_ALLOWED": 8, "NO_IMAGE": 9},
    )  # fmt: skip
    tell(receipt, unchanged=False)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == lines and all(len(line) <= (columns or 999) for line in said)
    assert "94 set aside" in said[0] and "0m03s" in said[0] and "NO_IMAGE" not in "".join(said)


@pytest.mark.parametrize(("columns", "lines"), [(None, 3), (80, 5), (200, 3)])
def test_a_bill_fits_its_terminal(columns: int | None, lines: int) -> None:
    bills = [HostBill(f"images-{number}.herbarium.example.org", requests=99_999, given=99_998) for number in range(2)]
    said = describe_bill(bills, columns).splitlines()
    assert len(said) == lines + (columns == 80) and all(len(line) <= (columns or 999) for line in said)
    assert said[-1].split()[-10:] == ["99,999", "0.0", "-", "-", "99,998", "0", "0", "0", "0", "0"]
