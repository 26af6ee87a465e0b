"""The tables of a model in memory: any `nn.Module`, by the names and sizes of its weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.model import TOKENS, model_tables
from orthogan.embeddings.projections import read_heads
from orthogan.embeddings.result import Layers, Tables
from orthogan.embeddings.tensors import LazyTensor, Model, positive
from orthogan.errors import ConfigError

# Names of the attribute that holds the number of heads, in torch, timm, transformers and here.
HEAD_ATTRIBUTES = ("num_heads", "num_attention_heads", "n_heads", "n_head", "heads", "nhead")


def read_module(module: nn.Module, options: LoadOptions) -> Tables:
    """The token table, position table and heads of a model in memory.

    Raises:
        DataError: nothing is recognised as a token table; name it with `embedding`.
    """
    model = module_model(module)
    if options.embedding is None and not model.matching(TOKENS, (2,)):
        only = [name for name, part in module.named_modules() if isinstance(part, nn.Embedding)]
        if len(only) == 1:
            options = replace(options, embedding=f"{only[0]}.weight".removeprefix("."))
    return model_tables(model, options)


def module_heads(module: nn.Module, *, num_heads: int | None = None) -> Layers:
    """Wq, Wk and Wv of every attention layer in a module, head by head.

    Args:
        module: A model or a single layer: `nn.MultiheadAttention`, `orthogan.Attention`, or
            anything whose weights are named like those of a model library.
        num_heads: Heads of every layer; None to ask the modules themselves.

    Raises:
        ConfigError: `num_heads` does not divide a layer, or no layer can be read.

    Warns:
        UserWarning: some layers were left out; the sentence says why.

    >>> layers = module_heads(nn.MultiheadAttention(8, 2))
    >>> len(layers), len(layers[0]), tuple(layers[0][0].query.shape)
    (1, 2, (8, 4))
    """
    notes: list[str] = []
    layers = read_heads(module_model(module), None, LoadOptions(num_heads=num_heads), notes)
    if not layers:
        why = " ".join(notes) or "no weights are named like those of attention."
        raise ConfigError(f"{type(module).__name__}: no attention layer can be read: {why}")
    for note in notes:
        warnings.warn(f"{type(module).__name__}: {note}", stacklevel=2)
    return layers


def module_model(module: nn.Module) -> Model:
    """A module's parameters and buffers as the tensors of a model; nothing is copied."""
    where = type(module).__name__
    return Model(
        where,
        {name: _stored(values) for name, values in module.state_dict().items()
         if isinstance(values, Tensor)},
        _config(module),
        lambda prefix: heads_of(module, prefix),
    )  # fmt: skip


def heads_of(module: nn.Module, prefix: str) -> int | None:
    """The number of heads that the submodule at a prefix, or the nearest around it, states."""
    pieces = prefix.split(".") if prefix else []
    inside_out = (module.get_submodule(".".join(pieces[:n])) for n in range(len(pieces), -1, -1))
    stated = (getattr(part, name, None) for part in inside_out for name in HEAD_ATTRIBUTES)
    return next((value for value in map(positive, stated) if value is not None), None)


def _stored(values: Tensor) -> LazyTensor:
    def load(num_rows: int | None) -> Tensor:
        part = values if num_rows is None else values[:num_rows]
        return part.detach().cpu()

    name = str(values.dtype)
    name = {"torch.float32": "F32", "torch.float64": "F64"}.get(name, name)
    return LazyTensor(tuple(values.shape), name, values.is_floating_point(), load)


def _config(module: nn.Module) -> Mapping[str, Any]:
    """What a model of the transformers library says about itself; empty for others."""
    config = getattr(module, "config", None)
    to_dict = getattr(config, "to_dict", None)
    settings = to_dict() if callable(to_dict) else None
    return settings if isinstance(settings, dict) else {}
