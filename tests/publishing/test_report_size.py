"""The report of a large release is no larger than that of a smaller one, whatever things are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from large_contents import make_contents
from small_world import make_world

from naflora_etl.publishing.report import render_report


def test_the_page_stays_as_large_when_the_release_grows_fourfold(release: Path) -> None:
    small, large = (render_report(make_contents(release, images), ()) for images in (7_000, 28_000))
    assert len(large) < 1.5e6
    assert len(large) < 1.05 * len(small), "only the counts have more digits"
    assert "more institutions; all of them stand in <code>manifest.parquet</code>" in large.replace(",", "")
    assert "<Royal>" not in large


@pytest.mark.parametrize("sheets", [0, 1])
def test_a_release_may_show_few_sheets_or_none(release: Path, tmp_path: Path, sheets: int) -> None:
    world = make_world(tmp_path, release={"contact_sheet": sheets, "before_px": 16})
    world.pack_shards()
    world.write_release()
    page = (world.release / "report.html").read_text()
    assert page.count("data:image/jpeg") == 2 * sheets
    assert ("picture of 16 px alone" in page) == bool(sheets)
