"""Queries, keys and values of a module while it runs, by forward hooks.

Fused attention returns no weights, so what it reads is taken instead: the outputs of the layers
that make queries, keys and values, or for `nn.MultiheadAttention` its inputs times its matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from orthogan.embeddings.modules import module_model
from orthogan.embeddings.projections import (
    Projection,
    Split,
    as_they_are,
    layer_heads,
    matrices_by_module,
    projecting_leaves,
    projection,
)
from orthogan.errors import ConfigError, ShapeError, UnknownNameError

MAX_NAMES = 8


@dataclass(frozen=True, eq=False)
class Activations:
    """What one attention layer read in one call.

    Attributes:
        name: The module around the layer's projections.
        query: `B N T K`: batch, heads, tokens, size of a head.
        key: `B N S K`; fewer heads than queries where several share a key.
        value: `B N S V`.
    """

    name: str
    query: Tensor = field(repr=False)
    key: Tensor = field(repr=False)
    value: Tensor = field(repr=False)


@dataclass(frozen=True)
class HookPoint:
    """One attention layer: the modules to listen to, and how their outputs are taken apart.

    Attributes:
        name: The module around the layer's projections.
        modules: Names of the modules whose outputs are needed, in the order `split` takes them.
        split: Outputs -> queries, keys, values, each `B T (N K)`.
    """

    name: str
    modules: tuple[str, ...]
    split: Split = field(repr=False)


def capture(
    module: nn.Module,
    inputs: Any,
    *,
    query: str | None = None,
    key: str | None = None,
    value: str | None = None,
    num_heads: int | None = None,
) -> list[Activations]:
    """Queries, keys and values of every attention layer during one forward pass, head by head.

    The module runs once without gradients and in evaluation mode; its modes are put back and its
    hooks removed afterwards, also after an error.

    Args:
        module: A model or a layer.
        inputs: A tensor, a tuple of positional arguments, or a dictionary of named ones.
        query: Pattern of the names of the modules that make queries, like "*.q_proj"; None to
            look for the names of the model libraries.
        key: Pattern of the modules that make keys; give all three or none.
        value: Pattern of the modules that make values.
        num_heads: Heads of the queries in every layer; None to ask the modules.

    Returns:
        One record a layer and call, in the order in which the calls ended.

    Raises:
        ConfigError: patterns that match different numbers of modules, or unknown heads.
        UnknownNameError: a pattern matches no module; the sentence holds the nearest.
        ShapeError: an output cannot be split into that many heads.

    Not covered: keys and values kept from an earlier pass, rotations of rotary models, which are
    applied after these layers.

    >>> layer = nn.MultiheadAttention(8, 2, batch_first=True)
    >>> tokens = torch.zeros(1, 5, 8)
    >>> capture(layer, (tokens, tokens, tokens))[0].query.shape
    torch.Size([1, 2, 5, 4])
    """
    hook_points, watched = _watched(module, (query, key, value), num_heads)
    found: list[Activations] = []
    with listening(module) as listen:
        for hook_point in hook_points:
            _listen_to(module, hook_point, num_heads, found, listen)
        for name, layer in watched.items():
            hook = partial(_multihead, name, num_heads, found)
            listen(layer.register_forward_hook(hook, with_kwargs=True))
        run_module(module, inputs)
    _check_reached([*(hook_point.name for hook_point in hook_points), *watched], found)
    return found


def _watched(
    module: nn.Module, patterns: tuple[str | None, ...], num_heads: int | None
) -> tuple[list[HookPoint], dict[str, nn.MultiheadAttention]]:
    """The layers to listen to: those made of modules, and those of torch that call none."""
    if any(patterns):
        return named_hook_points(module, patterns), {}
    hook_points = known_hook_points(module, num_heads)
    parts = module.named_modules()
    of_torch = {name: part for name, part in parts if isinstance(part, nn.MultiheadAttention)}
    if not hook_points and not of_torch:
        raise ConfigError(
            f"{type(module).__name__}: no attention layer is recognised; name the modules that "
            "make queries, keys and values with query=, key= and value=."
        )
    return hook_points, of_torch


def _check_reached(names: list[str], found: list[Activations]) -> None:
    seen = {activation.name for activation in found}
    silent = [name for name in names if name not in seen]
    if silent:
        raise ConfigError(
            f"{', '.join(silent[:MAX_NAMES])}: took no part in this forward pass; give inputs that "
            "reach every layer, or patterns of those that are reached."
        )


@contextmanager
def listening(module: nn.Module) -> Iterator[Callable[[RemovableHandle], None]]:
    """Inside, the module is in evaluation mode and takes no gradients; hooks given go at the end.

    Args:
        module: A model or a layer; its modes are put back afterwards, also after an error.
    """
    handles: list[RemovableHandle] = []
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield handles.append
    finally:
        for handle in handles:
            handle.remove()
        for part, was_training in modes:
            part.training = was_training


def _listen_to(
    module: nn.Module,
    hook_point: HookPoint,
    num_heads: int | None,
    found: list[Activations],
    listen: Callable[[RemovableHandle], None],
) -> None:
    outputs: dict[str, Tensor] = {}
    heads = num_heads or layer_heads(module_model(module), hook_point.name)

    def hook(name: str, _: nn.Module, __: Any, output: Any) -> None:
        outputs[name] = output[0] if isinstance(output, tuple) else output
        if len(outputs) == len(set(hook_point.modules)):
            parts = hook_point.split([outputs[part] for part in hook_point.modules])
            outputs.clear()
            found.append(_activations(hook_point.name, parts, heads))

    for name in set(hook_point.modules):
        listen(module.get_submodule(name).register_forward_hook(partial(hook, name)))


def _multihead(
    name: str,
    num_heads: int | None,
    found: list[Activations],
    layer: nn.MultiheadAttention,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    _: Any,
) -> None:
    given = dict(zip(("query", "key", "value"), args, strict=False)) | dict(kwargs)
    bias = layer.in_proj_bias
    biases = bias.chunk(3) if bias is not None else (None, None, None)
    whole = getattr(layer, "in_proj_weight", None)  # None where keys have another width
    separate = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
    weights = separate if whole is None else whole.chunk(3)
    parts = []
    for part, weight, shift in zip(("query", "key", "value"), weights, biases, strict=True):
        tokens = given[part]
        batched = tokens.unsqueeze(0 if layer.batch_first else 1) if tokens.dim() == 2 else tokens
        first = batched if layer.batch_first else batched.transpose(0, 1)
        parts.append(functional.linear(first, weight, shift))
    found.append(_activations(name, (parts[0], parts[1], parts[2]), num_heads or layer.num_heads))


def run_module(module: nn.Module, inputs: Any) -> None:
    """Calls a module with a tensor, a tuple of arguments, or a mapping of named ones."""
    if isinstance(inputs, Mapping):
        module(**inputs)
    elif isinstance(inputs, tuple):
        module(*inputs)
    else:
        module(inputs)


def _activations(
    name: str, parts: tuple[Tensor, Tensor, Tensor], num_heads: int | None
) -> Activations:
    if num_heads is None:
        raise ConfigError(f"'{name}': its number of heads is not known; give num_heads=.")
    query, key, value = parts
    width = query.shape[-1]
    size = width // num_heads
    if size == 0 or width % num_heads or key.shape[-1] % size:
        raise ShapeError(
            f"'{name}': queries of width {width} and keys of width {key.shape[-1]} do not split "
            f"into {num_heads} heads; give the number that the model has with num_heads=."
        )
    groups = key.shape[-1] // size
    if value.shape[-1] % groups:
        raise ShapeError(
            f"'{name}': values of width {value.shape[-1]} do not split into {groups} heads."
        )
    return Activations(name, _split(query, num_heads), _split(key, groups), _split(value, groups))


def _split(sequence: Tensor, num_heads: int) -> Tensor:
    if sequence.dim() == 2:
        sequence = sequence.unsqueeze(0)
    separate: Tensor = sequence.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    return separate.detach().clone()


def known_hook_points(module: nn.Module, num_heads: int | None) -> list[HookPoint]:
    """The attention layers whose projections are named like those of a model library.

    Raises:
        ConfigError: the number of heads is not known, or the order of a fused projection.
    """
    model = module_model(module)
    called = {name for name, _ in module.named_modules()}
    hook_points = []
    for prefix, leaves in matrices_by_module(model).items():
        names = tuple(leaves[leaf].removesuffix(".weight") for leaf in projecting_leaves(leaves))
        if not names or not called.issuperset(names):
            continue  # no attention, or weights without a module of their own
        layer = projection(model, prefix, leaves, num_heads)
        if not isinstance(layer, Projection):
            why = str(layer).replace("their", "its", 1).replace(", give", "; give")
            raise ConfigError(f"'{prefix}': {why}.")
        hook_points.append(HookPoint(prefix, names, layer.split))
    return hook_points


def named_hook_points(module: nn.Module, patterns: Sequence[str | None]) -> list[HookPoint]:
    """The attention layers whose queries, keys and values are made by modules of these names.

    Raises:
        ConfigError: a pattern is missing, or they match different numbers of modules.
        UnknownNameError: a pattern matches nothing.
    """
    names = [name for name, _ in module.named_modules() if name]
    matched: list[list[str]] = []
    for option, pattern in zip(("query", "key", "value"), patterns, strict=True):
        if pattern is None:
            raise ConfigError(f"Give query, key and value together; {option} is missing.")
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            raise UnknownNameError("pattern of modules", pattern, names)
        matched.append(found)
    if len({len(found) for found in matched}) != 1:
        counts = ", ".join(str(len(found)) for found in matched)
        raise ConfigError(
            f"The patterns of query, key and value match {counts} modules; they have to match "
            "the same layers."
        )
    return [
        HookPoint(triple[0].rpartition(".")[0], triple, as_they_are)
        for triple in zip(*matched, strict=True)
    ]
