"""The commands a person types: quick to start, documented, and clear about what is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.knobs import describe_knobs
from naflora_etl.recipe import Recipe, SandboxOptions

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEAVY = ("pyarrow", "duckdb", "pandas", "numpy", "pydantic", "aiohttp", "cv2", "torch", "matplotlib", "onnxruntime",
         "prefect", "rich")  # fmt: skip


def commands(group: click.Group = main, prefix: str = "naflora") -> list[tuple[str, click.Command]]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        else:
            found.append((f"{prefix} {name}", command))
    return found


def test_help_needs_nothing_heavy() -> None:
    code = f"import sys, naflora_etl.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "command"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_is_helped_and_stands_in_the_readme(name: str, command: click.Command) -> None:
    assert command.help and command.help.strip().endswith(".")
    assert name in README
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"


def test_the_page_of_knobs_is_the_recipes_own() -> None:
    assert (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8") == describe_knobs(Recipe), (
        "run: naflora knobs --markdown > docs/recipe.md"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["build", "nowhere.toml"], "nowhere.toml: no such recipe."),
        (["build", "."], ". is a folder; give the recipe file in it"),
        (["build", "nowhere.toml", "--until", "nowhere"], "there is no stage nowhere; the path is taxa -> harvest"),
        (["status"], "there is no data folder under ./work"),
        (["status", "--work", "nowhere"], "nowhere is not a data folder"),
        (["why", "gbif:1", "--work", "nowhere"], "nowhere is not a data folder"),
        (["verify", "nowhere"], "nowhere"),
        (["train", "nowhere"], "nowhere"),
        (["evaluate", "nowhere", "nowhere"], "nowhere"),
        (["score", "nowhere.csv", "nowhere"], "nowhere"),
        (["models", "add", "nowhere.onnx"], "nowhere.onnx"),
        (["sandbox", "serve", "--port", "80"], "--port: Input should be greater than or equal to 1024."),
        (["sandbox", "serve", "--drop-share", "1"], "--drop-share: Input should be less than 1."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_users_mistake_gets_a_sentence(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code in (1, 2)
    assert told in shown.output
    assert "Traceback" not in shown.output
    assert not isinstance(shown.exception, Exception) or isinstance(shown.exception, SystemExit)


def offline_recipe(folder: Path, checklist: str, **more: str) -> Path:
    """A recipe whose stages up to taxa need no network."""
    names = "plant_name_id|taxon_rank|taxon_status|family|genus|species|taxon_name|taxon_authors|accepted_plant_name_id"
    (folder / "names.csv").write_text(
        f"{names}\n1|Species|Accepted|Fagaceae|Quercus|alba|Quercus alba|L.|1\n"
        "2|Species|Synonym|Fagaceae|Quercus|candida|Quercus candida|Steud.|1\n"
    )
    columns = "\n".join(f'{name} = "{name}"' for name in names.split("|"))
    recipe = folder / "mine.toml"
    recipe.write_text(
        f'name = "mine"\n[checklist]\npaths = ["{checklist}"]\n[wcvp]\npath = "names.csv"\n[wcvp.mapping]\n{columns}\n'
        + "".join(more.values())
    )
    return recipe


def run(*arguments: str) -> tuple[int, str]:
    shown = CliRunner().invoke(main, list(arguments))
    return shown.exit_code, shown.output


def test_build_status_and_why_tell_one_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("scientificName\nQuercus alba L.\nQuercus candida Steud.\nQuercus nowhere L.\n")
    recipe = str(offline_recipe(tmp_path, "list.csv"))
    code, shown = run("build", recipe, "--until", "taxa")
    assert code == 0
    assert "taxa               3 given          2 clean          1 set aside (NAME_NOT_FOUND 1)" in shown
    assert "unchanged" in run("build", recipe, "--until", "taxa")[1]
    funnel = json.loads(run("status", "--json")[1])
    assert [row["stage"] for row in funnel] == ["checklist", "wcvp", "taxa"]
    assert "No name of the backbone is like it." in run("status")[1]
    life = run("why", "list:3")[1]
    assert "match_type                 exact_with_author" in life
    assert "taxon_name                 Quercus alba" in life
    assert "no table of" in run("why", "nothing")[1]
    code, plan = run("plan", recipe)
    assert "1 species. Nothing was asked yet" in plan
    assert "api.gbif.org" in plan and "search.idigbio.org" in plan


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file"),
        (b"", "empty"),
        ("folder", "folder"),
        (b"\x00\x01\x02\xff\xfe" * 50, "list.csv"),
        (b"a^b^c\n1^2^3\n", "checklist.name_column"),
    ],
    ids=["missing", "empty", "a folder", "binary", "wrong delimiter"],
)
def test_a_bad_checklist_gets_a_sentence(
    content: bytes | str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "list.csv"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.mkdir()
    code, shown = run("build", str(offline_recipe(tmp_path, "list.csv")), "--until", "taxa")
    assert code == 1
    assert told in shown and str(path) in shown
    assert "Traceback" not in shown


def test_nobody_is_asked_without_a_contact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("scientificName\nQuercus alba L.\n")
    code, shown = run("build", str(offline_recipe(tmp_path, "list.csv")), "--until", "harvest")
    assert (code, "http.contact is empty" in shown) == (1, True)


CONTACT = '[http]\ncontact = "tess@herb.example"\n'
# sections of the recipe; what the plan says, and what it does not
PLANS: dict[str, tuple[str, str, list[str], str]] = {
    "by pages": ("", CONTACT, [r"gbif +2 - 11 .* s\n", r"idigbio +1 - 20 .* s\n", "by its search API"], "contact"),
    "nobody says who asks": ("", "", ["http.contact is empty; .* before api.gbif.org is asked"], "download API"),
    "by downloads, which are waited for": (
        '[harvest]\ngbif = "download"\nidigbio = "download"\n', CONTACT,
        [r"gbif +5 - 36 .* 4\.4 h\n", r"api.idigbio.org +idigbio .* 4\.4 h\n", "DOI", "GBIF_PWD"], "search API"),
    "an archive by its address": (
        '[harvest]\nsources = ["archive"]\narchives = ["https://herb.example/a.zip"]\n', CONTACT,
        [r"herb.example +archive +1 - 1 ", "a.zip is fetched once"], "GBIF"),
}  # fmt: skip


@pytest.mark.parametrize(("harvest", "http", "told", "untold"), PLANS.values(), ids=PLANS)
def test_a_plan_tells_who_would_be_asked_how_and_for_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harvest: str, http: str, told: list[str], untold: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("scientificName\nQuercus alba L.\n")
    code, shown = run("plan", str(offline_recipe(tmp_path, "list.csv", harvest=harvest, http=http)))
    assert code == 0 and untold not in shown
    assert [sign for sign in told if not re.search(sign, shown)] == [], shown


def test_a_port_that_nobody_listens_on_sets_the_taxon_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("scientificName\nQuercus alba L.\n")
    closed = '[harvest]\ngbif_api = "http://127.0.0.1:9"\nsources = ["gbif"]\n'
    manners = '[http]\ntries = 1\nallow_private_hosts = ["127.0.0.1"]\n'
    recipe = offline_recipe(tmp_path, "list.csv", harvest=closed, http=manners)
    code, shown = run("build", str(recipe), "--until", "harvest")
    assert (code, "SOURCE_UNREACHABLE 1" in shown) == (0, True)
    named = "GBIF gave no usable answer about 1 of 1 taxa, so its records of them are not all here."
    assert named in shown and named in run("status", "--work", "work/mine")[1]


def test_a_host_that_a_recipe_allows_later_is_asked_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("scientificName\nQuercus alba L.\n")
    closed = '[harvest]\ngbif_api = "http://127.0.0.1:9"\nsources = ["gbif"]\n'
    for manners, issue in (
        ("tries = 1\n", "ADDRESS_REFUSED 1"),
        ('tries = 1\nallow_private_hosts = ["127.0.0.1"]\n', "SOURCE_UNREACHABLE 1"),
    ):
        recipe = offline_recipe(tmp_path, "list.csv", harvest=closed, http=f"[http]\n{manners}")
        code, shown = run("build", str(recipe), "--until", "harvest")
        assert (code, issue in shown) == (0, True), shown


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("scientificName\nQuercus alba L.\n")
    (tmp_path / "taken").write_text("a file")
    code, shown = run("build", str(offline_recipe(tmp_path, "list.csv")), "--work", "taken/inside")
    assert code == 1
    assert "--work" in shown and "Traceback" not in shown


def test_the_sandbox_that_is_served_has_every_option_of_the_recipes() -> None:
    told = CliRunner().invoke(main, ["sandbox", "serve", "--help"]).output
    assert [name for name in SandboxOptions.model_fields if f"--{name.replace('_', '-')} " not in told] == []
