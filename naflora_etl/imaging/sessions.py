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

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging.detect import STRIDE_PX, Pixels

CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"


@lru_cache
def open_session(model: Path, threads: int, *, gpu: bool = False, batched: bool = False) -> Any:
    """Return the ONNX Runtime session of `model`; one per process and way of opening it, shared by threads.

    `gpu`: on a CUDA device; raises Fault where there is none. `batched`: several images of one size at a time, though
    the file says one.
    """
    if gpu and GPU not in onnxruntime.get_available_providers():
        raise Fault("images.gpu_batch needs ONNX Runtime with CUDA: `pip install onnxruntime-gpu`, or set it to 0.")
    cv2.setNumThreads(threads)  # else OpenCV takes every core, of which each worker has one
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Every sheet has its own size: a plan of memory for one is waste for the next.
    options.enable_mem_pattern = False
    share_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 3
    what = _with_free_batch(model) if batched else model
    session = onnxruntime.InferenceSession(what, options, providers=[GPU, CPU] if gpu else [CPU])
    if gpu and session.get_providers()[0] != GPU:  # it falls back to the CPU by itself, and says so in a log alone
        raise Fault("images.gpu_batch is set, but ONNX Runtime opened no CUDA device; mend that, or set it to 0.")
    return session


def _with_free_batch(model: Path) -> bytes:
    """Return the model with its first dimension, the number of images, left open."""
    import onnx

    network = onnx.load(model)
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return bytes(network.SerializeToString())


@lru_cache
def share_memory() -> None:
    """Let all sessions of the process work in one arena, which is kept.

    An arena for each, given back after every call, cost a sixth of the search's CPU seconds in page faults; kept by
    each of two networks it cost a third more memory than shared by both.
    """
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(0, 0, -1, -1))


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
    rgb: Pixels,
    scale: float,
    mean: npt.NDArray[np.float32],
    spread: npt.NDArray[np.float32],
    stride_px: int = STRIDE_PX,
) -> npt.NDArray[np.float32]:
    """Return `rgb` at `scale` as float32 [1, 3, H, W], (value - mean) / spread, on black, its sides whole strides."""
    height, width = max(1, int(rgb.shape[0] * scale)), max(1, int(rgb.shape[1] * scale))
    # Linear is what the references do; below a half it would skip pixels, and thin strokes with them.
    how = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
    canvas = np.empty((1, 3, *canvas_size(rgb, scale, stride_px)), np.float32)
    # of a byte there are 256 values: to look them up is several times as fast as to reckon each pixel
    values = (np.arange(256, dtype=np.float32)[:, np.newaxis] - mean) / spread
    for plane, levels, table in zip(
        canvas[0], cv2.split(cv2.resize(rgb, (width, height), interpolation=how)), values.T.copy(), strict=True
    ):
        plane[:height, :width] = cv2.LUT(levels, table)
        plane[height:] = plane[:, width:] = table[0]
    return canvas


def canvas_size(rgb: Pixels, scale: float, stride_px: int = STRIDE_PX) -> tuple[int, int]:
    """Return the height and width of the canvas on which `rgb` is laid."""
    return up_to_stride(int(rgb.shape[0] * scale), stride_px), up_to_stride(int(rgb.shape[1] * scale), stride_px)


def up_to_stride(length_px: int, stride_px: int = STRIDE_PX) -> int:
    """Return the next whole number of strides."""
    return -(-max(length_px, 1) // stride_px) * stride_px
