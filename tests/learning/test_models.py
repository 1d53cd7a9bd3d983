"""Models: the authors' parameter counts, heads, and weights from files."""

from pathlib import Path

import pytest
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.models import count_parameters, make_model
from naflora_etl.learning.recipe import ModelOptions

TINY = ModelOptions(arch="test_resnet")


def test_the_authors_log_to_the_last_parameter():
    """Their README logs 37,531,629 parameters in all, 37,377,757 of them trainable."""
    model = make_model(ModelOptions(arch="tf_efficientnetv2_s", head="mlp1024"), 15_501, shape=(256, 256))
    assert count_parameters(model) == (37_377_757, 153_872)
    assert sum(count_parameters(model)) == 37_531_629


@pytest.mark.parametrize(
    ("arch", "shape"),
    [
        pytest.param("test_resnet", (64, 64), id="square"),
        pytest.param("test_efficientnet", (96, 64), id="rectangle"),
        pytest.param("test_vit", (96, 64), id="a transformer, at a size of its own"),
        pytest.param("mobilenetv3_small_050", (64, 64), id="wider behind its pooling"),
    ],
)
@pytest.mark.parametrize("head", ["linear", "mlp1024"])
def test_a_model_turns_sheets_into_logits(arch: str, shape: tuple[int, int], head: str):
    model = make_model(ModelOptions(arch=arch, head=head), 7, shape=shape).eval()
    assert model(torch.zeros((2, 3, *shape), dtype=torch.uint8)).shape == (2, 7)


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
