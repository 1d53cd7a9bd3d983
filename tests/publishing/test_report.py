"""Figures and counts of the report."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from small_world import make_table

from naflora_etl.publishing.contents import Count
from naflora_etl.publishing.figures import cut_name, draw_long_tail
from naflora_etl.publishing.funnel import count_funnel, count_hosts
from naflora_etl.publishing.report import shorten


def classes(count: int) -> pa.Table:
    return make_table(
        "classes",
        [
            {
                "class_id": number, "taxon_id": str(number), "taxon_name": f"Aa $b_{number}$ <c>", "family": "F",
                "genus": "Aa", "images_train": 80 - number % 70, "images_test": 2,
            }
            for number in range(count)
        ],
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 12, 40, 41, 3000], ids=lambda count: f"{count} species")
def test_the_long_tail_is_drawn_the_same_every_time_and_stays_small(count: int) -> None:
    figure = draw_long_tail(classes(count))
    assert figure == draw_long_tail(classes(count))
    assert figure.startswith("<svg") and len(figure) < 300_000
    assert ("Aa $b_0$ &lt;c&gt;" in figure) == (count <= 40), "few species are named, as they are written"


NAMES = {
    "as it is": ("Acer rubrum", "Acer rubrum"),
    "controls and lines": ("../../etc/\0 a,\r\nb", "../../etc/ a, b"),
    "what turns text around": ("Acer \u202egnp.exe", "Acer gnp.exe"),
    "too long": ("x" * 300, "x" * 19 + "…"),
    "a name of three words": ("Symphyotrichum nov. angliae", "Symphyotrichum nov.…"),
    "an end at a blank": ("Symphyotrichum abcd efgh", "Symphyotrichum abcd…"),
    "letters twice as wide": ("标本馆" * 40, "标本馆标本馆标本馆…"),
    "all that fits": ("x" * 20, "x" * 20),
    "nothing": ("\0", ""),
}


@pytest.mark.parametrize(("name", "drawn"), NAMES.values(), ids=NAMES)
def test_a_name_is_cut_to_what_fits_and_can_be_drawn(name: str, drawn: str) -> None:
    assert cut_name(name, 20) == drawn


def test_countries_and_years_have_bars_of_train_and_test(release: Path) -> None:
    page = (release / "report.html").read_text(encoding="utf-8")
    where = page[page.index("<h3>Years of gathering") :]
    years, countries = where[: where.index("<h3>Countries")], where[where.index("<h3>Countries") :]
    assert 'aria-label="Images by year of gathering, from ' in years and years.count("<svg") == 2  # for desk and phone
    first = countries[: countries.index("</tr>", countries.index("<tbody>"))]
    assert 'class="bar"><i class="train" style="width:' in first and '<i class="test"' in first


def test_the_funnel_counts_each_reason_with_its_sentence() -> None:
    rows = [{"image_key": f"{number:020x}", "issue": issue} for number, issue in
            enumerate([None, "OVER_CAP", "HOST_NOT_CHOSEN", "OVER_CAP"])]  # fmt: skip
    (step,) = count_funnel({"selection": make_table("selection", rows)})
    assert (step.rows, step.clean, step.aside) == (4, 1, 3)
    assert [(reason.issue, reason.rows) for reason in step.reasons] == [("OVER_CAP", 2), ("HOST_NOT_CHOSEN", 1)]
    assert step.reasons[0].sentence.startswith("Its species has enough")


def test_a_spare_that_was_not_needed_is_no_failure_of_its_host() -> None:
    issues = [("a", None), ("a", "HTTP_GONE"), ("b", None), ("b", None), ("b", "SPARE_NOT_NEEDED"), ("c", "HTTP_GONE")]
    rows = [{"image_key": f"{number:020x}", "host": host, "issue": issue} for number, (host, issue) in
            enumerate(issues)]  # fmt: skip
    hosts = count_hosts(make_table("images", rows))
    assert [(host.name, host.images, host.failures) for host in hosts] == [("b", 2, 0), ("a", 1, 1), ("c", 0, 1)]


def test_a_long_table_tells_the_rest_in_one_row() -> None:
    counts = [Count(f"k{number}", 10 - number) for number in range(6)]
    assert shorten(counts, 6) == counts
    assert shorten(counts, 4) == [*counts[:3], Count("3 others", 7 + 6 + 5)]
