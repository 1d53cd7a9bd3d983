"""benchmarks/train_step.py at toy size: it runs to its line of figures; what they are is a GPU's to tell."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("is_end_to_end", [False, True], ids=["resident", "from tars"])
def test_both_sides_take_their_turns(
    is_end_to_end: bool, release: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    path = Path(__file__).parents[2] / "benchmarks" / "train_step.py"
    spec = importlib.util.spec_from_file_location("train_step", path)
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    monkeypatch.setattr(benchmark, "BLOCKS", 1)
    toy = {
        "arch": "test_resnet",
        "size": 32,
        "batch": 8,
        "classes": 6,
        "precision": "float32",
        "steps": 1,
        "workers": 0,
    }
    knobs = [f"--{name}={value}" for name, value in toy.items()]
    more = ["--release", str(release)] if is_end_to_end else []
    monkeypatch.setattr(sys, "argv", ["train_step.py", *knobs, *more])
    benchmark.main()
    told = json.loads(capsys.readouterr().out)
    assert told["arch"] == "test_resnet" and min(told["ours"], told["timm"], told["ratio"]) > 0
    assert ("from_tars" in told) == is_end_to_end
