"""CLIP and LiT: the loss, the schedule, what moves and what does not, and what is refused."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from open_clip_train.scheduler import cosine_lr
from safetensors.torch import load_file

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.knobs import knobs
from naflora_etl.learning.contrast import features
from naflora_etl.learning.contrast.recipe import (
    AdamOptions,
    ContrastRecipe,
    TowerOptions,
    WordOptions,
    read_contrast_recipe,
)
from naflora_etl.learning.contrast.schedule import warm_rate
from naflora_etl.learning.contrast.texts import Words
from naflora_etl.learning.contrast.towers import Towers, cut_behind, import_open_clip, make_towers
from naflora_etl.learning.contrast.tune import tune
from naflora_etl.recipe import RecipeError

LOCKED = ["tower.lock_image=true", "tower.image_weights=random"]
STRAIGHT = [
    "data.flip=false",
    "data.crop_area=1",
    "data.rotation_deg=0",
    "loop.batch=12",
    "loop.log_steps=1",
    "optimiser.warmup_steps=2",
]


def recipe_with(*overrides: str) -> ContrastRecipe:
    return read_contrast_recipe("clip-tiny", [*STRAIGHT, *overrides])


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "last.pt", weights_only=True)["model"]


@pytest.fixture(scope="module")
def locked(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lit") / "run"
    tune(release, recipe=recipe_with(*LOCKED, "loop.epochs=1"), out=out)
    return out


def test_the_loss_by_hand():
    """Cross entropy of similarities times the scale, by rows and by columns, halved."""
    random = np.random.default_rng(1)
    images, texts = (
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in random.normal(size=(2, 5, 8))
    )
    similar = 10 * images @ texts.T
    rows = np.log(np.exp(similar).sum(axis=1)) - np.diag(similar)
    columns = np.log(np.exp(similar).sum(axis=0)) - np.diag(similar)
    found = import_open_clip().ClipLoss()(torch.tensor(images), torch.tensor(texts), torch.tensor(10.0))
    assert float(found) == pytest.approx((rows.mean() + columns.mean()) / 2)


@pytest.mark.parametrize("warmup", [1, 20, 500])
def test_the_rate_is_that_of_open_clips_trainer(warmup: int):
    options = AdamOptions(lr=5e-4, warmup_steps=warmup)
    theirs = cosine_lr(SimpleNamespace(param_groups=[]), 5e-4, warmup, 1000)
    for step in (0, 1, warmup - 1, warmup, 600, 999):
        assert warm_rate(step, 1000, options) == pytest.approx(theirs(step))


def test_a_locked_image_tower_keeps_its_bits(locked: Path):
    torch.manual_seed(1)
    first = make_towers(TowerOptions(arch="tiny", lock_image=True)).clip.state_dict()
    last = weights_of(locked)
    moved = {name for name, tensor in last.items() if not torch.equal(tensor, first[name])}
    assert moved and not any(name.startswith("visual.") for name in moved)
    assert "logit_scale" in moved


@pytest.mark.slow
def test_without_a_lock_both_towers_move(release: Path, tmp_path: Path):
    tune(release, recipe=recipe_with("loop.epochs=1"), out=tmp_path / "run", stop_after_steps=2)
    torch.manual_seed(1)
    first = make_towers(TowerOptions(arch="tiny")).clip.state_dict()
    moved = {
        name.split(".")[0]
        for name, tensor in weights_of(tmp_path / "run").items()
        if not torch.equal(tensor, first[name])
    }
    assert {"visual", "transformer"} <= moved


def test_kept_features_change_nothing(locked: Path, release: Path, tmp_path: Path):
    """Where sheets are seen straight, a locked tower and its kept features give the same training."""
    recipe = recipe_with(*LOCKED, "loop.epochs=1", "tower.cache=false")
    tune(release, recipe=recipe, out=tmp_path / "run")
    kept, anew = weights_of(locked), weights_of(tmp_path / "run")
    for name, tensor in kept.items():
        torch.testing.assert_close(tensor, anew[name], rtol=1e-4, atol=1e-5)
    assert (locked / "features.safetensors").is_file() and not (tmp_path / "run" / "features.safetensors").exists()


def test_what_is_kept_is_read_by_the_recipes_threads(
    locked: Path, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """For training, after an epoch, and by zeroshot; the bits are those that one thread made."""
    asked: list[int] = []

    def spy(*args: object, workers: int, **more: object):
        asked.append(workers)
        return batches(*args, workers=workers, **more)

    batches = features.plain_batches
    monkeypatch.setattr(features, "plain_batches", spy)
    tune(release, recipe=recipe_with(*LOCKED, "loop.epochs=1", "loop.workers=2"), out=tmp_path / "run")
    CliRunner().invoke(main, ["zeroshot", str(tmp_path / "run"), str(release)], catch_exceptions=False)
    assert asked == [2, 2, 2]
    for name in ("features.safetensors", "features-test.safetensors"):
        kept, anew = (load_file(run / name)["features"] for run in (locked, tmp_path / "run"))
        assert torch.equal(kept, anew)


@pytest.mark.parametrize("lock", ["true", pytest.param("false", marks=pytest.mark.slow)])
def test_a_resumed_tuning_ends_with_the_bits_of_an_undisturbed_one(release: Path, tmp_path: Path, lock: str):
    recipe = read_contrast_recipe(
        "clip-tiny", ["loop.batch=12", "loop.epochs=1", f"tower.lock_image={lock}", LOCKED[1]]
    )
    tune(release, recipe=recipe, out=tmp_path / "straight")
    tune(release, recipe=recipe, out=tmp_path / "broken", stop_after_steps=1)
    tuned = tune(release, recipe=recipe, out=tmp_path / "broken", resume=True)
    assert (tuned.steps, tuned.total_steps) == (4, 4)
    straight, broken = weights_of(tmp_path / "straight"), weights_of(tmp_path / "broken")
    assert all(torch.equal(straight[name], broken[name]) for name in straight)
    scores = [(tmp_path / run / "epochs.csv").read_text() for run in ("straight", "broken")]
    assert scores[0] == scores[1]


def test_after_each_epoch_the_test_part_is_named_by_words_alone(release: Path, tmp_path: Path):
    """The last row is what `naflora zeroshot` tells of the run; a locked tower's kept features tell the same."""
    recipe = read_contrast_recipe("clip-tiny", ["loop.batch=12", "loop.epochs=5", "loop.score_epochs=2"])
    tuned = tune(release, recipe=recipe, out=tmp_path / "run")
    rows = list(csv.DictReader((tmp_path / "run" / "epochs.csv").read_text().splitlines()))
    assert [(row["step"], row["epoch"]) for row in rows] == [("8", "2"), ("16", "4"), ("20", "5")]
    called = CliRunner().invoke(main, ["zeroshot", str(tmp_path / "run"), str(release), "--json"])
    found = json.loads(called.stdout)
    assert (tuned.top1, tuned.top5) == (found["top1"], found["top5"])
    assert float(rows[-1]["top1"]) == pytest.approx(found["top1"], rel=1e-5)


