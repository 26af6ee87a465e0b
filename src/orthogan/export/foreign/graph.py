"""What an ONNX file says of itself, before anything of it is run."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.class_names import is_name_list
from orthogan.errors import BundleError, MissingExtraError, shortened
from orthogan.export.onnx_file import EXTRA
from orthogan.files import parse_json
from orthogan.terminal import printable

MOST_BYTES = 64 * 2**20  # of a file: the page would have a third more
MOST_NUMBERS = 4096  # of a latent
MOST_SHOWN = 4  # inputs or outputs in a sentence
CLASS_NAMES = "class_names"  # the property of a file with their list, as JSON
# What the runtime of the page reads (tests/browser/test_foreign_page.py).
LARGEST_OPSET, LARGEST_IR = 25, 12
FLOAT, INT32, INT64 = 1, 6, 7  # numbers of `TensorProto.DataType`
KINDS = {FLOAT: "float32", INT32: "int32", INT64: "int64"}
EXPECTED = (
    "a page takes a file with one float32 input [n, d], a latent, at most one integer input [n], "
    "the class, and one float32 output [n, c, h, w], an image of 1, 3 or 4 channels"
)


@dataclass(frozen=True)
class Place:
    """An input or output.

    Attributes:
        name: In the file.
        kind: A key of `KINDS`, or another number of `TensorProto.DataType`.
        shape: With None where a length is free.
    """

    name: str
    kind: int
    shape: tuple[int | None, ...]

    @property
    def axes(self) -> tuple[int | None, ...]:
        """All axes but that of the images."""
        return self.shape[1:]

    def __str__(self) -> str:
        axes = ", ".join("n" if each is None else str(each) for each in self.shape)
        return f"'{shortened(printable(self.name))}' [{axes}] {KINDS.get(self.kind, 'other')}"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An ONNX file that draws an image from a latent, as far as can be told from its text.

    Attributes:
        path: Where it was read.
        model: `onnx.ModelProto`.
        latents: The input of latents.
        labels: The input of classes, if there is one.
        images: The output.
        class_names: As the file has them; empty without.
    """

    path: Path
    model: Any
    latents: Place
    labels: Place | None
    images: Place
    class_names: tuple[str, ...]

    @property
    def latent_size(self) -> int:
        """Numbers of a latent."""
        return math.prod(each or 1 for each in self.latents.axes)

    @property
    def is_single(self) -> bool:
        """Whether it draws one image at a time."""
        return 1 in {each.shape[0] for each in (self.latents, self.labels) if each is not None}

    @property
    def content(self) -> bytes:
        """The file as the runtime of a page reads it."""
        content: bytes = self.model.SerializeToString()
        return content


def read_graph(path: Path) -> Graph:
    """An ONNX file, of which nothing is run and to which nothing beside it belongs.

    Raises:
        MissingExtraError: onnx is not installed.
        BundleError: it is none, too large, not whole, newer than the runtime, or draws no image
            from a latent; a sentence says what is expected.
    """
    try:
        onnx = importlib.import_module("onnx")
    except ImportError:
        raise MissingExtraError("onnx", EXTRA) from None
    content = _content(path)
    try:
        model = onnx.load_model_from_string(content)
        return _graph(path, model)
    except BundleError:
        raise
    except Exception:  # noqa: BLE001 - of protobuf, or a text that is no UTF-8
        raise BundleError(f"{path}: no ONNX file, or a damaged one.") from None


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BundleError(f"{path}: no such file.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BundleError(
                f"{path}: {size / 2**20:.0f} MiB; a page holds files of at most "
                f"{MOST_BYTES >> 20} MiB."
            )
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}.") from None


def _graph(path: Path, model: Any) -> Graph:
    _refuse_others(path, model)
    weights = {each.name for each in model.graph.initializer}
    inputs = [_place(each) for each in model.graph.input if each.name not in weights]
    outputs = [_place(each) for each in model.graph.output]
    latents = [each for each in inputs if each.kind == FLOAT]
    labels = [each for each in inputs if each.kind in {INT32, INT64}]
    fits = (
        len(latents) == len(outputs) == 1
        and len(labels) <= 1
        and len(inputs) == 1 + len(labels)
        and _is_latent(latents[0])
        and all(_is_label(each) for each in labels)
        and _is_image(outputs[0])
    )
    if not fits:
        raise BundleError(
            f"{path}: {EXPECTED}; this one has {_listed(inputs)} and draws {_listed(outputs)}."
        )
    model.ir_version = min(model.ir_version, LARGEST_IR)  # what is newer in it says nothing here
    return Graph(
        path=path,
        model=model,
        latents=latents[0],
        labels=labels[0] if labels else None,
        images=outputs[0],
        class_names=_class_names(path, model),
    )


def _refuse_others(path: Path, model: Any) -> None:
    """Refuses files that are not whole, or newer than the runtime."""
    if not model.HasField("graph") or not model.graph.node:
        raise BundleError(f"{path}: no ONNX file, or one without a graph.")
    if any(each.data_location == each.EXTERNAL for each in _tensors(model)):
        raise BundleError(
            f"{path}: some of its weights lie in other files; save it as one file, without "
            "external data."
        )
    newest = max(
        (each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=1
    )
    if newest > LARGEST_OPSET:
        raise BundleError(
            f"{path}: opset {newest}, and the runtime of a page reads up to {LARGEST_OPSET}; "
            "export it with a lower opset_version."
        )


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor that the file holds, in whatever part."""
    yield from _of_nodes(node for function in model.functions for node in function.node)
    yield from _of_graph(model.graph)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                yield from _of_graph(graph)


def _place(value: Any) -> Place:
    tensor = value.type.tensor_type
    shape = tuple(
        each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None
        for each in tensor.shape.dim
    )
    return Place(value.name, tensor.elem_type, shape)


def _is_latent(place: Place) -> bool:
    """[n, d], or with axes of one behind it as convolutions take it."""
    axes = place.axes
    is_known = bool(axes) and None not in axes and place.shape[0] in {None, 1}
    return (
        is_known and set(axes[1:]) <= {1} and math.prod(each or 1 for each in axes) <= MOST_NUMBERS
    )


def _is_label(place: Place) -> bool:
    return bool(place.shape) and place.shape[0] in {None, 1} and set(place.axes) <= {1}


def _is_image(place: Place) -> bool:
    """[n, c, h, w], as far as it says; its lengths are those of what it draws."""
    return place.kind == FLOAT and len(place.shape) in {0, 4}


def _listed(places: list[Place]) -> str:
    shown = ", ".join(map(str, places[:MOST_SHOWN])) or "nothing"
    return f"{shown}, ..." if len(places) > MOST_SHOWN else shown


def _class_names(path: Path, model: Any) -> tuple[str, ...]:
    """Those of the property `class_names`, a list as JSON."""
    said = {each.key: each.value for each in model.metadata_props}.get(CLASS_NAMES)
    if said is None:
        return ()
    names = parse_json(said.encode(), path, error=BundleError)
    if not is_name_list(names):
        raise BundleError(f"{path}: its property '{CLASS_NAMES}' is no list of texts.")
    return tuple(names)
