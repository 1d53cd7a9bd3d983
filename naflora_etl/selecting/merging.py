"""Species that cannot be split, made one class with others of their genus."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from naflora_etl.recipe.choosing import GENUS_KEY


def genus_key(genus: str) -> str:
    """Return the key of the class of a genus."""
    return GENUS_KEY + genus


def merge_upward(taxon_ids: pa.ChunkedArray, merged: NDArray[np.bool_], genus_of: Mapping[str, str]) -> pa.Array:
    """Return the key of each row's class: that of its genus where `merged` and the genus is known, else its own.

    Species that can be split stay what they are, so a genus' class holds but those of its species that cannot.
    """
    keys = taxon_ids.to_pylist()
    for row in np.flatnonzero(merged).tolist():
        if keys[row] in genus_of:
            keys[row] = genus_key(genus_of[keys[row]])
    return pa.array(keys, pa.string())
