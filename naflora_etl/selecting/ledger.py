"""The ledger of what was released: on which side an image stands for ever, and what may not come in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.selecting.groups import Pairs, join_groups
from naflora_etl.selecting.keys import Integers, Text

FREE, TRAIN, TEST = -1, 0, 1
MANIFEST = "manifest.parquet"
COLUMNS = ["image_key", "part", "taxon_id", "specimen_key", "gathering_key", "source_sha256", "dhash"]


def ledger_file(path: str) -> str:
    """Return the file of a ledger: the manifest in a release folder, or the file itself."""
    return str(Path(path) / MANIFEST) if Path(path).is_dir() else path


def read_ledgers(paths: Sequence[str], images: Text) -> pa.Table:
    """Return COLUMNS of everything in the ledgers; an image of several stands in it for each.

    Raises Fault when a ledger cannot be read, shares no image with `images` (then it is another recipe's), or when two
    of them have an image on different sides.
    """
    tables = []
    for path in paths:
        try:
            table = read_parquet(ledger_file(path), COLUMNS).select(COLUMNS)
        except FileNotFoundError:
            raise Fault(f"split.ledger: {path}: no such release folder or manifest.parquet.") from None
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            found = str(error).splitlines()[0]
            raise Fault(
                f"split.ledger: {path} cannot be read as a release's manifest.parquet ({found}); name an earlier "
                "release of this recipe."
            ) from None
        if set(pc.unique(table["part"]).to_pylist()) - {"train", "test"}:
            raise Fault(f"split.ledger: {path} has images that are neither train nor test; it is no manifest of ours.")
        if len(images) and not pc.any(pc.is_in(table["image_key"], pc.unique(images))).as_py():
            raise Fault(
                f"split.ledger: {path} has {table.num_rows} images and none that this recipe has, so it is another "
                "recipe's; name an earlier release of this one."
            )
        tables.append(table.cast(pa.schema([(name, pa.string()) for name in COLUMNS])))
    whole = pa.concat_tables(tables)
    sides = whole.group_by("image_key").aggregate([("part", "count_distinct")])
    both = sides.filter(pc.greater(sides["part_count_distinct"], 1)).sort_by("image_key")
    if both.num_rows:
        raise Fault(
            f"split.ledger: {both.num_rows} images stand in train in one ledger and in test in another, first "
            f"{both['image_key'][0].as_py()}; name releases that agree."
        )
    return whole


@dataclass(frozen=True)
class Sides:
    """What the ledger says of each row."""

    side: Integers
    """TRAIN or TEST where it is settled, else FREE."""
    is_embargoed: NDArray[np.bool_]
    """Rows that came since and join both sides; they join nothing any more."""
    group: Integers
    """Groups of what is left, as join_groups gives them."""


def settle_sides(columns: Sequence[Integers], pairs: Pairs, released: Integers) -> Sides:
    """Return the side of each row, given that of the released ones (FREE: never released).

    A released row never changes its side. Where released rows of both sides are found to be bound since, through
    released ones, those of the training part are embargoed, so that what is tested on stays what it was. A row that
    came since takes the side of its group. It is embargoed when it is bound to both sides itself; when new rows bind
    both sides as a chain, none of which does alone, all new rows of that group are.
    """
    is_old = released != FREE
    old = join_groups(*(np.where(is_old, c, -1) for c in columns), pairs=_among(pairs, is_old))
    touches = []
    for side in (TRAIN, TEST):
        on_side = _spread(old, released == side) & is_old
        touched = np.zeros(len(released), np.bool_)
        for column in columns:
            touched[column >= 0] |= _spread(column[column >= 0], on_side[column >= 0])
        left, right = pairs
        touched[left] |= on_side[right]
        touched[right] |= on_side[left]
        touches.append(touched)
    embargoed = ~is_old & touches[0] & touches[1]
    embargoed |= (released == TRAIN) & _spread(old, released == TEST)
    while True:
        group = join_groups(*(np.where(embargoed, -1, c) for c in columns), pairs=_among(pairs, ~embargoed))
        on_train, on_test = (_spread(group, released == side) for side in (TRAIN, TEST))
        bridging = ~is_old & ~embargoed & on_train & on_test
        if not bridging.any():
            break
        embargoed |= bridging
    settled = np.where(on_train, TRAIN, np.where(on_test, TEST, FREE))
    return Sides(np.where(is_old, released, settled), embargoed, group)


def _spread(number: Integers, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows have the number of a marked one."""
    has = np.zeros(int(number.max(initial=-1)) + 1, np.bool_)
    has[number[marked]] = True
    return has[number]


def _among(pairs: Pairs, rows: NDArray[np.bool_]) -> Pairs:
    left, right = pairs
    both = rows[left] & rows[right]
    return left[both], right[both]
