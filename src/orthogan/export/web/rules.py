"""How each operation of PyTorch is written with the kernels of a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.export.web.builder import Builder, Place
from orthogan.export.web.program import Shape


@dataclass(frozen=True)
class Call:
    """One operation of the graph.

    Attributes:
        name: Of the operation, without its overload.
        given: What it is given, by the names of its schema: places of steps, tensors that are
            known, numbers.
        shape: Of what it makes, the first of `shapes`.
        shapes: Of all that it makes.
    """

    name: str
    given: dict[str, Any]
    shape: Shape
    shapes: list[Shape]

    def tensors(self, *names: str) -> list[Any]:
        """Those of these names that it is given."""
        return [self.given[name] for name in names if self.given.get(name) is not None]


Rule: TypeAlias = Callable[[Builder, Call], Any]
RULES: dict[str, Rule] = {}


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def enrol(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return enrol


@_rule("neg", "abs", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "cos",
       "tanh", "sigmoid", "relu", "erf", "floor", "sign")  # fmt: skip
def _unary(build: Builder, call: Call) -> Place:
    return build.add(call.name, call.tensors("self"), call.shape)


@_rule("logical_not", "bitwise_not")
def _negated(build: Builder, call: Call) -> Place:
    return build.add("not", call.tensors("self"), call.shape)


@_rule("mul", "div", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge")
def _binary(build: Builder, call: Call) -> Place:
    if call.given.get("rounding_mode") is not None:
        raise ConfigError("A page has no kernel for a division that rounds.")
    return build.add(call.name, call.tensors("self", "other"), call.shape)


@_rule("logical_and", "bitwise_and")
def _both(build: Builder, call: Call) -> Place:
    return build.add("mul", call.tensors("self", "other"), call.shape)


@_rule("logical_or", "bitwise_or")
def _either(build: Builder, call: Call) -> Place:
    return build.add("maximum", call.tensors("self", "other"), call.shape)


@_rule("add", "sub", "rsub")
def _sum(build: Builder, call: Call) -> Place:
    left, right = call.tensors("self", "other")
    left, right = (right, left) if call.name == "rsub" else (left, right)
    if call.given.get("alpha", 1) != 1:
        raise ConfigError("A page has no kernel for a sum with a factor; write the product.")
    return build.add("add" if call.name == "add" else "sub", [left, right], call.shape)


@_rule("pow")
def _power(build: Builder, call: Call) -> Place:
    base, exponent = call.tensors("self", "exponent")
    short = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}
    if not isinstance(exponent, Place | Tensor) and exponent in short:
        return build.add(short[exponent], [base], call.shape)
    return build.add("pow", [base, exponent], call.shape)


@_rule("clamp", "clamp_min", "clamp_max")
def _clamped(build: Builder, call: Call) -> Place:
    made = build.place(call.given["self"])
    for name, kind in {"min": "maximum", "max": "minimum"}.items():
        for bound in call.tensors(name):
            made = build.add(kind, [made, bound], call.shape)
    return made


@_rule("where")
def _chosen(build: Builder, call: Call) -> Place:
    return build.add("where", call.tensors("condition", "self", "other"), call.shape)


@_rule("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze")
def _reshaped(build: Builder, call: Call) -> Place:
    return build.view(call.given["self"], call.shape)


@_rule("clone", "detach", "alias", "lift_fresh_copy", "_to_copy")
def _same(build: Builder, call: Call) -> Place:
    kind = call.given.get("dtype")
    if kind is not None and not (kind.is_floating_point or kind == torch.bool):
        raise ConfigError("A page computes with floats alone, and this generator makes integers.")
    return build.place(call.given["self"])


@_rule("full", "full_like", "zeros_like", "ones_like", "zeros", "ones")
def _filled(build: Builder, call: Call) -> Place:
    value = 1.0 if "ones" in call.name else call.given.get("fill_value", 0.0)
    return build.expand(value, call.shape)


@_rule("expand")
def _expanded(build: Builder, call: Call) -> Place:
    return build.expand(call.given["self"], call.shape)


@_rule("repeat")
def _repeated(build: Builder, call: Call) -> Place:
    times = call.given["repeats"]
    before = build.shape(call.given["self"])
    before = (1,) * (len(times) - len(before)) + before
    # Each axis behind one of length one, which is repeated.
    apart = tuple(size for each in before for size in (1, each))
    wide = tuple(size for pair in zip(times, before, strict=True) for size in pair)
    return build.view(build.expand(build.view(call.given["self"], apart), wide), call.shape)


@_rule("permute")
def _permuted(build: Builder, call: Call) -> Place:
    num_axes = len(call.shape)
    return build.permute(call.given["self"], [axis % num_axes for axis in call.given["dims"]])


@_rule("slice")
def _part(build: Builder, call: Call) -> Place:
    value, axis = call.given["self"], call.given["dim"] % len(call.shape)
    start, size = call.given["start"] or 0, abs(build.shape(value)[axis])
    start = min(start, size) if start >= 0 else max(0, start + size)
    return build.slice(value, axis, start, call.shape[axis], call.given["step"])


@_rule("select")
def _selected(build: Builder, call: Call) -> Place:
    value = call.given["self"]
    before = build.shape(value)
    axis = call.given["dim"] % len(before)
    return build.view(build.slice(value, axis, call.given["index"] % before[axis], 1), call.shape)


@_rule("split_with_sizes", "split", "unbind")
def _split(build: Builder, call: Call) -> list[Place]:
    value = call.given["self"]
    axis = call.given["dim"] % len(build.shape(value))
    parts, start = [], 0
    for shape in call.shapes:
        length = 1 if call.name == "unbind" else shape[axis]
        parts.append(build.view(build.slice(value, axis, start, length), shape))
        start += length
    return parts


@_rule("flip")
def _flipped(build: Builder, call: Call) -> Place:
    value = build.place(call.given["self"])
    for axis in call.given["dims"]:
        axis %= len(call.shape)
        value = build.slice(value, axis, call.shape[axis] - 1, call.shape[axis], -1)
    return value


@_rule("cat")
def _joined(build: Builder, call: Call) -> Place:
    parts = [each for each in call.given["tensors"] if 0 not in build.shape(each)]
    return build.add("cat", parts, call.shape, axis=call.given["dim"] % len(call.shape))


@_rule("constant_pad_nd")
def _padded(build: Builder, call: Call) -> Place:
    pads = call.given["pad"]  # from the last axis on, before and after
    before = [0] * len(call.shape)
    for i, pad in enumerate(pads[::2]):
        before[-1 - i] = pad
    if min(pads) < 0:
        raise ConfigError("A page has no kernel for padding that cuts; write a slice.")
    value = float(call.given["value"])
    return build.add("pad", [call.given["self"]], call.shape, before=before, value=value)


@_rule("index_select")
def _taken(build: Builder, call: Call) -> Place:
    axis = call.given["dim"] % len(call.shape)
    places = _known(call.given["index"]).tolist()
    return build.add("take", [call.given["self"]], call.shape, axis=axis, places=places)


@_rule("index", "_unsafe_index")
def _indexed(build: Builder, call: Call) -> Place:
    value, asked = call.given["self"], call.given["indices"]
    at = [axis for axis, each in enumerate(asked) if each is not None]
    first, last, before = at[0], at[-1] + 1, build.shape(value)
    if at != list(range(first, last)) or min(before[first:last]) < 0:
        raise ConfigError("A page has no kernel for indices of axes that are apart.")
    # One place in the axes laid end to end: rows times their length, and the column.
    flat = torch.zeros((), dtype=torch.int64)
    for axis in at:
        flat = flat * before[axis] + _known(asked[axis]) % before[axis]
    merged = (*before[:first], math.prod(before[first:last]), *before[last:])
    shape = (*before[:first], flat.numel(), *before[last:])
    places = flat.flatten().tolist()
    taken = build.add("take", [build.view(value, merged)], shape, axis=first, places=places)
    return build.view(taken, call.shape)


def _known(indices: Any) -> Tensor:
    if isinstance(indices, Tensor) and indices.dtype != torch.bool:
        return indices
    raise ConfigError("A page has no kernel for indices that depend on the noise.")


@_rule("sum", "mean", "amax", "amin", "any", "all")
def _reduced(build: Builder, call: Call) -> Place:
    kind = {"any": "amax", "all": "amin"}.get(call.name, call.name)
    value, axes = build.place(call.given["self"]), _axes(build, call)
    return build.view(_along(build, kind, value, axes), call.shape)


@_rule("var", "var_mean")
def _variance(build: Builder, call: Call) -> Place | list[Place]:
    value, axes = build.place(call.given["self"]), _axes(build, call)
    mean, squares = _squares(build, value, axes)
    count = math.prod(build.shape(value)[axis] for axis in axes)
    correction = call.given.get("correction", 1)
    factor = count / (count - (1 if correction is None else correction))
    spread = _along(build, "mean", squares, axes)
    scaled = build.view(build.add("mul", [spread, factor], build.shape(spread)), call.shape)
    return [scaled, build.view(mean, call.shapes[1])] if call.name == "var_mean" else scaled


def _squares(build: Builder, value: Place, axes: Sequence[int]) -> tuple[Place, Place]:
    """The mean along the axes, which stay with a length of one, and squares of what is beyond."""
    shape = build.shape(value)
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    mean = build.view(_along(build, "mean", value, axes), kept)
    return mean, build.add("square", [build.add("sub", [value, mean], shape)], shape)


def _axes(build: Builder, call: Call) -> list[int]:
    """The axes that are reduced, in order; all of them where none are named."""
    num_axes, axes = len(build.shape(call.given["self"])), call.given.get("dim")
    named = [axes] if isinstance(axes, int) else axes or range(num_axes)
    return sorted(axis % num_axes for axis in named)


def _along(build: Builder, kind: str, value: Place, axes: Sequence[int]) -> Place:
    """Numbers along these axes made one; the axes are gone."""
    kept = [axis for axis in range(len(build.shape(value))) if axis not in axes]
    value = build.permute(value, [*kept, *axes])
    return build.add(kind, [value], build.shape(value)[: len(kept)], axes=len(axes))


@_rule("_native_batch_norm_legit_no_training")
def _batch_norm(build: Builder, call: Call) -> list[Place]:
    shape = (-1, *[1] * (len(call.shape) - 2))
    scale = (call.given["running_var"] + call.given["eps"]).rsqrt()
    scale = scale if call.given["weight"] is None else scale * call.given["weight"]
    shift = -call.given["running_mean"] * scale
    shift = shift if call.given["bias"] is None else shift + call.given["bias"]
    scaled = build.add("mul", [call.given["input"], scale.reshape(shape)], call.shape)
    return [build.add("add", [scaled, shift.reshape(shape)], call.shape)]


@_rule("native_group_norm")
def _group_norm(build: Builder, call: Call) -> list[Place]:
    images, channels = call.shape[:2]
    flat = (images, call.given["group"], math.prod(call.shape[1:]) // call.given["group"])
    value = build.view(call.given["input"], flat)
    mean, squares = _squares(build, value, [2])
    spread = build.view(_along(build, "mean", squares, [2]), build.shape(mean))
    spread = build.add("add", [spread, call.given["eps"]], build.shape(mean))
    scale = build.add("rsqrt", [spread], build.shape(mean))
    made = build.add("mul", [build.add("sub", [value, mean], flat), scale], flat)
    made = build.view(made, call.shape)
    for kind, name in (("mul", "weight"), ("add", "bias")):
        for each in call.tensors(name):
            affine = each.reshape(channels, *[1] * (len(call.shape) - 2))
            made = build.add(kind, [made, affine], call.shape)
    return [made]


@_rule("_softmax")
def _softmax(build: Builder, call: Call) -> Place:
    num_axes, axis = len(call.shape), call.given["dim"] % len(call.shape)
    order = [each for each in range(num_axes) if each != axis] + [axis]
    moved = build.permute(call.given["self"], order)
    weights = build.add("softmax", [moved], build.shape(moved))
    return build.permute(weights, [order.index(each) for each in range(num_axes)])


@_rule("mm", "bmm")
def _product(build: Builder, call: Call) -> Place:
    return build.add("matmul", call.tensors("self", "mat2"), call.shape)


@_rule("addmm", "baddbmm")
def _product_and_sum(build: Builder, call: Call) -> Place:
    names = ("mat1", "mat2") if call.name == "addmm" else ("batch1", "batch2")
    if (call.given["alpha"], call.given["beta"]) != (1, 1):
        raise ConfigError("A page has no kernel for a product with a factor; write it out.")
    bias = call.given["self"]
    if build.shape(bias) == call.shape[-1:]:
        return build.add("matmul", [*call.tensors(*names), bias], call.shape)
    return build.add(
        "add", [build.add("matmul", call.tensors(*names), call.shape), bias], call.shape
    )


@_rule("convolution")
def _convolved(build: Builder, call: Call) -> Place:
    names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    settings = {name: call.given[name] for name in names}
    parts, shape = call.tensors("input", "weight", "bias"), call.shape
    if len(shape) == 3:  # a line is an image of one row
        parts[:2] = [build.view(each, _with_row(build.shape(each))) for each in parts[:2]]
        row = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
        settings |= {name: [fill, *settings[name]] for name, fill in row.items()}
        shape = _with_row(shape)
    if len(shape) != 4:
        raise ConfigError("A page has no kernel for convolutions of volumes.")
    return build.view(build.add("convolution", parts, shape, **settings), call.shape)


def _with_row(shape: Sequence[int]) -> Shape:
    return (*shape[:2], 1, *shape[2:])


@_rule("_linalg_solve_ex")
def _solved(build: Builder, call: Call) -> list[Place]:
    if not call.given["left"]:
        raise ConfigError("A page solves for columns alone.")
    return [build.add("solve", call.tensors("A", "B"), call.shape)]
