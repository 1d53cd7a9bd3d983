"""The folder of an exported model: what lies in it, written and read back without torch.

model.onnx         sheets, N x 3 x H x W uint8, to probabilities, N x classes; normalisation and softmax inside
model.safetensors  the same weights for timm
labels.csv         class_id, taxon_id, taxon_name, taxon_authors, genus, family
model.json         how a sheet becomes what the model sees, and the calibration
README.md          the model card
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.cabinet.calibration import Calibration
from naflora_etl.learning.recipe import DataOptions
from naflora_etl.learning.releases import Classes

FORMAT, VERSION = "naflora-model", 1
FACTS = ("name", "arch", "made_by", "release_manifest_sha256", "onnx_sha256")
LABEL_COLUMNS = ("class_id", "taxon_id", "taxon_name", "taxon_authors", "genus", "family")


@dataclass(frozen=True)
class Label:
    """One class of a model."""

    class_id: int
    taxon_id: str
    taxon_name: str
    taxon_authors: str
    genus: str
    family: str


@dataclass(frozen=True)
class Exported:
    """An exported model, looked at but not loaded."""

    folder: Path
    name: str
    arch: str
    made_by: str
    release_manifest_sha256: str
    onnx_sha256: str
    labels: tuple[Label, ...]
    data: DataOptions
    calibration: Calibration | None

    @property
    def title(self) -> str:
        """Name and the first of its digest, by which an identification tells who made it."""
        return f"{self.name} ({self.onnx_sha256[:12]})"

    def classes(self) -> Classes:
        """Return the labels as the classes of a release."""
        columns = ("taxon_name", "genus", "family")
        return Classes(*(tuple(getattr(label, column) for label in self.labels) for column in columns))

    def labels_text(self) -> str:
        """Return labels.csv."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(LABEL_COLUMNS)
        writer.writerows([getattr(label, column) for column in LABEL_COLUMNS] for label in self.labels)
        return text.getvalue()

    def facts_text(self) -> str:
        """Return model.json."""
        facts = {
            "format": FORMAT,
            "version": VERSION,
            **{name: getattr(self, name) for name in FACTS},
            "data": self.data.model_dump(mode="json"),
            "calibration": self.calibration.as_dict() if self.calibration else None,
        }
        return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def make_labels(rows: list[dict[str, Any]]) -> tuple[Label, ...]:
    """Return the labels of a classes table's rows, in their order; ids and authors may be missing."""
    return tuple(Label(row["class_id"], *(str(row.get(column) or "") for column in LABEL_COLUMNS[1:])) for row in rows)


def read_exported(folder: Path) -> Exported:
    """Read the folder that `naflora export` wrote; raises Fault for anything else, and for a damaged one."""
    if (folder / "run.json").is_file():
        raise Fault(f"{folder} is a run; `naflora export {folder} --out MODEL` makes a model of it.")
    told = _read_facts(folder)
    if told.get("format") != FORMAT or told.get("version") != VERSION:
        found = f"{told.get('format', 'no format')} {told.get('version', '')}".strip()
        raise Fault(
            f"{folder}/model.json is of {found}, and this program reads {FORMAT} {VERSION}; export the run anew."
        )
    try:
        calibration = Calibration(**told["calibration"]) if told["calibration"] else None
        exported = Exported(
            folder=folder,
            **{name: told[name] for name in FACTS},
            labels=_read_labels(folder / "labels.csv"),
            data=DataOptions.model_validate(told["data"]),
            calibration=calibration,
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        line = str(error).splitlines()[0]
        raise Fault(
            f"{folder}/model.json or labels.csv is not as it was written ({line}); export the run anew."
        ) from None
    if not (folder / "model.onnx").is_file():
        raise Fault(f"{folder} has no model.onnx; export the run anew.")
    if hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest() != exported.onnx_sha256:
        raise Fault(f"{folder}/model.onnx is not the file that was exported (another sha256); export the run anew.")
    return exported


def _read_facts(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    if not path.is_file():
        raise Fault(f"{folder} holds no exported model (no model.json); `naflora export RUN --out DIR` makes one.")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Fault(f"{path} is not as it was written ({error}); export the run anew.") from None
    return told if isinstance(told, dict) else {}


def _read_labels(path: Path) -> tuple[Label, ...]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    labels = tuple(Label(int(row["class_id"]), *(row[column] for column in LABEL_COLUMNS[1:])) for row in rows)
    if [label.class_id for label in labels] != list(range(len(rows))):
        raise ValueError("labels.csv does not count its classes from 0")
    return labels