def test_a_locked_tower_looks_at_the_test_part_once(locked: Path, release: Path):
    assert (locked / "features-test.safetensors").is_file()
    row = next(csv.DictReader((locked / "epochs.csv").read_text().splitlines()))
    called = CliRunner().invoke(main, ["zeroshot", str(locked), str(release), "--json"])
    assert float(row["top1"]) == pytest.approx(json.loads(called.stdout)["top1"], rel=1e-5)


def test_without_test_images_or_wish_nothing_is_scored(make_release: Callable[..., Path], tmp_path: Path):
    folder = make_release(train=2, test=0)
    recipe = read_contrast_recipe("clip-tiny", ["loop.batch=12", "loop.epochs=1", "loop.score_epochs=1"])
    assert tune(folder, recipe=recipe, out=tmp_path / "run").top1 is None
    assert (tmp_path / "run" / "epochs.csv").read_text() == "step,epoch,top1,top5\n"


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["true", "false"])
def test_two_processes_are_one(lock: str, release: Path, tmp_path: Path, run_two: Callable[..., None]):
    """Each tells its pairs apart from those of the other too: loss, weights, features and scores are those of one."""
    # a large epsilon, for AdamW's steps are else of one size even where a gradient is nothing but rounding
    given = [
        *STRAIGHT,
        f"tower.lock_image={lock}",
        LOCKED[1],
        "loop.epochs=2",
        "words.per=sample",
        "optimiser.eps=0.01",
    ]
    tune(release, recipe=read_contrast_recipe("clip-tiny", given), out=tmp_path / "one")
    words = [word for knob in given for word in ("--set", knob)]
    run_two("clip", release, "--recipe", "clip-tiny", "--out", tmp_path / "two", *words)
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-4, atol=1e-6)
    logs = [list(csv.DictReader((tmp_path / run / "log.csv").read_text().splitlines())) for run in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) == 8
    for ours, theirs in zip(*logs, strict=True):
        assert float(ours["loss"]) == pytest.approx(float(theirs["loss"]), rel=1e-4)
    told = [json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("one", "two")]
    assert [run["processes"] for run in told] == [1, 2]
    if lock == "true":
        kept = [load_file(tmp_path / run / "features.safetensors")["features"] for run in ("one", "two")]
        torch.testing.assert_close(*kept, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["true", "false"])
