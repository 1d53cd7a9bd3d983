"""benchmarks/train_step.py at toy size: it runs to its line of figures; what they are is a GPU's to tell."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOY = ["--size=32", "--batch=8", "--classes=6", "--steps=1", "--workers=0"]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "train_step.py"
    spec = importlib.util.spec_from_file_location("train_step", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BLOCKS", 1)
    return module


@pytest.mark.parametrize(
    ("knobs", "is_end_to_end"),
    [
        pytest.param(["--precision=float32"], False, id="resident"),
        pytest.param(
            ["--precision=float16", "--layout=contiguous"], False, id="in halves, scaled", marks=pytest.mark.slow
        ),
        pytest.param(["--precision=float32"], True, id="from tars"),
    ],
)
def test_both_sides_take_their_turns(
    knobs: list[str], is_end_to_end: bool, release: Path, benchmark: ModuleType,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    more = ["--release", str(release)] if is_end_to_end else []
    monkeypatch.setattr(sys, "argv", ["train_step.py", "--arch=test_resnet", *TOY, *knobs, *more])
    benchmark.main()
    told = json.loads(capsys.readouterr().out)
    assert told["arch"] == "test_resnet" and min(told["ours"], told["timm"], told["ratio"]) > 0
    if is_end_to_end:
        assert told["from_tars"] > 0 and 0 <= told["waiting"] < 1
    else:
        assert "from_tars" not in told


@pytest.mark.slow
def test_a_network_that_fails_is_told_and_the_others_are_measured(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(benchmark, "NETWORKS", {"no_such": (32, 8), "test_resnet": (32, 8)})
    monkeypatch.setattr(benchmark, "WAYS", {"float32": ["--precision=float32"]})
    monkeypatch.setattr(sys, "argv", ["train_step.py", "--all", *TOY])
    benchmark.main()
    first, second = (json.loads(line.removeprefix("float32: ")) for line in capsys.readouterr().out.splitlines())
    assert "timm has no such model" in first["failed"]
    assert second["ratio"] > 0
