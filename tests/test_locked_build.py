"""build --locked: another machine makes the same bytes out of a lock; other inputs are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from naflora_etl.cli import main

pytestmark = pytest.mark.slow  # three whole builds of a tiny world
RECIPE = """
name = "locked"
[images]
redact = "none"
size_px = 200
[selection]
servers = 6
threshold = 3
cap = 4
spares = 2
[split]
minimum = 3
min_test = 1
[release]
audit_sample = 0
[http.default]
per_second = 60
[sandbox]
seed = {seed}
species = 3
specimens_per_species = 9
port = 8957
min_sheet_px = 400
max_sheet_px = 500
"""


def build(folder: Path, work: str, *arguments: str, seed: int = 7) -> Result:
    (folder / "locked.toml").write_text(RECIPE.format(seed=seed))
    command = ["build", str(folder / "locked.toml"), "--work", str(folder / work), *arguments]
    return CliRunner().invoke(main, command, catch_exceptions=False)


def test_a_lock_makes_the_same_bytes_elsewhere_and_refuses_other_answers(tmp_path: Path) -> None:
    assert build(tmp_path, "first").exit_code == 0
    release = tmp_path / "first" / "release"
    told = build(tmp_path, "second", "--locked", str(release))
    assert told.exit_code == 0, told.output
    files = {path.name: path.read_bytes() for path in release.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "second" / "release").iterdir()} == files

    (tmp_path / "third").mkdir()
    told = build(tmp_path, "third", "--locked", str(release / "lock.json"), seed=8)
    assert told.exit_code == 1 and not (tmp_path / "third" / "tables").exists()
    assert "checklist.paths: " in told.output and "Bring back what differs" in told.output
