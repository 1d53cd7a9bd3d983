"""Whether a model is right as often as it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 15


@dataclass(frozen=True)
class CalibrationBin:
    """Answers of a like sureness."""

    low: float
    high: float
    images: int
    sureness: float
    """Mean odds of the likeliest class."""
    accuracy: float


def calibration_bins(
    odds: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], bins: int = BINS
) -> list[CalibrationBin]:
    """Return the bins of equal width over 0 to 1 that hold answers; `odds` are those of the likeliest class."""
    places = np.clip(np.ceil(odds * bins).astype(int) - 1, 0, bins - 1)
    return [
        CalibrationBin(
            place / bins, (place + 1) / bins, int((places == place).sum()),
            float(odds[places == place].mean()), float(right[places == place].mean()),
        )
        for place in sorted(set(places.tolist()))
    ]  # fmt: skip


def calibration_error(rows: list[CalibrationBin]) -> float:
    """Return the expected calibration error (Guo et al. 2017): |accuracy - sureness|, weighed by images."""
    return sum(row.images * abs(row.accuracy - row.sureness) for row in rows) / sum(row.images for row in rows)
