"""Models: the authors' parameter counts, heads, and weights from files."""

from pathlib import Path

import pytest
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.heads import SubCenters
from naflora_etl.learning.models import count_parameters, make_model
from naflora_etl.learning.options import ModelOptions
from naflora_etl.learning.recipe import learn_recipe_names, read_learn_recipe
from naflora_etl.learning.zoo import import_timm

TINY = ModelOptions(arch="test_resnet")


def test_the_authors_log_to_the_last_parameter():
    """Their README logs 37,531,629 parameters in all, 37,377,757 of them trainable."""
    model = make_model(ModelOptions(arch="tf_efficientnetv2_s", head="mlp1024"), 15_501, shape=(256, 256))
    assert count_parameters(model) == (37_377_757, 153_872)
    assert sum(count_parameters(model)) == 37_531_629


@pytest.mark.parametrize(
    ("arch", "millions", "parameters"),
    [
        pytest.param("resnet50", 24, 23_508_032, id="Table 1, ResNet-50"),
        pytest.param("tf_efficientnetv2_s", 20, 20_177_488, id="Tables 1 and 2, V2-S"),
        pytest.param("vit_base_patch32_224", 86, 87_455_232, id="Table 1, ViT-B/32, one figure for both"),
        pytest.param("vit_base_patch16_224", 86, 85_798_656, id="Table 1, ViT-B/16"),
        pytest.param("tf_efficientnetv2_b1", 7, 6_860_052, id="Table 2, V2-B1"),
        pytest.param("tf_efficientnetv2_m", 53, 52_858_356, id="Table 2, V2-M"),
    ],
)
def test_the_tables_count_backbones_without_a_head(arch: str, millions: int, parameters: int):
    with torch.device("meta"):  # shapes alone: nothing is drawn
        backbone = import_timm().create_model(arch, num_classes=0)
    assert sum(weight.numel() for weight in backbone.parameters()) == parameters
    assert abs(parameters / 1e6 - millions) < 1.5


@pytest.mark.parametrize(
    ("arch", "shape"),
    [
        pytest.param("test_resnet", (64, 64), id="square"),
        pytest.param("test_efficientnet", (96, 64), id="rectangle"),
        pytest.param("test_vit", (96, 64), id="a transformer, at a size of its own"),
        pytest.param("mobilenetv3_small_050", (64, 64), id="wider behind its pooling"),
    ],
)
@pytest.mark.parametrize("head", ["linear", "mlp1024", "sub_center"])
def test_a_model_turns_sheets_into_logits(arch: str, shape: tuple[int, int], head: str):
    model = make_model(ModelOptions(arch=arch, head=head), 7, shape=shape).eval()
    assert model(torch.zeros((2, 3, *shape), dtype=torch.uint8)).shape == (2, 7)


@pytest.mark.parametrize(
    ("arch", "features"),
    [
        pytest.param("tv/alexnet", 4096, id="alexnet"),
        pytest.param("tv/squeezenet1_1", 512, id="squeezenet"),
        pytest.param("tv/shufflenet_v2_x1_0", 1024, id="shufflenet"),
    ],
)
def test_torchvisions_models_lose_their_last_layer(arch: str, features: int):
    model = make_model(ModelOptions(arch=arch), 7, shape=(64, 64)).eval()
    images = torch.zeros((2, 3, 64, 64), dtype=torch.uint8)
    assert model.features(images).shape == (2, features) and model(images).shape == (2, 7)


def test_rank_heads_stand_behind_the_species():
    model = make_model(TINY.model_copy(update={"rank_heads": True}), 7, shape=(32, 32), more_ranks=(4, 2)).eval()
    assert model(torch.zeros((2, 3, 32, 32), dtype=torch.uint8)).shape == (2, 7 + 4 + 2)


def test_the_nearest_of_several_centres_counts():
    head = SubCenters(2, 2, centers=2, scale=10)
    head.weight.data = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    assert head(torch.tensor([[0.0, 5.0]])).tolist() == [[10, 0]]


def test_a_frozen_backbone_neither_learns_nor_moves_its_norms():
    model = make_model(TINY.model_copy(update={"freeze": "backbone"}), 3, shape=(32, 32)).train()
    before = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    model(torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)).sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.backbone.state_dict().items())
    assert [name for name, weight in model.named_parameters() if weight.grad is not None] == [
        "head.1.weight",
        "head.1.bias",
    ]


