"""The bytes of an ONNX file as a page holds them: large weights in 16 bits, the rest compressed."""

from __future__ import annotations

import base64
import gzip
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orthogan.export.foreign.graph import FLOAT, Graph
from orthogan.export.web.weights import Stored, stored

DIRECTIONS = "directions"
FEWEST = 2000  # numbers of a tensor that is stored in 16 bits


@dataclass(frozen=True)
class Packed:
    """An ONNX file in texts.

    Attributes:
        graph: The file without its large weights, compressed, base64.
        numbers: Those weights by their place in the file, and directions.
        content: The file as the page puts it together.
    """

    graph: str
    numbers: Stored
    content: bytes


def packed(graph: Graph, directions: Tensor | None, bits: int) -> Packed:
    """An ONNX file, its large weights in 16 bits or as they are (32)."""
    content = bytearray(_plain(graph))
    large = _large(graph, bytes(content)) if bits == 16 else {}
    tensors: dict[int | str, Tensor] = dict(large.items())
    if directions is not None:
        tensors[DIRECTIONS] = directions
    numbers = stored(tensors, bits, FEWEST)
    hollow = content.copy()
    for place, tensor in large.items():
        end = place + 4 * tensor.numel()
        hollow[place:end] = bytes(end - place)
        content[place:end] = numbers.tensors[place].numpy().astype("<f4").tobytes()
    text = base64.b64encode(gzip.compress(bytes(hollow), 9, mtime=0)).decode()
    return Packed(text, numbers, bytes(content))


def _plain(graph: Graph) -> bytes:
    """The file without remarks, its large weights as bytes and not as a list of numbers.

    Remarks are long, and hold paths of the machine that wrote the file.
    """
    model = graph.model
    for tensor in model.graph.initializer:
        if tensor.data_type == FLOAT and len(tensor.float_data) >= FEWEST:
            tensor.raw_data = np.array(tensor.float_data, dtype="<f4").tobytes()
            tensor.ClearField("float_data")
    remarked = [model, model.graph, *model.graph.initializer, *model.graph.node, *model.functions]
    for part in [*remarked, *(node for each in model.functions for node in each.node)]:
        for remark in ("doc_string", "metadata_props"):
            part.ClearField(remark)
    model.graph.ClearField("value_info")
    return graph.content


def _large(graph: Graph, content: bytes) -> dict[int, Tensor]:
    """Large weights by their place in the file."""
    found: dict[int, Tensor] = {}
    start = 0
    for tensor in graph.model.graph.initializer:
        raw = tensor.raw_data
        shape = tuple(tensor.dims)
        if tensor.data_type != FLOAT or len(shape) < 2 or len(raw) != 4 * math.prod(shape):
            continue
        if math.prod(shape) < FEWEST:
            continue
        place = content.find(raw, start)  # in the order of the list
        values = np.frombuffer(raw, dtype="<f4").reshape(shape)
        if place < 0 or not np.isfinite(values).all():
            continue
        found[place] = torch.from_numpy(values.copy())
        start = place + len(raw)
    return found
