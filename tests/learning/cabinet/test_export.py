"""Exporting a run: the same answers without torch, and what is refused."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.cabinet.export import export_run
from naflora_etl.learning.cabinet.exported import read_exported
from naflora_etl.learning.cabinet.inference import Classifier
from naflora_etl.learning.data import SheetDataset
from naflora_etl.learning.releases import open_release
from naflora_etl.learning.runs import Run


def test_the_onnx_file_tells_what_torch_tells(run: Path, model: Path, release: Path):
    network, part = Run.open(run).load_model().eval(), open_release(release).part("test")
    with closing(SheetDataset(part, Run.open(run).recipe().data)) as dataset:
        sheets = [dataset[number][0] for number in range(len(part))]
    with torch.inference_mode():
        images = torch.from_numpy(np.stack(sheets)).permute(0, 3, 1, 2)
        wanted = network(images).softmax(dim=-1).numpy()
    classifier = Classifier(read_exported(model))
    assert np.abs(classifier.raw(sheets) - wanted).max() < 1e-5
    # one at a time too: the number of sheets is free
    np.testing.assert_allclose(classifier.raw(sheets[:1]), wanted[:1], atol=1e-5)


def test_a_model_is_not_written_over_unasked(run: Path, model: Path):
    before = (model / "model.json").read_bytes()
    with pytest.raises(
        Fault, match=r"holds an exported model already; name a new folder, or write over it with --force"
    ):
        export_run(run, model)
    assert (model / "model.json").read_bytes() == before


def test_a_model_is_written_over_by_force(run: Path, tmp_path: Path):
    export_run(run, tmp_path / "model")
    (tmp_path / "model" / "labels.csv").write_text("spoilt")
    assert len(export_run(run, tmp_path / "model", force=True).exported.labels) == 6
    assert "Carex" in (tmp_path / "model" / "labels.csv").read_text()


def test_the_weights_are_the_runs(run: Path, model: Path):
    wanted = Run.open(run).load_model().state_dict()
    found = load_file(model / "model.safetensors")
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_labels_carry_genus_and_family(model: Path):
    lines = (model / "labels.csv").read_text().splitlines()
    assert lines[0] == "class_id,taxon_id,taxon_name,taxon_authors,genus,family"
    assert lines[3] == "2,,Carex alba,,Carex,Cyperaceae"


def test_the_calibration_stands_beside(model: Path):
    told = json.loads((model / "model.json").read_text())
    assert (told["format"], told["version"]) == ("naflora-model", 1)
    assert told["calibration"]["sheets"] == 18
    assert list(told["calibration"]["thresholds"]) == ["0.8", "0.9", "0.95", "0.99"]
    assert told["calibration"]["thresholds"]["0.99"] == 0.0  # 18 sheets cannot promise it, so every species stands
    assert read_exported(model).calibration.as_dict() == told["calibration"]


def test_the_card_says_what_it_is_and_how_far_to_trust_it(model: Path):
    card = (model / "README.md").read_text()
    assert "6 species of 3 genera and\n3 families" in card
    assert "Not evaluated before it was exported" in card
    assert "Calibrated on 18 held-out sheets" in card


def test_nothing_in_it_tells_of_the_machine(model: Path):
    graph = onnx.load(model / "model.onnx").graph
    assert not any(node.metadata_props or node.doc_string for node in graph.node)
    assert b"site-packages" not in (model / "model.onnx").read_bytes()


@pytest.mark.slow
def test_exporting_twice_gives_the_same_bytes(run: Path, model: Path, release: Path, tmp_path: Path):
    export_run(run, tmp_path / "again", calibrate=release)
    for path in model.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_what_cannot_be_exported_is_refused_and_nothing_written(
    run: Path, model: Path, make_release: Callable[..., Path], tmp_path: Path
):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    with pytest.raises(Fault, match="has 5; they differ first at class 5"):
        export_run(run, model, calibrate=make_release(classes=5), force=True)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    with pytest.raises(Fault, match=r"holds no run; `naflora train` makes one\.$"):
        export_run(tmp_path, tmp_path / "out")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Fault, match=r"is not empty and holds no exported model; give a new or an empty folder\.$"):
        export_run(run, tmp_path)


def test_few_sheets_calibrate_nothing(run: Path, make_release: Callable[..., Path], tmp_path: Path):
    with pytest.raises(Fault, match=r"has 6 test images; a calibration wants at least 10, better hundreds\.$"):
        export_run(run, tmp_path / "out", calibrate=make_release(test=1))


ANEW = "export the run anew."


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("model.json", ('"version": 1', '"version": 9'),
         f"model.json is of naflora-model 9, and this program reads naflora-model 1; {ANEW}"),
        ("model.json", ("format", "shape"),
         f"model.json is of no format 1, and this program reads naflora-model 1; {ANEW}"),
        ("model.json", ('"format"', ""),
         f"model.json is not as it was written (Expecting property name enclosed in double quotes: line 2 "
         f"column 3 (char 4)); {ANEW}"),
        ("model.json", ('"fit": "pad"', '"fit": "bend"'),
         f"model.json or labels.csv is not as it was written (1 validation error for DataOptions); {ANEW}"),
        ("labels.csv", ("2,,Carex", "7,,Carex"),
         f"is not as it was written (labels.csv does not count its classes from 0); {ANEW}"),
        ("labels.csv", ("5,,Viola odorata,,Viola,Violaceae\n", ""),
         f"where model.json and labels.csv say [3, 48, 48] and 5; {ANEW}"),
        ("model.onnx", ("pytorch", "pitorch"),
         f"model.onnx is not the file that was exported (another sha256); {ANEW}"),
    ],
    ids=["another version", "no format", "cut short", "unknown knob", "unknown labels", "a label less", "damaged"],
)  # fmt: skip
def test_a_model_of_another_kind_is_refused(model: Path, tmp_path: Path, name, change, sentence):
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (tmp_path / name).read_bytes().decode("latin-1")
    assert change[0] in text
    (tmp_path / name).write_bytes(text.replace(*change).encode("latin-1"))
    with pytest.raises(Fault) as refusal:
        Classifier(read_exported(tmp_path))
    assert str(refusal.value).endswith(sentence)


def test_a_run_and_an_empty_folder_are_no_models(run: Path, tmp_path: Path):
    with pytest.raises(Fault, match=r"is a run; `naflora export .* --out MODEL` makes a model of it\.$"):
        read_exported(run)
    with pytest.raises(Fault, match=r"holds no exported model \(no model\.json\); `naflora export RUN --out DIR`"):
        read_exported(tmp_path)
