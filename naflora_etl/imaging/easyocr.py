"""EasyOCR's own CRAFT, for people with its package, its weights and a GPU; nothing here is imported unless chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging.detect import Pixels, Sight, TextBox
from naflora_etl.imaging.weights import ORIGINAL_MD5, find_original


class EasyocrNetwork:
    """EasyOCR's reader, of which only the detector is used, on a GPU when there is one; it never downloads."""

    def __init__(self) -> None:
        weights = find_original()
        self._reader: Any = _import_easyocr().Reader(
            ["en"],
            gpu=True,  # it takes the CPU by itself where there is none
            recognizer=False,
            verbose=False,
            download_enabled=False,
            model_storage_directory=str(weights.parent),
            user_network_directory=str(weights.parent),
        )
        self.name = f"easyocr:{ORIGINAL_MD5[:12]}"

    def look(self, rgb: Pixels, scale: float) -> Sight:
        """Search `rgb` at `scale`; the boxes are lines, in its own pixels. EasyOCR gives no scores: they are 1."""
        level, free = self._reader.detect(np.ascontiguousarray(rgb), canvas_size=max(32, int(max(rgb.shape) * scale)))
        quads = [[(left, top), (right, top), (right, bottom), (left, bottom)] for left, right, top, bottom in level[0]]
        quads += free[0]
        boxes = [TextBox(np.array(quad, np.float32).reshape(4, 2), 1.0, "easyocr") for quad in quads]
        return Sight(boxes, np.ones((1, 1), np.uint8), float(max(rgb.shape)))


def _import_easyocr() -> Any:
    try:
        import easyocr
    except ImportError:
        raise Fault(
            "images.redact is easyocr, but the package is not installed: `pip install 'naflora-etl[easyocr]'`."
        ) from None
    except RuntimeError as error:  # a torchvision that does not fit its torch
        raise Fault(f"EasyOCR is installed, but does not load: {error}") from None
    return easyocr
