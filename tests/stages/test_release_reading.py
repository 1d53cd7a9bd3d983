"""The report says what an independent reader read on a sample, or that none did."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_world import make_world

from naflora_etl.imaging import tesseract


def report_of(folder: Path, **release: object) -> str:
    world = make_world(folder, release=release)
    world.pack_shards()
    world.write_release()
    return (world.release / "report.html").read_text(encoding="utf-8")


@pytest.mark.skipif(not tesseract.has_tesseract(), reason=f"no {tesseract.PROGRAM} here: {tesseract.INSTALL}")
def test_a_sample_was_read(tmp_path: Path) -> None:
    said = report_of(tmp_path, audit_sample=4)
    assert "read 4 of the 10 finished images" in said and "0 of the labels' own words" in said.replace("&#39;", "'")


def test_nobody_asked_for_a_reading(tmp_path: Path) -> None:
    assert "Not audited: no independent reader read these images." in report_of(tmp_path, audit_sample=0)


def test_where_there_is_no_reader_the_report_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "PROGRAM", "no-such-reader")
    assert "Not audited: no independent reader read these images." in report_of(tmp_path, audit_sample=4)
