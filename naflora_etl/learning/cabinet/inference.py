"""An exported model at work on ONNX Runtime, and the way from a file to what it sees."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps, UnidentifiedImageError

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.cabinet.calibration import Floats, soften
from naflora_etl.learning.cabinet.exported import Exported
from naflora_etl.learning.recipe import DataOptions
from naflora_etl.learning.warp import Pixels, sheet_shape, warp_sheet

ORIENTATION = 0x0112


class Classifier:
    """An exported model, loaded; gives calibrated probabilities for sheets."""

    def __init__(self, exported: Exported, threads: int = 1) -> None:
        """Load the model. Raises Fault when it does not fit its labels, or is none that ONNX Runtime reads."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        path = exported.folder / "model.onnx"
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has error classes of its own
            raise Fault(f"{path} cannot be read ({str(error).splitlines()[0]}); export the run anew.") from None
        (given,), (found,) = self.session.get_inputs(), self.session.get_outputs()
        wanted, classes = [3, *sheet_shape(exported.data)], len(exported.labels)
        if list(given.shape[1:]) != wanted or found.shape[1] != classes:
            raise Fault(
                f"{path} takes {given.shape[1:]} and tells {found.shape[1]} classes, where model.json and labels.csv "
                f"say {wanted} and {classes}; export the run anew."
            )
        self.exported = exported
        self.input = given.name

    def raw(self, sheets: Sequence[Pixels]) -> Floats:
        """Return the model's own probabilities, sheets x classes; `sheets` are height x width x 3, uint8."""
        images = np.ascontiguousarray(np.stack(sheets).transpose(0, 3, 1, 2))
        return np.asarray(self.session.run(None, {self.input: images})[0], np.float64)

    def calibrated(self, sheets: Sequence[Pixels]) -> Floats:
        """Return the probabilities at the fitted temperature; the model's own where none was fitted."""
        calibration = self.exported.calibration
        return soften(self.raw(sheets), calibration.temperature if calibration else 1.0)


def read_sheet(path: Path, options: DataOptions) -> Pixels | str:
    """Return what the model sees of an image file, upright, or the name of the issue with it."""
    try:
        data = path.read_bytes()
    except OSError:
        return "IMAGE_DAMAGED"
    try:
        return see_sheet(data, options)
    except UnidentifiedImageError:
        return "NOT_AN_IMAGE"
    except Image.DecompressionBombError:
        return "IMAGE_TOO_LARGE"
    except (OSError, ValueError, SyntaxError):  # Pillow tells damage in all three
        return "IMAGE_DAMAGED"


def see_sheet(data: bytes, options: DataOptions) -> Pixels:
    """Return what the model sees of a file's bytes; a camera's note on which side is up is obeyed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # sheets are large
        with Image.open(io.BytesIO(data)) as image:
            if image.getexif().get(ORIENTATION, 1) != 1:
                upright = io.BytesIO()
                ImageOps.exif_transpose(image).convert("RGB").save(upright, "BMP")
                data = upright.getvalue()
        return warp_sheet(data, options)
