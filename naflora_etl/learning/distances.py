"""How far apart classes are: the distances of their genera, from a file or from the taxonomy alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.releases import Classes

Distances = npt.NDArray[np.float64]
COLUMNS = ["genus_a", "genus_b", "distance"]


def class_distances(source: str, classes: Classes) -> Distances:
    """Return the distance between the genera of any two classes, classes x classes, 0 within a genus.

    `source` is a CSV `genus_a,genus_b,distance` that names every pair once in either order, the train_metadata.json of
    a release (or of Herbarium 2022, whose data came with patristic distances), or `taxonomy`: 0.5 within a family, 1
    beyond. Raises Fault.
    """
    genera = sorted(set(classes.genus))
    if source == "taxonomy":
        family = dict(zip(classes.genus, classes.family, strict=True))
        table = np.array([[0.5 if family[a] == family[b] else 1.0 for b in genera] for a in genera])
        np.fill_diagonal(table, 0)
    else:
        table = _read(Path(source), genera)
    groups = classes.groups("genus")
    return table[np.ix_(groups, groups)]


def _read(path: Path, genera: list[str]) -> Distances:
    places = {name: place for place, name in enumerate(genera)}
    table = np.full((len(genera), len(genera)), np.nan)
    np.fill_diagonal(table, 0)
    try:
        for one, other, distance in _pairs_of_json(path) if path.suffix == ".json" else _pairs_of_csv(path):
            a, b = places.get(one), places.get(other)
            if a is not None and b is not None and a != b:
                table[a, b] = table[b, a] = float(distance)
    except FileNotFoundError:
        raise Fault(f"loss.distances = {path}: no such file; it may also be taxonomy.") from None
    except (ValueError, TypeError, KeyError, OSError, csv.Error) as error:
        raise Fault(f"{path} cannot be read as a table of distances ({error}).") from None
    missing = np.argwhere(np.isnan(table))
    if len(missing):
        a, b = missing[0]
        raise Fault(f"{path} lacks {len(missing) // 2} pairs of genera, first {genera[a]} and {genera[b]}.")
    if (table < 0).any():
        raise Fault(f"{path} has distances below 0.")
    return table


def _pairs_of_csv(path: Path) -> Iterator[tuple[str, str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        if rows.fieldnames is None or not set(COLUMNS) <= set(rows.fieldnames):
            raise Fault(f"{path} must have the columns {', '.join(COLUMNS)}.")
        for row in rows:
            yield row["genus_a"], row["genus_b"], row["distance"]


def _pairs_of_json(path: Path) -> Iterator[tuple[str, str, float]]:
    told = json.loads(path.read_text(encoding="utf-8"))
    names = {row["genus_id"]: row["genus"] for row in told["genera"]}
    for row in told["distances"]:
        yield names[row["genus_id_x"]], names[row["genus_id_y"]], row["distance"]
