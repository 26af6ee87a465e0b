"""Any model's tensors as `Tables`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.positions import position_table
from orthogan.embeddings.projections import has_bias, read_heads
from orthogan.embeddings.result import Tables, check_widths
from orthogan.embeddings.tensors import Model
from orthogan.embeddings.token_table import embedding_name, read_tokens

Labels: TypeAlias = Callable[[int, int | None, list[str]], tuple[str, ...] | None]


def model_tables(model: Model, options: LoadOptions, labels: Labels | None = None) -> Tables:
    """Token table, position table and heads of a model.

    Args:
        model: Its tensors.
        options: What the caller named.
        labels: The labels of the first rows, given their number, the rows of a table that the
            caller named, and a list for notes.

    Raises:
        UnknownNameError: a named tensor does not exist.
        DataError: nothing is recognised as a token table, or it is not finite.
        ShapeError: a named tensor is not a table, or tokens and positions differ in width.
    """
    notes: list[str] = []
    name = embedding_name(model, options, notes)
    tokens, own_labels = read_tokens(model, name, options.limit, notes)
    width = tokens.shape[1]
    table = position_table(model, options.positions, name, notes)
    if table is not None and options.positions is not None:
        check_widths(width, table.width, model.where)
    if table is not None and table.width != width:
        notes.append(
            f"The position table '{table.name}' has width {table.width}, the tokens {width}: "
            "it does not displace them and was left out."
        )
        table = None
    segments = next((n for n in model.tensors if n.endswith("token_type_embeddings.weight")), None)
    if segments is not None:
        notes.append(f"The model also adds a row of '{segments}': one shift for all tokens.")
    heads = read_heads(model, width, options, notes)
    if any(has_bias(model, prefix) for prefix in heads.names):
        notes.append("Biases of queries, keys and values are left out of the heads.")
    if own_labels is None and labels is not None:
        rows = None if options.embedding is None else model.tensors[name].shape[0]
        own_labels = labels(len(tokens), rows, notes)
    places = None if table is None else table.read(model)
    return Tables(tokens, places, own_labels, heads, model.where, tuple(notes))
