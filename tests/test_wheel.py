"""The wheel as a stranger gets it: complete, and able to build from its own recipes without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PORT = 8661
TINY: dict[str, dict[str, Any]] = {
    "sandbox": {"species": 3, "specimens_per_species": 6, "port": PORT, "min_sheet_px": 600, "max_sheet_px": 700},
    "selection": {"servers": 3, "threshold": 2, "cap": 4, "spares": 1},
    "images": {"redact": "none", "size_px": 200},
    "split": {"minimum": 2, "min_test": 1},
}
"""What makes the shipped demo's recipe a matter of seconds."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, f"the wheel cannot be built:\n{made.stdout[-2000:]}{made.stderr[-2000:]}"
    (path,) = folder.glob("*.whl")
    return path


class Installed:
    """The wheel in an environment of its own, which borrows nothing but the dependencies."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        self.folder = folder / "elsewhere"
        self.folder.mkdir()
        home = folder / "venv"
        venv.create(home, with_pip=False, symlinks=True)
        self.python = home / "bin/python"
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-deps",
                   "--no-index", "--disable-pip-version-check", str(wheel)]  # fmt: skip
        subprocess.run(command, check=True)
        # A path in a .pth file is searched, but the .pth files in that path are not read, so that this project's own
        # editable installation there stays unseen.
        (site,) = home.glob("lib/python*/site-packages")
        paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (site / "dependencies.pth").write_text("\n".join(sorted(paths)) + "\n", encoding="utf-8")

    def run(self, *command: str) -> str:
        """Run a command of the environment, away from the checkout, and return what it says."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        program, *arguments = command
        done = subprocess.run(
            [str(self.python.parent / program), *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(wheel, tmp_path_factory.mktemp("installed"))


def test_everything_travels_in_the_wheel(wheel: Path) -> None:
    there = set(zipfile.ZipFile(wheel).namelist())
    package = {
        f"naflora_etl/{path.relative_to(ROOT / 'naflora_etl').as_posix()}"
        for path in (ROOT / "naflora_etl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    beside = {
        f"naflora_etl/{path.relative_to(ROOT).as_posix()}"
        for folder, suffix in (("schemas", ".json"), ("recipes", ".toml"))
        for path in (ROOT / folder).rglob(f"*{suffix}")
    }
    assert {"naflora_etl/schemas/taxa.json", "naflora_etl/recipes/demo.toml"} <= beside
    assert package | beside <= there, sorted((package | beside) - there)
    assert not [name for name in there if name.startswith(("tests/", "docs/"))]


def test_the_installed_package_is_what_runs(installed: Installed) -> None:
    where = installed.run("python", "-c", "import naflora_etl; print(naflora_etl.__file__)")
    assert Path(where.strip()).is_relative_to(installed.python.parents[1])


def test_the_commands_answer(installed: Installed) -> None:
    assert "naflora build recipes/demo.toml" in installed.run("naflora", "--help")
    assert "images.detect_px" in installed.run("naflora", "knobs")


def test_a_shipped_recipe_builds_a_release(installed: Installed) -> None:
    shown = "from naflora_etl.engine.resources import resource_folder; print(resource_folder('recipes'))"
    recipes = Path(installed.run("python", "-c", shown).strip())
    assert recipes.is_relative_to(installed.python.parents[1])
    demo = tomllib.loads((recipes / "demo.toml").read_text(encoding="utf-8"))
    for section, options in TINY.items():
        demo[section] = demo.get(section, {}) | options
    recipe = installed.folder / "tiny.toml"
    recipe.write_text("\n".join(as_toml(demo)), encoding="utf-8")
    built = json.loads(installed.run("naflora", "build", str(recipe), "--work", "tiny", "--json"))
    assert [stage["stage"] for stage in built][-2:] == ["shards", "release"]
    assert "keeps its promises" in installed.run("naflora", "verify", "tiny/release")


def as_toml(values: dict[str, Any], section: str = "") -> Iterator[str]:
    """Yield the lines of a TOML file; JSON's strings, numbers and lists are TOML's, too."""
    for name, value in values.items():
        if not isinstance(value, dict):
            yield f"{name} = {json.dumps(value)}"
    for name, value in values.items():
        if isinstance(value, dict):
            yield f"[{section}{name}]"
            yield from as_toml(value, f"{section}{name}.")
