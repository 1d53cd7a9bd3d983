"""Zero-shot: classes named in words, sheets put to the nearest; on a release, or a benchmark's table of paths."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.cabinet.inference import read_sheet
from naflora_etl.learning.captions import TRAINING_TYPES, Row, biotrove_texts, check_template, fill_template
from naflora_etl.learning.contrast.features import compute_features
from naflora_etl.learning.contrast.texts import rows_of
from naflora_etl.learning.contrast.towers import Towers, import_open_clip
from naflora_etl.learning.data import SheetDataset
from naflora_etl.learning.recipe import DataOptions
from naflora_etl.learning.releases import Integers, Part, Release, open_release

PROMPT_SETS = ("plain", "clip80", "taxonomic")
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
AT_ONCE = 256
"""Texts."""
PATHS = ("path", "filepath", "file", "image")


@dataclass(frozen=True)
class ZeroShot:
    """How well words alone name sheets."""

    images: int
    classes: int
    prompts: str
    top1: float
    top5: float
    """Or among all classes, where there are fewer than five."""
    chance: float
    set_aside: dict[str, int]
    """Images that were not there or could not be read."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        aside = ", ".join(f"{issue} {count}" for issue, count in self.set_aside.items())
        return (
            f"{self.images} images of {self.classes} classes, prompts {self.prompts}: top-1 {self.top1:.2%}, top-5 "
            f"{self.top5:.2%} (one of the classes at random: {self.chance:.2%})"
            + (f"; set aside: {aside}." if aside else ".")
        )


def class_prompts(rows: Sequence[Row], prompts: str) -> list[list[str]]:
    """Return the prompts of each class, a row each.

    plain: "a photo of {scientificName}."; clip80: open_clip's 80 of ImageNet; taxonomic: those of BioTrove's five
    training texts that the class has; or a template of one's own.
    """
    if prompts == "plain":
        return [[biotrove_texts(row)["sci"]] for row in rows]
    if prompts == "taxonomic":
        return [[text for kind, text in biotrove_texts(row).items() if kind in TRAINING_TYPES] for row in rows]
    if prompts == "clip80":
        templates = import_open_clip().OPENAI_IMAGENET_TEMPLATES
        return [[template(fill_template("{scientificName}", row)) for template in templates] for row in rows]
    check_template(prompts, sorted({column for row in rows for column in row}), "prompts")
    return [[fill_template(prompts, row)] for row in rows]


@torch.inference_mode()
def class_vectors(towers: Towers, prompts: Sequence[Sequence[str]]) -> torch.Tensor:
    """Return classes x D: the mean of each class's unit vectors, made a unit vector again (Radford et al. 2021).

    The towers are in evaluation mode afterwards.
    """
    towers.eval()
    texts = [text for some in prompts for text in some]
    of_class = torch.tensor([number for number, some in enumerate(prompts) for _ in some], device=towers.mean.device)
    read = torch.cat([towers.read(texts[start : start + AT_ONCE]) for start in range(0, len(texts), AT_ONCE)])
    sums = read.new_zeros(len(prompts), read.shape[1]).index_add_(0, of_class, read)
    return torch.nn.functional.normalize(sums, dim=-1)


def class_rows(release: Release, names: str = "none") -> dict[int, Row]:
    """Return a row of the manifest for each class that has images, by class_id in order."""
    rows = (*rows_of(release.part("train"), names), *rows_of(release.part("test"), names))
    by_class: dict[int, Row] = {row["class_id"]: row for row in rows}
    return dict(sorted(by_class.items()))


def rank(features: torch.Tensor, classes: torch.Tensor, k: int = 5) -> Integers:
    """Return sheets x k (or x classes, when fewer): the nearest classes, the nearest first."""
    similar = features @ classes.T
    return np.asarray(similar.topk(min(k, len(classes))).indices.cpu().numpy(), np.int64)


def judge(ranked: Integers, truth: Integers, classes: int, prompts: str, aside: dict[str, int]) -> ZeroShot:
    """Return the score of ranked classes."""
    hits = ranked == truth[:, None]
    return ZeroShot(
        images=len(truth),
        classes=classes,
        prompts=prompts,
        top1=float(hits[:, 0].mean()),
        top5=float(hits.any(axis=1).mean()),
        chance=1 / classes,
        set_aside=aside,
    )


