"""Figures and counts of the report."""

from __future__ import annotations

import pyarrow as pa
import pytest
from small_world import make_table

from naflora_etl.publishing.contents import Count
from naflora_etl.publishing.figures import draw_long_tail
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
