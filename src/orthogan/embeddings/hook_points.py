"""Which modules of a model make queries, keys and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from torch import Tensor, nn

from orthogan.embeddings.fused import Parts, fused_layout
from orthogan.embeddings.modules import module_model
from orthogan.embeddings.projections import layer_heads, matrices_by_module, projecting_leaves
from orthogan.embeddings.tensors import Model
from orthogan.errors import ConfigError, UnknownNameError


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
    split: Callable[[Sequence[Tensor]], Parts] = field(repr=False)


def known_hook_points(module: nn.Module, num_heads: int | None) -> list[HookPoint]:
    """The attention layers whose projections are named like those of a model library.

    Raises:
        ConfigError: a fused projection whose order or number of heads is not known.
    """
    model = module_model(module)
    called = {name for name, _ in module.named_modules()}
    hook_points = []
    for prefix, leaves in matrices_by_module(model).items():
        parts = projecting_leaves(leaves)
        names = tuple(leaves[leaf].removesuffix(".weight") for leaf in parts)
        if not parts or not called.issuperset(names):
            continue  # no attention, or weights without a module of their own
        split = {3: _as_they_are, 2: _key_value}.get(len(parts))
        hook_points.append(
            HookPoint(prefix, names, split or _fused(model, prefix, names[0], num_heads))
        )
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
        HookPoint(triple[0].rpartition(".")[0], triple, _as_they_are)
        for triple in zip(*matched, strict=True)
    ]


def _fused(
    model: Model, prefix: str, name: str, num_heads: int | None
) -> Callable[[Sequence[Tensor]], Parts]:
    heads = num_heads or layer_heads(model, prefix)
    if heads is None:
        raise ConfigError(f"'{prefix}': its number of heads is not known; give num_heads=.")
    layout = fused_layout(model, f"{name}.weight", name.rpartition(".")[2], heads)
    if isinstance(layout, str):
        raise ConfigError(f"'{prefix}': {layout}.")
    known = layout
    return lambda outputs: known.split(outputs[0])


def _as_they_are(outputs: Sequence[Tensor]) -> Parts:
    query, key, value = outputs
    return query, key, value


def _key_value(outputs: Sequence[Tensor]) -> Parts:
    query, both = outputs
    key, value = both.split([query.shape[-1], both.shape[-1] - query.shape[-1]], dim=-1)
    return query, key, value