def test_a_killed_tuning_goes_on_to_the_same_bits(
    lock: str, release: Path, tmp_path: Path, kill_at_checkpoints: Callable[..., None]
):
    given = ["loop.batch=12", "loop.epochs=20", "loop.checkpoint_steps=2", f"tower.lock_image={lock}", LOCKED[1]]
    recipe = read_contrast_recipe("clip-tiny", given)
    tune(release, recipe=recipe, out=tmp_path / "straight")
    program = (
        "import sys; from pathlib import Path; from naflora_etl.learning.contrast.tune import tune\n"
        "from naflora_etl.learning.contrast.recipe import read_contrast_recipe\n"
        "recipe = read_contrast_recipe('clip-tiny', sys.argv[3:])\n"
        "tune(Path(sys.argv[1]), recipe=recipe, out=Path(sys.argv[2]), resume=True)"
    )
    kill_at_checkpoints(program, tmp_path / "run", release, tmp_path / "run", *given)
    before = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["steps"]
    assert before < 80  # else it was not killed
    tune(release, recipe=recipe, out=tmp_path / "run", resume=True)
    straight, killed = (torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("straight", "run"))
    assert all(torch.equal(tensor, killed["model"][name]) for name, tensor in straight["model"].items())
    for number, state in straight["optimiser"]["state"].items():
        assert all(torch.equal(value, killed["optimiser"]["state"][number][key]) for key, value in state.items())
    assert (tmp_path / "run" / "epochs.csv").read_text() == (tmp_path / "straight" / "epochs.csv").read_text()


def test_the_docs_list_every_knob_with_its_default():
    page = (Path(__file__).parents[3] / "docs" / "contrast.md").read_text()
    missing = [
        line
        for name, default, why in knobs(ContrastRecipe)
        if (line := f"| `{name}` | {default.replace('|', '/')} | {why} |") not in page
    ]
    assert not missing


