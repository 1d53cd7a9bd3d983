"""From a run to a folder that needs no torch: weights, ONNX, labels, card, and a calibration on held-out sheets."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from naflora_etl import __version__
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.engine.tables import read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.cabinet.card import card_text
from naflora_etl.learning.cabinet.exported import Exported, make_labels
from naflora_etl.learning.cabinet.heldout import calibrate_on
from naflora_etl.learning.releases import Part, check_same_classes, open_release
from naflora_etl.learning.runs import Run
from naflora_etl.learning.warp import sheet_shape

OPSET = 18
FEWEST = 10


class Telling(nn.Module):
    """A model that tells probabilities."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return B x classes, rows sum to 1."""
        told: torch.Tensor = self.model(images).softmax(dim=-1)
        return told


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    exported: Exported
    onnx_bytes: int

    def __str__(self) -> str:
        size = f"{self.exported.folder}: {len(self.exported.labels)} classes, model.onnx {self.onnx_bytes / 1e6:.1f} MB"
        if not self.exported.calibration:
            return f"{size}; not calibrated (give held-out sheets with --calibrate RELEASE)."
        fitted = self.exported.calibration
        held = fitted.measured["0.9"]
        return (
            f"{size}; calibrated on {fitted.sheets} sheets: temperature {fitted.temperature:.2f}, sets of 90 % held "
            f"the right species in {held['coverage']:.1%} and have {held['species']:.1f} species."
        )


def export_run(
    run: Path, out: Path, *, calibrate: Path | None = None, force: bool = False, progress: Progress | None = None
) -> ExportResult:
    """Write the last checkpoint of `run` as a model folder, `out`, and calibrate it on the test part of a release.

    Raises Fault for a run or a release that cannot be used, for other classes, for a folder that holds a model already
    (unless `force` is to write over it), and for one of something else. model.json is written last, so a folder
    without it is no model.
    """
    folder = Run.open(Path(run))
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / "labels.csv").is_file()):
        raise Fault(f"{out} is not empty and holds no exported model; give a new or an empty folder.")
    if (out / "model.json").is_file() and not force:
        raise Fault(f"{out} holds an exported model already; name a new folder, or write over it with --force.")
    if importlib.util.find_spec("onnxscript") is None:
        raise Fault("export needs onnxscript; install the extra: pip install 'naflora-etl[export]'.")
    part = _held_out(folder, calibrate) if calibrate else None
    recipe, model = folder.recipe(), folder.load_model().eval()
    onnx = onnx_bytes(model, sheet_shape(recipe.data))
    exported = Exported(
        folder=out,
        name=recipe.name,
        arch=recipe.model.arch,
        made_by=f"naflora_etl {__version__}",
        release_manifest_sha256=json.loads((folder.folder / "run.json").read_text())["release"],
        onnx_sha256=hashlib.sha256(onnx).hexdigest(),
        labels=make_labels(read_parquet(folder.folder / "classes.parquet").sort_by("class_id").to_pylist()),
        data=recipe.data,
        calibration=None,
    )
    target = Workspace(str(out))
    (out / "model.json").unlink(missing_ok=True)
    target.write("model.onnx", onnx)
    target.write("model.safetensors", save(model.state_dict(), metadata={"format": "pt"}))
    target.write("labels.csv", exported.labels_text().encode())
    if part:
        exported = replace(exported, calibration=calibrate_on(exported, part, progress or Progress()))
    target.write("README.md", card_text(exported, _evaluation(folder)).encode())
    target.write("model.json", exported.facts_text().encode())
    return ExportResult(exported, len(onnx))


def onnx_bytes(model: nn.Module, shape: tuple[int, int]) -> bytes:
    """Return the model as ONNX: `images`, N x 3 x height x width uint8, to `probabilities`, N x classes float32."""
    import onnx

    example = torch.zeros((2, 3, *shape), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own parts
        program = torch.onnx.export(
            Telling(model).eval(),
            (example,),
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_shapes={"images": {0: torch.export.Dim("sheets")}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    proto: Any = program.model_proto  # type: ignore[union-attr]
    # the exporter notes where in whose files each step was written
    graph = proto.graph
    for noted in (proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del noted.metadata_props[:]
        noted.doc_string = ""
    onnx.checker.check_model(proto)
    told: bytes = proto.SerializeToString(deterministic=True)
    return told


def _held_out(run: Run, release: Path) -> Part:
    """Return the test part of a release of the run's classes: sheets that the model has not seen."""
    opened = open_release(release)
    check_same_classes(run.classes(), opened.classes, run=run.folder, release=opened.folder)
    part = opened.part("test")
    if len(part) < FEWEST:
        raise Fault(f"{release} has {len(part)} test images; a calibration wants at least {FEWEST}, better hundreds.")
    return part


def _evaluation(run: Run) -> dict[str, Any] | None:
    path = run.folder / "evaluation.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.is_file() else None
    return found
