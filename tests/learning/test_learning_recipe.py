"""Learning recipes: what they take, what they refuse, and that each tells where it comes from."""

import subprocess
import sys
from pathlib import Path

import pytest

from naflora_etl.knobs import knobs
from naflora_etl.learning.recipe import (
    LearnRecipe,
    learn_recipe_names,
    learn_recipe_text,
    read_learn_recipe,
)
from naflora_etl.recipe import RecipeError


def test_the_papers_baseline_says_what_the_paper_says():
    recipe = read_learn_recipe("naflora-baseline")
    assert (recipe.data.size_px, recipe.loop.epochs, recipe.loss.smoothing) == (256, 30, 0.1)
    assert (recipe.data.flip, recipe.data.rotation_deg) == (True, 15)
    assert (recipe.optimiser.name, recipe.schedule.name) == ("sgdw", "one_cycle")
    assert recipe.model.arch.startswith("tf_efficientnetv2_s")


@pytest.mark.parametrize("name", learn_recipe_names())
def test_each_recipe_reads_and_opens_with_its_source(name: str):
    assert read_learn_recipe(name).name == name
    lines = (Path(__file__).parents[2] / "recipes" / "learn" / f"{name}.toml").read_text().splitlines()
    assert lines[0].startswith("# Source: ")
    assert all(line.startswith("# ") for line in lines[:3])
    assert any(word in lines[2] for word in ("Reported", "Measured"))


def test_the_resolved_text_reads_back_equal(tmp_path: Path):
    recipe = read_learn_recipe("tiny", ["loss.weight_decimals=2", "model.arch=resnet50", "data.fit='crop'"])
    (tmp_path / "recipe.toml").write_text(learn_recipe_text(recipe))
    assert read_learn_recipe(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize(
    ("override", "section", "knob", "value"),
    [
        pytest.param("loop.epochs=5", "loop", "epochs", 5, id="number"),
        pytest.param("data.size_px=[416, 544]", "data", "size_px", (416, 544), id="rectangle"),
        pytest.param("data.flip=false", "data", "flip", False, id="switch"),
        pytest.param("model.arch=resnet50.a1_in1k", "model", "arch", "resnet50.a1_in1k", id="bare word"),
        pytest.param('model.arch="resnet50"', "model", "arch", "resnet50", id="quoted word"),
    ],
)
def test_an_override_goes_on_top(override: str, section: str, knob: str, value: object):
    assert getattr(getattr(read_learn_recipe("tiny", [override]), section), knob) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        pytest.param(
            "data.size=320",
            "tiny: data.size is not a known knob; the nearest known one is data.size_px.",
            id="unknown knob",
        ),
        pytest.param(
            "loops.epochs=1", "tiny: loops is not a known knob; the nearest known one is loop.", id="unknown section"
        ),
        pytest.param(
            "loop.epochs=0", "tiny: loop.epochs = 0: input should be greater than or equal to 1.", id="out of range"
        ),
        pytest.param("optimiser.lr=inf", "tiny: optimiser.lr = inf: input should be a finite number.", id="not finite"),
        pytest.param(
            "loss.name=arcface",
            "tiny: loss.name arcface and model.head sub_center go together only.",
            id="knobs that go together",
        ),
        pytest.param(
            "loop.cache_features=true",
            "tiny: loop.cache_features needs model.freeze = backbone: features that learn cannot be kept.",
            id="knobs that do not",
        ),
        pytest.param(
            "loop.epochs", '"loop.epochs" is not an override; write section.key=value, as in loop.epochs=5.', id="no ="
        ),
        pytest.param(
            "name.epochs=1", '"name.epochs=1": name is a knob, not a section; write section.key=value.', id="no section"
        ),
    ],
)
def test_a_wrong_override_is_refused_with_a_sentence(override: str, message: str):
    with pytest.raises(RecipeError) as refusal:
        read_learn_recipe("tiny", [override])
    assert str(refusal.value) == message


def test_an_unknown_recipe_is_told_with_the_known_ones():
    with pytest.raises(RecipeError, match=r"^huge is neither a recipe file nor .* known: cnn-compare, .*, tiny\.$"):
        read_learn_recipe("huge")


def test_a_weights_file_is_seen_from_the_recipes_folder(tmp_path: Path):
    (tmp_path / "mine.toml").write_text('name = "mine"\n[model]\nweights = "v2s.pt"\n')
    assert read_learn_recipe(tmp_path / "mine.toml").model.weights == str(tmp_path / "v2s.pt")


def test_every_knob_says_why():
    assert not [name for name, _, why in knobs(LearnRecipe) if not why]


def test_the_docs_list_every_knob_with_its_default():
    page = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
    missing = [
        name
        for name, default, why in knobs(LearnRecipe)
        if f"| `{name}` | {default.replace('|', '/')} | {why} |" not in page
    ]
    assert not missing


def test_recipes_and_scores_need_no_torch():
    program = (
        "import sys, naflora_etl.learning, naflora_etl.learning.recipe, naflora_etl.learning.score\n"
        "print([name for name in ('torch', 'timm', 'torchvision') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
