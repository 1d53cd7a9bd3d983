"""split: decide which images are trained on and which are tested on, and number the classes.

reads   images, taxa
writes  split          one row per image with its part and class, or set aside with a reason
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.stage import Stage
from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.draw import draw_keys
from naflora_etl.selecting.groups import join_groups
from naflora_etl.selecting.keys import Integers, encode_keys
from naflora_etl.selecting.parts import assign_parts

STAYS, DUPLICATE, IN_SEVERAL, TOO_FEW = range(4)
ISSUE_OF = pa.array([None, "DUPLICATE_IMAGE", "IMAGE_IN_SEVERAL_CLASSES", "TOO_FEW_IMAGES"], pa.string())


def split_images(images: pa.Table, taxa: pa.Table, *, options: SplitOptions) -> pa.Table:
    """Set aside exact duplicates and species with too few images, then split the rest by groups of one gathering.

    Images of one specimen, of one gathering, or with the same fetched bytes within a species never stand in different
    parts, nor do images that are bound through others, set aside or not. A class is numbered by the alphabet of the
    accepted names of the species that stay (ties: taxon_id).
    """
    rows = images.select(["image_key", "taxon_id", "specimen_key", "gathering_key", "source_sha256"])
    rows = rows.sort_by([("taxon_id", "ascending"), ("image_key", "ascending")])
    taxon = encode_keys(rows["taxon_id"])
    issue = _find_duplicates(taxon, encode_keys(rows["source_sha256"]))
    groups = _join_images(rows, issue)

    issue[_is_of_small_class(taxon, issue, options.minimum)] = TOO_FEW
    stays = np.flatnonzero(issue == STAYS)
    draw = draw_keys(rows["image_key"].take(pa.array(stays)), salt="split", seed=options.seed)
    parts = assign_parts(taxon[stays], groups[stays], draw, options=options)
    issue[stays[~parts.is_feasible]] = TOO_FEW

    is_test = np.zeros(len(rows), dtype=bool)
    is_test[stays] = parts.is_test
    clean = pa.array(issue == STAYS)
    part = pc.if_else(clean, pc.if_else(pa.array(is_test), "test", "train"), pa.scalar(None, pa.string()))
    return (
        rows.drop_columns(["source_sha256"])
        .append_column("class_id", _number_classes(rows["taxon_id"], clean, taxa))
        .append_column("part", part)
        .append_column("issue", ISSUE_OF.take(pa.array(issue)))
    )


def _find_duplicates(taxon: Integers, bytes_: Integers) -> Integers:
    """Return each row's verdict: of the same bytes in one species the first row stays, in several species none does."""
    issue = np.full(len(taxon), STAYS, dtype=np.int64)
    known = np.flatnonzero(bytes_ >= 0)
    _, first, number = np.unique(bytes_[known], return_index=True, return_inverse=True)
    first_row = known[first][number]
    issue[known[first_row != known]] = DUPLICATE
    in_several = np.zeros(len(first), dtype=bool)
    in_several[number[taxon[known] != taxon[first_row]]] = True
    issue[known[in_several[number]]] = IN_SEVERAL
    return issue


def _join_images(rows: pa.Table, issue: Integers) -> Integers:
    """Return the group of each image. Bytes that stand in several species bind nothing: often a placeholder picture."""
    bytes_ = encode_keys(rows["source_sha256"])
    bytes_[issue == IN_SEVERAL] = -1
    return join_groups(encode_keys(rows["specimen_key"]), encode_keys(rows["gathering_key"]), bytes_)


def _is_of_small_class(taxon: Integers, issue: Integers, minimum: int) -> NDArray[np.bool_]:
    """Return which images stay in a species of which fewer than `minimum` do."""
    stays = issue == STAYS
    images = np.bincount(taxon[stays], minlength=len(taxon))
    return np.asarray(stays & (images[taxon] < minimum))


def _number_classes(taxon_ids: pa.ChunkedArray, clean: pa.Array, taxa: pa.Table) -> pa.Array:
    """Return the class of each image: the place of its species among those that stay, by accepted name."""
    names: dict[str, str] = {}
    for taxon_id, name in zip(taxa["taxon_id"].to_pylist(), taxa["taxon_name"].to_pylist(), strict=True):
        if name is not None:
            names[taxon_id] = min(name, names.get(taxon_id, name))
    classes = pc.unique(taxon_ids.filter(clean)).to_pylist()
    nameless = sorted(set(classes) - set(names))
    if nameless:
        raise Fault(f"split: taxa has no accepted name for {nameless[0]}, which has images; build taxa anew.")
    classes.sort(key=lambda taxon_id: (names[taxon_id], taxon_id))
    number = pc.index_in(taxon_ids, pa.array(classes, pa.string())).cast(pa.int64())
    return pc.if_else(clean, number, pa.scalar(None, pa.int64()))


STAGE = Stage("split", reads=("images", "taxa"), run=split_images, accounts_for="image_key")
