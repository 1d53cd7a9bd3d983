"""Predictions of a model on a part of a release: the likeliest classes of every sheet, in one small file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes, read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.releases import Classes, Integers, Part, check_same_species

Floats = npt.NDArray[np.float32]
KEPT = 50
"""Classes kept a sheet; all 15,501 of NAFlora-1M would be 13 GB."""
COLUMNS = ["image_key", "class_ids", "log_odds"]


@dataclass(frozen=True)
class Predictions:
    """The likeliest classes of each sheet, the likeliest first, with the logarithm of their odds among all classes."""

    image_keys: tuple[str, ...]
    class_ids: Integers
    """Sheets x kept."""
    log_odds: Floats
    """Sheets x kept, falling along each row; what is missing to 1 belongs to the classes that were not kept."""
    classes: tuple[str, ...]
    """Species that the model tells apart, in its order."""
    told: dict[str, object]
    """How they were made: run, parameters, minutes and the like."""

    def __len__(self) -> int:
        return len(self.image_keys)

    def of(self, part: Part, classes: Classes) -> Predictions:
        """Return the same in the order of `part`; raises Fault unless they are of its sheets and of these classes."""
        check_same_species(self.classes, classes.species, "the predictions", "the release")
        places = {key: place for place, key in enumerate(self.image_keys)}
        missing = [key for key in part.image_keys if key not in places]
        if missing:
            raise Fault(f"the predictions lack {len(missing)} of {len(part)} images, first {missing[0]}; predict anew.")
        order = np.array([places[key] for key in part.image_keys], dtype=np.int64)
        return Predictions(part.image_keys, self.class_ids[order], self.log_odds[order], self.classes, self.told)

    def write(self, path: Path) -> None:
        """Write them as Parquet (schemas/predictions.json), beside and renamed."""
        kept = self.class_ids.shape[1]
        offsets = pa.array(np.arange(len(self) + 1, dtype=np.int32) * kept)
        columns = {
            "image_key": pa.array(self.image_keys),
            "class_ids": pa.ListArray.from_arrays(offsets, pa.array(self.class_ids.ravel().astype(np.int32))),
            "log_odds": pa.ListArray.from_arrays(offsets, pa.array(self.log_odds.ravel().astype(np.float32))),
        }
        told = {"classes": json.dumps(self.classes), "told": json.dumps(self.told)}
        table = pa.table(columns).replace_schema_metadata(told)
        Workspace(str(path.parent)).write(path.name, parquet_bytes(table))


def read_predictions(path: Path) -> Predictions:
    """Read what `write` wrote; raises Fault for anything else."""
    if not path.is_file():
        raise Fault(f"{path}: no such file of predictions; `naflora predict` makes one.")
    try:
        table = read_parquet(path)
        told = {
            key.decode(): json.loads(value) for key, value in (table.schema.metadata or {}).items() if key != b"pandas"
        }
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Fault(f"{path} cannot be read as predictions ({str(error).splitlines()[0]}).") from None
    if table.column_names != COLUMNS or "classes" not in told or not table.num_rows:
        raise Fault(f"{path} holds no predictions of `naflora predict`.")
    arrays = [np.stack(table[name].to_numpy()) for name in COLUMNS[1:]]
    keys = tuple(table["image_key"].to_pylist())
    return Predictions(keys, arrays[0].astype(np.int64), arrays[1], tuple(told["classes"]), told.get("told", {}))


def keep_likeliest(log_odds: Floats, kept: int = KEPT) -> tuple[Integers, Floats]:
    """Return (class_ids, log odds) of the `kept` likeliest classes of each row, or of all where there are fewer.

    Equal odds go by the number of the class.
    """
    kept = min(kept, log_odds.shape[1])
    order = np.argsort(-log_odds, axis=1, kind="stable")[:, :kept]
    return order, np.take_along_axis(log_odds, order, axis=1).astype(np.float32)
