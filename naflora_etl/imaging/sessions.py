"""The networks' common ground: a session on the CPU, and a sheet laid on the canvas that a network wants."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from naflora_etl.imaging.detect import STRIDE_PX, Pixels


@lru_cache
def open_session(model: Path, threads: int) -> Any:
    """Return the ONNX Runtime session of `model`; one per process, model and number of threads, shared by threads."""
    cv2.setNumThreads(threads)  # else OpenCV takes every core, of which each worker has one
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Every sheet has its own size: a plan of memory for one is waste for the next.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, outputs: list[str] | None, inputs: dict[str, Any]) -> Any:
    """Return the first of `outputs` for `inputs`, and give the memory for it back: 1 GB instead of 2 at the peak."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return session.run(outputs, inputs, options)[0]


@lru_cache
def sums_bytes_exactly() -> bool:
    """Return whether this processor multiplies bytes without losing any; x86 before VNNI cuts sums of two at 2**15.

    byte_sums.onnx convolves 64 channels of 255 with weights of 127, and divides by 10,368: 200, or about half of it.
    """
    model = files("naflora_etl.imaging").joinpath("byte_sums.onnx").read_bytes()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"x": np.full((1, 64, 4, 4), 255, np.uint8)})
    return bool((np.asarray(sums) == 200).all())


def lay_on_canvas(
    rgb: Pixels, scale: float, mean: npt.NDArray[np.float32], spread: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return `rgb` at `scale` as float32 [1, 3, H, W], (value - mean) / spread, on black, its sides whole strides."""
    height, width = max(1, int(rgb.shape[0] * scale)), max(1, int(rgb.shape[1] * scale))
    # Linear is what the references do; below a half it would skip pixels, and thin strokes with them.
    how = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
    canvas = np.zeros((up_to_stride(height), up_to_stride(width), 3), np.float32)
    canvas[:height, :width] = cv2.resize(rgb, (width, height), interpolation=how)
    canvas -= mean
    canvas /= spread
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[np.newaxis])


def up_to_stride(length_px: int) -> int:
    """Return the next whole number of strides."""
    return -(-max(length_px, 1) // STRIDE_PX) * STRIDE_PX
