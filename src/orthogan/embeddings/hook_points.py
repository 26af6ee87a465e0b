"""Which modules of a model make queries, keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from torch import nn

from orthogan.embeddings.modules import module_model
from orthogan.embeddings.projections import (
    Projection,
    Split,
    as_they_are,
    matrices_by_module,
    projecting_leaves,
    projection,
)
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
    split: Split = field(repr=False)


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
