"""The list of steps that a page runs: a few dozen kinds of operations on float32 tensors.

The kernels of the page are in `orthogan/export/page`; those here are the same in PyTorch, by which
a program is compared with the network that it was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from orthogan.shapes import Latents

# A dimension: that many, or, below zero, so many times the number of images.
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One value of a program.

    Attributes:
        kind: `input`, `constant`, or the name of a kernel.
        inputs: Places of the values that it is made from.
        shape: Of what is made; below zero, so many times the number of images.
        settings: What else the kernel needs; plain numbers and lists.
    """

    kind: str
    inputs: tuple[int, ...]
    shape: Shape
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """How images are made from noise of unit mean square.

    Attributes:
        steps: In order; each reads earlier ones.
        constants: The tensors of the steps of kind `constant`, by their place, float32.
        images: Place of the images, `B C H W`.
        weights: Places of the attention weights, `B N T S`, one a layer, in order.
    """

    steps: Sequence[Step]
    constants: Mapping[int, Tensor]
    images: int
    weights: Sequence[int]


@torch.inference_mode()
def run(program: Program, noise: Latents, constants: Mapping[int, Tensor] | None = None) -> Tensor:
    """The images that a program makes, step by step, in PyTorch.

    Args:
        program: The program.
        noise: Latents of unit mean square.
        constants: What to take for the program's own.
    """
    constants = program.constants if constants is None else constants
    values: list[Tensor] = []
    for place, step in enumerate(program.steps[: program.images + 1]):
        if step.kind == "input":
            values.append(noise)
        elif step.kind == "constant":
            values.append(constants[place])
        else:
            shape = [max(size, -size * len(noise)) for size in step.shape]
            given = [values[each] for each in step.inputs]
            values.append(KERNELS[step.kind](given, shape, step.settings).reshape(shape))
    return values[program.images]


def _unary(function: Callable[[Tensor], Tensor]) -> Kernel:
    return lambda given, _shape, _settings: function(given[0])


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    return lambda given, _shape, _settings: function(*given).float()


def _matmul(given: list[Tensor], _shape: list[int], _settings: Mapping[str, Any]) -> Tensor:
    product = given[0] @ given[1]
    return product + given[2] if len(given) > 2 else product


def _convolution(given: list[Tensor], _shape: list[int], settings: Mapping[str, Any]) -> Tensor:
    images, weight, *bias = given
    return torch.convolution(
        images,
        weight,
        bias[0] if bias else None,
        settings["stride"],
        settings["padding"],
        settings["dilation"],
        settings["transposed"],
        settings["output_padding"],
        settings["groups"],
    )


def _slice(given: list[Tensor], shape: list[int], settings: Mapping[str, Any]) -> Tensor:
    axis, start, step = settings["axis"], settings["start"], settings["step"]
    places = start + step * torch.arange(shape[axis])
    return given[0].index_select(axis, places)


def _pad(given: list[Tensor], shape: list[int], settings: Mapping[str, Any]) -> Tensor:
    made = torch.full(shape, settings["value"])
    inside = made
    for axis, (before, length) in enumerate(zip(settings["before"], given[0].shape, strict=True)):
        inside = inside.narrow(axis, before, length)
    inside.copy_(given[0])
    return made


Kernel: TypeAlias = Callable[[list[Tensor], list[int], Mapping[str, Any]], Tensor]

KERNELS: dict[str, Kernel] = {
    # The same numbers in another order.
    "view": lambda given, shape, _: given[0].reshape(shape),
    "permute": lambda given, _, settings: given[0].permute(settings["order"]),
    "expand": lambda given, shape, _: given[0].expand(shape),
    "slice": _slice,
    "pad": _pad,
    "cat": lambda given, _, settings: torch.cat(given, settings["axis"]),
    "take": lambda given, _, settings: given[0].index_select(
        settings["axis"], torch.tensor(settings["places"])
    ),
    # Number by number.
    "neg": _unary(torch.neg),
    "abs": _unary(torch.abs),
    "exp": _unary(torch.exp),
    "expm1": _unary(torch.expm1),
    "log": _unary(torch.log),
    "log1p": _unary(torch.log1p),
    "sqrt": _unary(torch.sqrt),
    "rsqrt": _unary(torch.rsqrt),
    "square": _unary(torch.square),
    "reciprocal": _unary(torch.reciprocal),
    "sin": _unary(torch.sin),
    "cos": _unary(torch.cos),
    "tanh": _unary(torch.tanh),
    "sigmoid": _unary(torch.sigmoid),
    "relu": _unary(torch.relu),
    "erf": _unary(torch.erf),
    "floor": _unary(torch.floor),
    "sign": _unary(torch.sign),
    "not": _unary(lambda given: (given == 0).float()),
    "add": _binary(torch.add),
    "sub": _binary(torch.sub),
    "mul": _binary(torch.mul),
    "div": _binary(torch.div),
    "pow": _binary(torch.pow),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "eq": _binary(torch.eq),
    "ne": _binary(torch.ne),
    "lt": _binary(torch.lt),
    "le": _binary(torch.le),
    "gt": _binary(torch.gt),
    "ge": _binary(torch.ge),
    "where": lambda given, _, __: torch.where(given[0] != 0, given[1], given[2]),
    # Along axes, the last ones.
    "sum": lambda given, _, settings: given[0].flatten(-settings["axes"]).sum(-1),
    "mean": lambda given, _, settings: given[0].flatten(-settings["axes"]).mean(-1),
    "amax": lambda given, _, settings: given[0].flatten(-settings["axes"]).amax(-1),
    "amin": lambda given, _, settings: given[0].flatten(-settings["axes"]).amin(-1),
    "softmax": lambda given, _, __: given[0].softmax(-1),
    # Products.
    "matmul": _matmul,
    "convolution": _convolution,
    "solve": lambda given, _, __: torch.linalg.solve(*given),
}