def test_equal_texts_are_encoded_once_with_the_same_gradient():
    towers = make_towers(TowerOptions(arch="tiny"))
    texts = ["a photo of Acer.", "a photo of Carex.", "a photo of Acer."]
    weight, gradients = towers.clip.text_projection, []
    for read in (towers.read, lambda texts: towers.clip.encode_text(towers.tokenizer(texts), normalize=True)):
        towers.zero_grad()
        (read(texts) * torch.linspace(-1, 1, 96).view(3, 32)).sum().backward()
        gradients.append(weight.grad.clone())
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("custom", [False, True], ids=["one module", "a text tower apart"])
@pytest.mark.parametrize(
    ("changes", "is_cut"),
    [
        pytest.param({}, True, id="CLIP's, causal, told from its end"),
        pytest.param({"pool_type": "eos", "eos_id": 49407}, True, id="told from a given end"),
        pytest.param({"pool_type": "last"}, False, id="told from its last place"),
        pytest.param({"no_causal_mask": True}, False, id="looking both ways"),
        pytest.param({"embed_cls": True}, False, id="with a place of its own for the whole"),
    ],
)
def test_what_stands_behind_the_longest_text_has_no_say(changes: dict[str, object], is_cut: bool, custom: bool):
    """Vectors and gradients of the whole context and of the cut one are the same, and only a causal tower is cut."""
    if not custom and "embed_cls" in changes:
        pytest.skip("open_clip takes such a tower only apart")
    open_clip = import_open_clip()
    text = {"context_length": 48, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2, **changes}
    clip = open_clip.create_model("tiny", text_cfg=text, force_custom_text=custom)
    towers = Towers(clip, open_clip.get_tokenizer("tiny"))
    texts = ["a photo of Carex.", "a photo of a very much longer name with many words of Acer."]
    tokens = towers.tokenizer(texts)
    assert (cut_behind(clip, tokens)[0].shape[1] < tokens.shape[1]) == is_cut
    found = []
    for read in (towers.read, lambda texts: clip.encode_text(towers.tokenizer(texts), normalize=True)):
        clip.zero_grad()
        words = read(texts)
        (words * torch.linspace(-1, 1, 64).view(2, 32)).sum().backward()
        gradients = {name: weight.grad.clone() for name, weight in clip.named_parameters() if weight.grad is not None}
        found.append((words.detach(), gradients))
    (words, gradients), (whole, of_whole) = found
    torch.testing.assert_close(words, whole, rtol=1e-5, atol=1e-6)
    assert gradients.keys() == of_whole.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, of_whole[name], rtol=1e-4, atol=1e-5)


ROW = {
    "image_key": "a",
    "class_id": 0,
    "taxon_name": "Acer rubrum",
    "family": "Sapindaceae",
    "genus": "Acer",
    "species": "rubrum",
}
NAMED = ROW | {"common_name": "Red maple"}


def test_texts_are_drawn_one_kind_a_batch_by_seed_and_step():
    words, sheets = Words([NAMED] * 40, WordOptions()), np.arange(40)
    drawn = [words.of(sheets, seed=1, step=step) for step in range(30)]
    assert all(len(set(texts)) == 1 for texts in drawn)
    assert len({texts[0] for texts in drawn}) == 5
    assert drawn[7] == words.of(sheets, seed=1, step=7)
    assert len(set(Words([NAMED] * 40, WordOptions(per="sample")).of(sheets, seed=1, step=0))) == 5


def test_a_sheet_without_a_common_name_takes_the_kind_without_it():
    words = Words([ROW], WordOptions())
    drawn = {words.of(np.array([0]), seed=1, step=step)[0] for step in range(30)}
    assert drawn == {"a photo of Acer rubrum.", "a photo of Plantae Tracheophyta Sapindaceae Acer rubrum."}


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["tower.arch=ViT-B-61"],
            "tower.arch = ViT-B-61: open_clip has no such model; the nearest known one is ViT-B-16",
        ),
        (
            ["tower.weights=nowhere.pt"],
            "tower.weights = nowhere.pt: no such file, nor a tag of this model in open_clip;",
        ),
        (
            ["words.kind=com"],
            "words.kind = com: 48 images have no common name; give them with words.names, or take sci.",
        ),
        (["words.kind=bogus"], "words.kind = bogus: there is no such text; there are all, com, "),
    ],
)
def test_what_cannot_be_tuned(release: Path, tmp_path: Path, overrides: list[str], sentence: str):
    with pytest.raises(Fault) as refusal:
        tune(release, recipe=recipe_with(*overrides), out=tmp_path / "run")
    assert str(refusal.value).startswith(sentence)
    assert not (tmp_path / "run").exists()  # or the mended command would be told that it holds a run


def test_weights_of_another_model_are_refused(locked: Path, release: Path, tmp_path: Path):
    torch.save({"visual.proj": torch.zeros(3)}, tmp_path / "small.pt")
    with pytest.raises(
        Fault, match=r"does not fit: \d+ of \d+ tensors are missing or of another shape, first positional_emb"
    ):
        make_towers(TowerOptions(arch="tiny", weights=str(tmp_path / "small.pt")))
    towers = make_towers(TowerOptions(arch="tiny", weights=str(locked / "last.pt")))  # a run's own fit
    assert torch.equal(towers.clip.state_dict()["logit_scale"], weights_of(locked)["logit_scale"])


