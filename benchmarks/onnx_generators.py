"""Generators that other programs could have written: small ONNX graphs with random weights.

Not of orthogan: no properties of ours, classes as numbers or none, images that are no squares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a graph draws.

    Attributes:
        latent_size: Numbers of a latent.
        colours: Channels.
        height: Pixels, a multiple of 4.
        width: Pixels, a multiple of 4.
        width_inside: Channels between the two convolutions.
        classes: 0: takes none.
        convolves: The latent is [n, d, 1, 1], as convolutions take it.
        last: The last operation, `Tanh` or `Sigmoid`.
        names: Of the input of latents, that of classes, and the output.
        properties: Of the file.
    """

    latent_size: int = 16
    colours: int = 3
    height: int = 16
    width: int = 16
    width_inside: int = 8
    classes: int = 0
    convolves: bool = False
    last: str = "Tanh"
    names: tuple[str, str, str] = ("z", "y", "x")
    properties: Mapping[str, Any] | None = None


def model(form: Form) -> onnx.ModelProto:
    """Latent, dense layer, two transposed convolutions; a class is added to the latent."""
    source = np.random.default_rng(0)
    latents, labels, images = form.names
    size, inside = form.latent_size, form.width_inside
    small = (form.height // 4, form.width // 4)
    flat = inside * small[0] * small[1]
    weights = {
        "flat_shape": np.array([-1, size]),
        "dense": source.normal(0, 1.5 / np.sqrt(size), (size, flat)),
        "small_shape": np.array([-1, inside, *small]),
        "first": source.normal(0, 2 / np.sqrt(4 * inside), (inside, inside, 4, 4)),
        "second": source.normal(0, 2 / np.sqrt(4 * inside), (inside, form.colours, 4, 4)),
    }
    doubling = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    start = "flat"
    nodes = [helper.make_node("Reshape", [latents, "flat_shape"], ["flat"])]
    if form.classes:
        weights["classes"] = source.normal(0, 2, (form.classes, size))
        nodes += [
            helper.make_node("Gather", ["classes", labels], ["class"]),
            helper.make_node("Add", ["flat", "class"], ["both"]),
        ]
        start = "both"
    nodes += [
        helper.make_node("MatMul", [start, "dense"], ["dense_made"]),
        helper.make_node("Relu", ["dense_made"], ["dense_shown"]),
        helper.make_node("Reshape", ["dense_shown", "small_shape"], ["small"]),
        helper.make_node("ConvTranspose", ["small", "first"], ["half"], **doubling),
        helper.make_node("Relu", ["half"], ["half_shown"]),
        helper.make_node("ConvTranspose", ["half_shown", "second"], ["full"], **doubling),
        helper.make_node(form.last, ["full"], [images]),
    ]
    axes = [size, 1, 1] if form.convolves else [size]
    inputs = [helper.make_tensor_value_info(latents, TensorProto.FLOAT, ["n", *axes])]
    if form.classes:
        inputs.append(helper.make_tensor_value_info(labels, TensorProto.INT64, ["n"]))
    shape = ["n", form.colours, form.height, form.width]
    graph = helper.make_graph(
        nodes,
        "generator",
        inputs,
        [helper.make_tensor_value_info(images, TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(
                value if value.dtype == np.int64 else value.astype(np.float32), name
            )
            for name, value in weights.items()
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(made, {k: json.dumps(v) for k, v in (form.properties or {}).items()})
    return made


def save(path: Path, form: Form) -> Path:
    """The same as a file."""
    path.write_bytes(model(form).SerializeToString())
    return path


def with_classes(called: Sequence[str], **settings: Any) -> Form:
    """A form with classes of these names, which are written into the file."""
    return Form(classes=len(called), properties={"class_names": list(called)}, **settings)
