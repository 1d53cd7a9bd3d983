"""The gate: an image on which an independent reader still reads words is set aside, and a spare steps in."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_images import FakeHttp, fetch, outcome, selection

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging import tesseract
from naflora_etl.recipe import ImagesOptions
from naflora_etl.stages import images

GATED = ImagesOptions(redact="none", size_px=64, min_side_px=32, audit="gate")


def test_what_can_still_be_read_is_set_aside_and_its_spare_steps_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = iter([5, 0, 0])
    monkeypatch.setattr(images, "tesseract_version", lambda: "tesseract")
    monkeypatch.setattr(images, "count_readable", lambda jpeg: next(read))
    given = selection(w="g1 g2 | s1 s2")
    table = fetch(given, FakeHttp(), tmp_path, options=GATED)
    assert sorted(outcome(table, "g1 g2 s1 s2")) == ["SPARE_NOT_NEEDED", "TEXT_SURVIVES", "ok", "ok"]


def test_a_raised_limit_judges_what_was_read_and_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "tesseract_version", lambda: "tesseract")
    monkeypatch.setattr(images, "count_readable", lambda jpeg: 3)
    given = selection(w="g1")
    assert outcome(fetch(given, FakeHttp(), tmp_path, options=GATED), "g1") == ["TEXT_SURVIVES"]
    later, http = GATED.model_copy(update={"audit_words": 3}), FakeHttp()
    assert outcome(fetch(given, http, tmp_path, options=later), "g1") == ["ok"]
    assert not http.asked


def test_a_gate_without_a_reader_is_a_fault_before_any_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "PROGRAM", "no-such-reader")
    tesseract.tesseract_version.cache_clear()
    http = FakeHttp()
    with pytest.raises(Fault, match="apt-get install tesseract-ocr"):
        fetch(selection(w="g1"), http, tmp_path, options=GATED)
    assert not http.asked
