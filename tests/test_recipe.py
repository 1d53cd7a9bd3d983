"""Recipes: strict about keys, kind in what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from naflora_etl.knobs import knobs
from naflora_etl.publishing.provenance import publish_recipe
from naflora_etl.recipe import Recipe, RecipeError, make_recipe, read_recipe

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('nmae = "x"', "nmae is not a known knob; the nearest known one is name."),
        ('nmae = "x"', "name is missing; it is required."),
        (
            'name = "x"\n[selection]\ncapp = 3',
            "selection.capp is not a known knob; the nearest known one is selection.cap.",
        ),
        ('name = "x"\n[imagse]\nsize_px = 3', "imagse is not a known knob; the nearest known one is images."),
        ('name = "x"\n[selection]\ncap = 0', "selection.cap = 0: input should be greater than or equal to 1."),
        ('name = "x"\n[selection]\ncap = "many"', 'selection.cap = "many": input should be a valid integer'),
        ('name = "Big Name"', 'name = "Big Name": string should match pattern'),
        ('name = "x"\n[images]\nredact = "blur"', "images.redact = \"blur\": input should be 'union', 'craft'"),
        ('name = "x', "is not TOML"),
        (
            'name = "x"\n[harvest]\narchives = ["a.zip", "https://joe:sesame@herb.example/a.zip"]',
            "harvest.archives holds an address with a login in it",
        ),
        ('name = "x"\n[harvest]\ngbif_api = "https://sesame@api.gbif.org"', "harvest.gbif_api holds an address with a"),
        ('name = "x"\n[http]\nallow_private_hosts = ["127.0.0.0/8"]', "127.0.0.0/8 is no host; name each one, as"),
        ('name = "x"\n[http]\ncontact = "${NOT_SET_ANYWHERE}"', "${NOT_SET_ANYWHERE} is not set in the environment"),
    ],
)
def test_a_faulty_recipe_is_told_what_and_where(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError) as raised:
        read_recipe(path)
    assert told in str(raised.value)
    assert str(path) in str(raised.value)
    assert "sesame" not in str(raised.value)


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "x"\n[split]\nminimun = 3\ntest_share = 2')
    with pytest.raises(RecipeError) as raised:
        read_recipe(path)
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(("make", "told"), [("missing", "no such recipe"), ("folder", "is a folder"),
                                            ("binary", "is not text")])
def test_what_is_no_recipe_is_told(tmp_path: Path, make: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    if make == "folder":
        path.mkdir()
    if make == "binary":
        path.write_bytes(b"\x00\xff\xfe\x80")
    with pytest.raises(RecipeError, match=told):
        read_recipe(path)


def test_paths_are_seen_from_the_recipe(tmp_path: Path) -> None:
    recipe = make_recipe({"name": "x", "checklist": {"paths": ["a.tsv", "/b.tsv"]}}, folder=tmp_path)
    assert recipe.checklist.paths == (str(tmp_path / "a.tsv"), "/b.tsv")


def test_of_an_archives_address_the_name_is_published_and_not_the_query(tmp_path: Path) -> None:
    places = ["https://herb.example/dwca/seinet.zip?key=sesame", "/a/b?/mine.zip"]
    recipe = make_recipe({"name": "x", "harvest": {"archives": places}}, folder=tmp_path)
    assert publish_recipe(recipe)["harvest"]["archives"] == ["seinet.zip", "mine.zip"]


def test_the_environment_fills_in_what_a_recipe_asks_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHO", "me@example.org")
    values = {"name": "x", "http": {"contact": "${WHO}"}, "release": {"title": "${TITLE:-a default}"}}
    recipe = make_recipe(values, folder=tmp_path)
    assert (recipe.http.contact, recipe.release.title) == ("me@example.org", "a default")


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.name)
def test_the_shipped_recipes_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAFLORA_CONTACT", "me@example.org")
    monkeypatch.setenv("NAFLORA_SHARED", "/nowhere")
    assert read_recipe(path).name == path.stem


def test_every_knob_has_half_a_line_of_why() -> None:
    for name, _, why in knobs(Recipe):
        assert why.strip(), name