def test_a_run_is_not_written_over(locked: Path, release: Path, make_release: Callable[..., Path], tmp_path: Path):
    recipe = recipe_with(*LOCKED, "loop.epochs=1")
    with pytest.raises(Fault, match="holds a run already; go on with --resume, or give another folder"):
        tune(release, recipe=recipe, out=locked)
    with pytest.raises(Fault, match=r"was begun with optimiser\.lr = 0\.001, and the recipe now says 0\.1;"):
        changed = recipe_with(*LOCKED, "loop.epochs=1", "optimiser.lr=0.1")
        tune(release, recipe=changed, out=locked, resume=True)
    with pytest.raises(Fault, match=r"was begun on another release than .*; train into a new folder"):
        tune(make_release(classes=5), recipe=recipe, out=locked, resume=True)


@pytest.mark.parametrize("name", ["clip-tiny", "lit-inat", "biotrove-o"])
def test_recipes_open_with_three_lines_and_can_be_read(name: str):
    recipe = read_contrast_recipe(name, ["tower.image_weights=tower.pt"] if name == "lit-inat" else [])
    assert recipe.name == name
    text = (Path(__file__).parents[3] / "recipes" / "learn" / "contrast" / f"{name}.toml").read_text().splitlines()
    assert text[0].startswith("# Source: ")
    assert all(line.startswith("# ") for line in text[:3])


def test_lit_without_its_tower_is_refused_before_any_work(release: Path, tmp_path: Path):
    words = ["clip", str(release), "--recipe", "lit-inat", "--out", str(tmp_path / "run")]
    called = CliRunner().invoke(main, words)
    assert called.exit_code == 1
    assert "without weights it is random: name a file as tower.image_weights or tower.weights" in called.output
    assert not (tmp_path / "run").exists()


def test_files_of_a_recipe_are_seen_from_its_folder(tmp_path: Path):
    (tmp_path / "mine.toml").write_text('name = "mine"\n[tower]\nweights = "openai"\n[words]\nnames = "common.csv"\n')
    (tmp_path / "common.csv").write_text("taxon_name,common_name\n")
    recipe = read_contrast_recipe(tmp_path / "mine.toml")
    assert (recipe.tower.weights, recipe.words.names) == ("openai", str(tmp_path / "common.csv"))


def test_an_unknown_knob_is_refused_with_the_nearest():
    with pytest.raises(RecipeError, match=r"warmup_step.*warmup_steps"):
        read_contrast_recipe("clip-tiny", ["optimiser.warmup_step=5"])
    with pytest.raises(RecipeError, match="known: biotrove-o, clip-tiny, lit-inat"):
        read_contrast_recipe("lit-inet")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param("loop", '"loop" is not an override; write section.key=value', id="no value"),
        pytest.param("name.short=x", '"name.short=x": name is a knob, not a section', id="a knob as a section"),
        pytest.param("loop.epochs=many", "clip-tiny: loop.epochs = ", id="no number"),
    ],
)
def test_an_override_is_refused_as_in_every_recipe(given: str, sentence: str):
    with pytest.raises(RecipeError) as refusal:
        read_contrast_recipe("clip-tiny", [given])
    assert str(refusal.value).startswith(sentence)


def test_the_image_tower_is_taken_out_of_a_file_of_both(locked: Path):
    towers = make_towers(TowerOptions(arch="tiny", image_weights=str(locked / "last.pt")))
    assert torch.equal(towers.clip.visual.state_dict()["proj"], weights_of(locked)["visual.proj"])


def test_damaged_weights_are_told(tmp_path: Path):
    (tmp_path / "w.safetensors").write_bytes(b"hello, hello")  # safetensors has an error class of its own
    with pytest.raises(Fault, match=r"^tower\.weights = .*w\.safetensors cannot be read as weights"):
        make_towers(TowerOptions(arch="tiny", weights=str(tmp_path / "w.safetensors")))


def test_the_command(release: Path, tmp_path: Path):
    words = ["clip", str(release), "--out", str(tmp_path / "run"), "--set", "loop.epochs=1", "--set", "loop.batch=24"]
    called = CliRunner().invoke(main, words)
    assert called.exit_code == 0, called.output
    assert called.output.startswith(f"{tmp_path / 'run'}: 48 sheets, loss ")
    assert called.output.endswith("at step 2.\n")
