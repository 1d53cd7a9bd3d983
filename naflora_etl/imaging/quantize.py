"""CRAFT in eight bits: the genuine weights and fixed ranges in, the same small, quick network on every machine out.

The integers are laid down here, operator by operator, rather than by a calibration run: the ranges were measured once
(craft_ranges.json says on what), so the file has one digest, and what it finds does not hang on who made it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from naflora_etl.engine.faults import Fault

Wide = npt.NDArray[np.float64]

OPSET = 13
"""QLinearConv is there since 10, MaxPool of bytes since 12."""
TOP = 127
"""Largest weight; the others are spread evenly below it, for each output channel on its own."""
MAX_BIAS = 2**30
HEAD = 25
"""The last two layers stay in floats: they cost nothing, and their output is the heat itself."""


def quantize_craft(data: bytes) -> bytes:
    """Return the ONNX file of CRAFT in eight bits, made from the genuine one's bytes; input `image`, output `y`.

    Activations are unsigned bytes with one scale a tensor, weights signed bytes with one scale a channel (Jacob et
    al. 2018, "Quantization and Training of Neural Networks"). The same bytes each time. Raises Fault without `onnx`.
    """
    try:
        import onnx
    except ImportError:
        raise Fault("The eight-bit weights are made with the package onnx: `pip install onnx`.") from None
    network = _Network(onnx.load_model_from_string(data), read_ranges())
    _lay_down(network)
    return bytes(network.to_bytes())


def read_ranges() -> dict[str, tuple[float, float]]:
    """Return the range of values, in floats, that each tensor of CRAFT is given in eight bits."""
    text = files("naflora_etl.imaging").joinpath("craft_ranges.json").read_text(encoding="utf-8")
    return {name: (low, high) for name, (low, high) in json.loads(text)["ranges"].items()}


def _lay_down(network: _Network) -> None:
    """Lay down CRAFT: VGG-16 with batch norm, a dilated slice, four joins on the way up, and the head."""
    x = network.take_image()
    x = network.conv(network.conv(x))
    half = x = network.conv(network.conv(network.pool(x)))
    quarter = x = network.conv(network.conv(network.pool(x)))
    x = network.conv(x)
    eighth = x = network.conv(network.conv(network.pool(x)))
    x = network.conv(x)
    sixteenth = x = network.conv(network.conv(network.pool(x)))
    x = network.conv(network.conv(network.pool(x, side=3, stride=1)))
    x = network.conv(network.conv(x, beside=sixteenth))
    for skip in (eighth, quarter, half):
        x = network.conv(network.conv(network.double(x), beside=skip))
    for _ in range(3):
        x = network.conv(x)
    network.finish(x)


class _Network:
    """A network under way: its operators and constants so far, and the scale and zero of every tensor."""

    def __init__(self, model: Any, ranges: dict[str, tuple[float, float]]) -> None:
        from onnx import numpy_helper

        graph = model.graph
        self._weights = {given.name: numpy_helper.to_array(given) for given in graph.initializer}
        self._convs = [node for node in graph.node if node.op_type == "Conv"]
        self._relus = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "Relu"}
        self._ranges = ranges
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._steps: dict[str, tuple[float, int]] = {}
        self._channels: dict[str, int] = {}
        self._next = 0

    def take_image(self) -> str:
        """Turn the network's input into bytes."""
        self._give_step("image")
        self._channels["image"] = 3
        return self._alike("image", self._add("QuantizeLinear", ["image", *self._step_of("image")], "image_bytes"))

    def conv(self, x: str, beside: str | None = None) -> str:
        """Add the next convolution, its rectifier too, over `x` (with `beside` after it among the channels)."""
        node = self._convs[self._next]
        out = self._relus.get(node.output[0], node.output[0])
        weight, bias = (self._weights[name].astype(np.float64) for name in node.input[1:])
        given = x
        if beside is not None:
            given = self._add("Concat", [x, beside], f"join{self._next}", axis=1)
            weight, bias = self._in_one_step(weight, bias, x, beside)
        step, _ = self._steps[x]
        peak = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        # A channel that is nearly off still has a bias, which must fit in 32 bits.
        scale = np.maximum(peak / TOP, np.abs(bias) / (step * MAX_BIAS) + 1e-30).astype(np.float32)
        whole = np.rint(weight / scale.astype(np.float64)[:, np.newaxis, np.newaxis, np.newaxis]).astype(np.int8)
        self._give_step(out)
        self._channels[out] = len(weight)
        name = f"conv{self._next}"
        inputs = [
            given,
            *self._step_of(x),
            self._constant(f"{name}_w", whole),
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero", np.zeros(len(weight), np.int8)),
            *self._step_of(out),
            self._constant(f"{name}_b", np.rint(bias / (scale.astype(np.float64) * step)).astype(np.int32)),
        ]
        self._next += 1
        return self._add("QLinearConv", inputs, out, **_settings(node))

    def pool(self, x: str, side: int = 2, stride: int = 2) -> str:
        """Add a maximum over squares of `side`, every `stride`."""
        pad = (side - stride) // 2
        sides = {"kernel_shape": [side, side], "strides": [stride, stride], "pads": [pad] * 4}
        return self._alike(x, self._add("MaxPool", [x], f"{x}_pooled", **sides))

    def double(self, x: str) -> str:
        """Add an enlargement to twice the size, bilinear."""
        nowhere = self._constant("nowhere", np.zeros(0, np.float32))
        twice = self._constant("twice", np.array([1, 1, 2, 2], np.float32))
        how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return self._alike(x, self._add("Resize", [x, nowhere, twice], f"{x}_doubled", **how))

    def finish(self, x: str) -> None:
        """Go back to floats for the last layers."""
        x = self._add("DequantizeLinear", [x, *self._step_of(x)], "last")
        for node in self._convs[HEAD:]:
            names = [self._constant(name, self._weights[name]) for name in node.input[1:]]
            relu = self._relus.get(node.output[0])
            x = self._add("Conv", [x, *names], "heat" if relu is None else f"{relu}_sum", **_settings(node))
            if relu is not None:
                x = self._add("Relu", [x], relu)

    def to_bytes(self) -> bytes:
        from onnx import TensorProto, checker, helper, numpy_helper

        self._nodes[-1].output[0] = "y"
        graph = helper.make_graph(
            self._nodes,
            "craft-int8",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, "half_height", "half_width"])],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _in_one_step(self, weight: Wide, bias: Wide, x: str, beside: str) -> tuple[Wide, Wide]:
        """Fold the other step of `beside` into the weights, so that both can be read with that of `x`: no loss."""
        (step, zero), (other, other_zero) = self._steps[x], self._steps[beside]
        own = self._channels[x]
        weight = weight.copy()
        bias = bias + weight[:, own:, 0, 0].sum(axis=1) * other * (zero - other_zero)
        weight[:, own:] *= other / step
        return weight, bias

    def _give_step(self, tensor: str) -> None:
        low, high = self._ranges[tensor]
        step = np.float32((high - low) / 255)
        self._steps[tensor] = float(step), round(-low / float(step))

    def _step_of(self, tensor: str) -> list[str]:
        step, zero = self._steps[tensor]
        scale = self._constant(f"{tensor}_scale", np.array(step, np.float32))
        return [scale, self._constant(f"{tensor}_zero", np.array(zero, np.uint8))]

    def _alike(self, x: str, made: str) -> str:
        self._steps[made], self._channels[made] = self._steps[x], self._channels[x]
        return made

    def _constant(self, name: str, value: Any) -> str:
        self._constants.setdefault(name, value)
        return name

    def _add(self, kind: str, inputs: list[str], out: str, **settings: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [out], **settings))
        return out


def _settings(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {given.name: helper.get_attribute_value(given) for given in node.attribute}
