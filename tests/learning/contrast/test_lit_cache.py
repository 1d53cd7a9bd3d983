"""benchmarks/lit_cache.py at toy size: all three ways take their turns; their worth is a real tower's to tell."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("more", [[], ["--distinct"]], ids=["equal texts once", "no two alike"])
def test_three_ways_take_their_turns(
    more: list[str], release: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    path = Path(__file__).parents[3] / "benchmarks" / "lit_cache.py"
    spec = importlib.util.spec_from_file_location("lit_cache", path)
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    words = ["lit_cache.py", "--release", str(release), "--arch", "tiny", "--batch", "6", "--steps", "1", *more]
    monkeypatch.setattr(sys, "argv", words)
    benchmark.main()
    told = capsys.readouterr().out
    assert told.startswith("tiny on ") and "each text once and cut" in told and "the features of 48 sheets took" in told