def test_normalisation_is_imagenets_or_the_models_own():
    imagenet = make_model(TINY, 2, shape=(32, 32))
    assert imagenet.mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])
    own = make_model(ModelOptions(arch="tf_efficientnetv2_b0"), 2, shape=(32, 32), normalize="model")
    assert own.std.flatten().tolist() == pytest.approx([58.395, 57.12, 57.375])
    halves = make_model(ModelOptions(arch="test_vit"), 2, shape=(32, 32), normalize="model")
    assert halves.mean.flatten().tolist() == pytest.approx([127.5] * 3)


def test_an_unknown_arch_is_told_with_the_nearest():
    with pytest.raises(Fault, match=r"model\.arch = resnet5: timm has no such model; the nearest known one is resnet"):
        make_model(ModelOptions(arch="resnet5"), 2, shape=(32, 32))


def test_an_unknown_model_of_torchvision_is_told_with_the_nearest():
    with pytest.raises(Fault, match=r"tv/alexnett: torchvision has no such model; .* tv/alexnet\."):
        make_model(ModelOptions(arch="tv/alexnett"), 2, shape=(64, 64))


def test_a_knob_the_backbone_lacks_is_told():
    with pytest.raises(Fault, match=r"model\.arch = vgg11 does not take .*drop_path_rate"):
        make_model(ModelOptions(arch="vgg11", drop_path=0.1), 2, shape=(32, 32))


@pytest.mark.parametrize("kind", ["state dict", "checkpoint of a run", "safetensors"])
def test_weights_come_from_a_file_whatever_head_they_had(kind: str, tmp_path: Path):
    torch.manual_seed(1)
    source = make_model(TINY, 3, shape=(32, 32))
    if kind == "state dict":
        path = tmp_path / "weights.pth"
        torch.save({**source.backbone.state_dict(), "fc.weight": torch.zeros(1000, 96)}, path)
    elif kind == "checkpoint of a run":
        path = tmp_path / "last.pt"
        torch.save({"model": source.state_dict(), "step": 3}, path)
    else:
        from safetensors.torch import save_file

        path = tmp_path / "model.safetensors"
        save_file(source.backbone.state_dict(), path)
    loaded = make_model(TINY.model_copy(update={"weights": str(path)}), 9, shape=(32, 32))
    for name, tensor in source.backbone.state_dict().items():
        assert torch.equal(tensor, loaded.backbone.state_dict()[name])


def test_the_same_network_under_another_writers_names_is_taken_in_order(tmp_path: Path):
    source = make_model(TINY, 3, shape=(32, 32)).backbone.state_dict()
    renamed = {f"theirs.{number}": tensor for number, tensor in enumerate(source.values())}
    torch.save({**renamed, "theirs.fc": torch.zeros(1000, 96)}, tmp_path / "w.pth")
    loaded = make_model(TINY.model_copy(update={"weights": str(tmp_path / "w.pth")}), 3, shape=(32, 32))
    assert all(torch.equal(tensor, source[name]) for name, tensor in loaded.backbone.state_dict().items())


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        pytest.param(None, "w.pt", "no such file; it may also be none or hub", id="missing"),
        pytest.param(b"hello", "w.pt", "cannot be read as weights", id="no weights at all"),
        pytest.param(b"hello, hello", "w.safetensors", "cannot be read as weights", id="no safetensors"),
        pytest.param(
            "other", "w.pt", r"does not fit this backbone: \d+ of its \d+ tensors .*first conv1", id="other arch"
        ),
    ],
)
def test_unusable_weights_are_told(content: bytes | str | None, name: str, message: str, tmp_path: Path):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "other":
        torch.save(make_model(ModelOptions(arch="test_vit"), 3, shape=(32, 32)).backbone.state_dict(), path)
    with pytest.raises(Fault, match=message):
        make_model(TINY.model_copy(update={"weights": str(path)}), 3, shape=(32, 32))


def test_every_recipe_names_a_model_and_weights_that_timm_knows():
    pretrained = set(import_timm().list_pretrained())
    for name in learn_recipe_names():
        options = read_learn_recipe(name).model
        if options.weights == "hub" and not options.arch.startswith("tv/"):
            assert options.arch in pretrained, name
        elif not options.arch.startswith("tv/"):
            assert import_timm().is_model(options.arch), name
