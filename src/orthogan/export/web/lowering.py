"""From a graph of PyTorch's operations to the few kinds that a page has kernels for."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from orthogan.errors import ConfigError
from orthogan.export.web.builder import Builder, Place
from orthogan.export.web.program import Program, Shape, Step
from orthogan.export.web.rules import RULES, Call


def lowered(exported: ExportedProgram) -> Program:
    """The program of a captured generator; what depends on no noise is computed here, once.

    Raises:
        ConfigError: a page has no kernel for one of its operations.
    """
    made = _user_outputs(exported)
    builder, known = Builder(), _stored(exported)
    for node in _needed(exported.graph, made):
        if node.op == "placeholder" and node not in known:
            known[node] = builder.add("input", (), _shape(node.meta["val"]))
        elif node.op == "call_function":
            known[node] = _result(builder, node, known)
    places = [builder.place(known[node]) for node in made]
    return _pruned(builder, places)


def _user_outputs(exported: ExportedProgram) -> list[fx.Node]:
    (output,) = (node for node in exported.graph.nodes if node.op == "output")
    named = {node.name: node for node in output.all_input_nodes}
    return [named[name] for name in exported.graph_signature.user_outputs]


def _stored(exported: ExportedProgram) -> dict[fx.Node, Any]:
    """The weights by the nodes that stand for them."""
    signature = exported.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors = {**exported.state_dict, **exported.constants}
    return {
        node: tensors[names[node.name]].detach()
        for node in exported.graph.nodes
        if node.op == "placeholder" and node.name in names
    }


def _needed(graph: fx.Graph, made: Sequence[fx.Node]) -> list[fx.Node]:
    """The nodes that what is made depends on, in order: no checks, no counts of nothing."""
    needed, waiting = set[fx.Node](), list(made)
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += node.all_input_nodes
    return [node for node in graph.nodes if node in needed]


class _Count:
    """The number of images, or a multiple of it; the shapes of the steps have it."""


def _result(builder: Builder, node: fx.Node, known: dict[fx.Node, Any]) -> Any:
    """What a node makes: a tensor that is known now, or a step; of several results, all."""
    value: Any = node.meta.get("val")
    if isinstance(value, torch.SymInt | int):
        return _Count()
    args: Any = fx.node.map_arg(node.args, lambda each: known[each])
    named: Any = fx.node.map_arg(node.kwargs, lambda each: known[each])
    if node.target is operator.getitem:
        return args[0][args[1]]
    if not any(isinstance(leaf, Place | _Count) for leaf in [*_leaves(args), *_leaves(named)]):
        assert callable(node.target)  # noqa: S101 - as calls are
        return node.target(*args, **named)
    if not isinstance(node.target, torch._ops.OpOverload):  # noqa: SLF001 - it has no other name
        raise _refusal(str(node.target))
    several = isinstance(value, list | tuple)
    shapes = [_shape(each) for each in value] if several else [_shape(value)]
    name = node.target.overloadpacket.__name__
    if name not in RULES:
        raise _refusal(name)
    call = Call(name, _by_name(node.target, args, named), shapes[0], shapes)
    return RULES[name](builder, call)


def _refusal(name: str) -> ConfigError:
    return ConfigError(
        f"A page has no kernel for the operation '{name}', which this generator uses, and only as "
        "an ONNX file could it be drawn."
    )


def _by_name(target: Any, args: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """All arguments of an operation by the names that its schema has for them."""
    expected = target._schema.arguments  # noqa: SLF001 - PyTorch tells it nowhere else
    given = {each.name: each.default_value for each in expected}
    return {**given, **dict(zip((each.name for each in expected), args, strict=False)), **named}


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


def _shape(value: Any) -> Shape:
    """The shape of a tensor of the graph; a multiple of the number of images counts below zero."""
    if not isinstance(value, Tensor):
        return ()
    return tuple(_dimension(size) for size in value.shape)


def _dimension(size: int | torch.SymInt) -> int:
    if isinstance(size, int):
        return size
    expression = size.node.expr
    once, twice = (int(expression.subs(dict.fromkeys(expression.free_symbols, n))) for n in (1, 2))
    if twice != 2 * once:
        raise ConfigError(
            f"A page draws any number of images at a time, and a dimension of this generator "
            f"grows with them as {expression}; export it with --to onnx."
        )
    return -once


def _pruned(builder: Builder, places: Sequence[int]) -> Program:
    """The program without what nobody reads, the steps of the images before the others."""
    order: dict[int, int] = {}

    def number(place: int) -> None:
        if place not in order:
            for each in builder.steps[place].inputs:
                number(each)
            order[place] = len(order)

    for place in places:
        number(place)
    steps = [
        Step(step.kind, tuple(order[each] for each in step.inputs), step.shape, step.settings)
        for step in map(builder.steps.__getitem__, order)
    ]
    constants = {
        order[place]: tensor for place, tensor in builder.constants.items() if place in order
    }
    images, *weights = (order[place] for place in places)
    return Program(steps, constants, images, weights)