def zeroshot_release(
    towers: Towers,
    data: DataOptions,
    release: Path,
    *,
    prompts: str,
    names: str = "none",
    workers: int = 0,
    progress: Progress,
) -> ZeroShot:
    """Score the test part of a release; raises Fault for an empty one."""
    opened = open_release(release)
    part = opened.part("test")
    if not len(part):
        raise Fault(f"{release} has no test images, so there is nothing to name.")
    rows = class_rows(opened, names)
    vectors = class_vectors(towers, class_prompts(list(rows.values()), prompts))
    with closing(SheetDataset(part, data.model_copy(update={"size_px": towers.shape}))) as dataset:
        features = compute_features(towers, dataset, batch=64, workers=workers, progress=progress)
    return judge(rank(features, vectors.cpu()), places_of(part, rows), len(rows), prompts, {})


def places_of(part: Part, rows: Mapping[int, Row]) -> Integers:
    """Return the place of each sheet's class among the classes that are named."""
    place = {number: at for at, number in enumerate(rows)}
    return np.array([place[number] for number in part.class_ids.tolist()], np.int64)


def zeroshot_table(
    towers: Towers,
    data: DataOptions,
    path: Path,
    *,
    prompts: str,
    taxon: str | None = None,
    class_column: str = "scientificName",
    progress: Progress,
) -> ZeroShot:
    """Score a benchmark's CSV: a path an image (seen from the file's folder), ranks, and the class in `class_column`.

    Several columns with commas are one class ("common_name,stage"). `taxon` keeps the rows that have it at any rank.
    An image that is not there or cannot be read is set aside and counted. Raises Fault for a table of other columns.
    """
    rows, columns = _read_table(path, class_column), class_column.split(",")
    if taxon:
        rows = [row for row in rows if taxon.lower() in {str(row.get(rank, "")).lower() for rank in RANKS}]
        if not rows:
            raise Fault(f"{path}: no row has {taxon} as its {', '.join(RANKS[:-1])} or {RANKS[-1]}.")
    of_row = [" ".join(row[column] for column in columns) for row in rows]
    known = sorted(set(of_row))
    first = {name: row for name, row in reversed(list(zip(of_row, rows, strict=True)))}
    named = [first[name] for name in known]
    if class_column != "scientificName":
        named = [row | {"taxon_name": name, "scientificName": name} for row, name in zip(named, known, strict=True)]
    vectors = class_vectors(towers, class_prompts(named, prompts))
    options = data.model_copy(update={"size_px": towers.shape})
    column = next(column for column in PATHS if column in rows[0])
    truth, ranked, aside = [], [], dict[str, int]()
    for done, (row, name) in enumerate(zip(rows, of_row, strict=True), start=1):
        sheet = read_sheet(path.parent / row[column], options)
        if isinstance(sheet, str):
            aside[sheet] = aside.get(sheet, 0) + 1
            continue
        with torch.inference_mode():
            seen = towers.see(torch.from_numpy(sheet).permute(2, 0, 1)[None].to(towers.mean.device))
        ranked.append(rank(seen, vectors)[0])
        truth.append(known.index(name))
        progress(done, len(rows))
    if not truth:
        raise Fault(f"{path}: none of its {len(rows)} images could be read; paths are seen from {path.parent}.")
    return judge(np.stack(ranked), np.array(truth, np.int64), len(known), prompts, aside)


def _read_table(path: Path, class_column: str) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [{key: value or "" for key, value in row.items() if key} for row in csv.DictReader(stream)]
    except FileNotFoundError:
        raise Fault(f"{path}: no such benchmark; give a CSV with a path an image and {class_column}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Fault(f"{path} cannot be read as a CSV file ({reason}).") from None
    if not rows:
        raise Fault(f"{path} holds no rows.")
    missing = [column for column in class_column.split(",") if column not in rows[0]]
    if not any(column in rows[0] for column in PATHS):
        missing.append(f"{' or '.join(PATHS)}")
    if missing:
        raise Fault(f"{path} has no column {', '.join(missing)}; it has {', '.join(rows[0])}.")
    return rows
