"""The house as ARCHITECTURE.md draws it: floors, doors, sizes, one word per thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "naflora_etl"
FLOORS = {
    "__main__": 6, "cli": 5.6, "commands": 5.5, "console": 5, "flows": 5,
    "plan": 4.5, "renewing": 4.5, "pipeline": 4, "sandbox": 4, "fetching": 4,
    "stages": 3,
    "names": 2, "sources": 2, "selecting": 2, "imaging": 2, "publishing": 2, "learning": 2,
    "engine": 1, "recipe": 1, "issues": 1, "knobs": 1, "__init__": 0,
}  # fmt: skip
HOMES = {
    "prefect": {"flows"},
    "aiohttp": {"engine", "sandbox"},
    "duckdb": {"engine"},
    "pyarrow.parquet": {"engine"},
    "cv2": {"imaging", "sandbox"},
    "onnxruntime": {"imaging", "learning"},
    "simplejpeg": {"imaging", "sandbox"},
    "torch": {"learning"},
    "timm": {"learning"},
    "open_clip": {"learning"},
    "safetensors": {"learning"},
    "click": {"cli", "commands", "console"},
    "rich": {"engine"},
    "matplotlib": {"publishing", "sandbox", "learning"},
    "rapidfuzz": {"names"},
    "ftfy": {"names"},
    "python_calamine": {"names"},
    "openpyxl": {"names"},
    "highspy": {"selecting"},
    "pyvips": {"imaging"},
    "rapidocr": {"imaging"},
    "zxingcpp": {"imaging"},
    "pygbif": {"sources"},
}
FORBIDDEN_NAMES = {"utils", "helpers", "manager", "core", "common", "misc"}
MAX_LINES = 350
FILES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "flows").glob("*.py")])


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "flows" if parts[0] == "flows" else parts[1]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            if node.module == "naflora_etl":
                yield from (f"naflora_etl.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "naflora_etl" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != here:
            assert FLOORS[parts[1]] < FLOORS[here] or FLOORS[here] == 1, f"{here} may not import {name}"
        if parts[0] == "naflora_etl" and here == "stages" and parts[1:2] == ["stages"]:
            raise AssertionError(f"a stage may not import another: {name}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_third_party_has_one_home(path: Path) -> None:
    for name in imports(path):
        for library, homes in HOMES.items():
            if name == library or name.startswith(library + "."):
                assert room(path) in homes, f"{library} lives in {', '.join(sorted(homes))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_idea(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES
    assert path.stem not in FORBIDDEN_NAMES
    assert ast.get_docstring(ast.parse(text)), "a file says in one line what it is"


def test_the_engine_knows_no_botany() -> None:
    words = re.compile(r"\b(taxon|taxa|species|genus|family|herbari\w+|specimen|botan\w+|gbif|wcvp|leaf|plant)\b", re.I)
    for path in (PACKAGE / "engine").glob("*.py"):
        code = [line.split("#")[0] for line in path.read_text(encoding="utf-8").splitlines()]
        # a network address has a family, too
        found = [line for line in code if words.search(line.replace("family", "")) and "knows no botany" not in line]
        assert not found, f"{path.name}: {found[0]}"


def test_one_word_names_a_thing_everywhere() -> None:
    from naflora_etl.pipeline import GIVEN, STAGES
    from naflora_etl.recipe import Recipe

    for stage in STAGES:
        assert (PACKAGE / "stages" / f"{stage.name}.py").is_file()
        assert (ROOT / "schemas" / f"{stage.name}.json").is_file()
        assert (ROOT / "tests" / "stages" / f"test_{stage.name}.py").is_file()
        assert stage.name in Recipe.model_fields
    for given in GIVEN:
        assert (ROOT / "schemas" / f"{given.name}.json").is_file()
        assert given.name in Recipe.model_fields


def test_a_stage_reads_only_what_was_made_before_it() -> None:
    from naflora_etl.pipeline import GIVEN, STAGES

    known = {stage.name for stage in GIVEN}
    for stage in STAGES:
        assert set(stage.reads) <= known, stage.name
        known.add(stage.name)
