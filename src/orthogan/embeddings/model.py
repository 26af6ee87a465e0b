"""The tables of a model: which tensors are its tokens and positions, by the names of libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.positions import position_table
from orthogan.embeddings.projections import has_bias, read_heads
from orthogan.embeddings.result import Tables, check_table, check_widths
from orthogan.embeddings.tensors import Model
from orthogan.errors import DataError, ShapeError, did_you_mean
from orthogan.shapes import Table

# Ends of tensor names; the first pattern that fits wins.
TOKENS = (
    r"embeddings\.word_embeddings\.weight",  # BERT, RoBERTa, DistilBERT, MiniLM, ALBERT
    r"embeddings\.tok_embeddings\.weight",  # ModernBERT
    r"wte\.weight",  # GPT-2
    r"embed_in\.weight",  # GPT-NeoX
    r"embed_tokens\.weight",  # Llama, OPT
    r"shared\.weight",  # T5, BART
    r"word_embeddings\.weight",  # BLOOM, Falcon
    r"tok_embeddings\.weight",  # Llama as Meta stores it
    r"token_embeddings?(\.weight)?",  # CLIP
    r"(embeddings?|tokens)(\.weight)?",  # files written by hand
)
PATCHES = (
    r"patch_embeddings\.projection\.weight",  # ViT
    r"patch_embed\.proj\.weight",  # timm
    r"patch_embedding\.weight",  # CLIP
    r"conv_proj\.weight",  # torchvision
)

Labels: TypeAlias = Callable[[int, int | None, list[str]], tuple[str, ...] | None]


def model_tables(model: Model, options: LoadOptions, labels: Labels | None = None) -> Tables:
    """Token table, position table and heads of a model.

    Args:
        model: Its tensors.
        options: What the caller named.
        labels: The labels of the first rows, given their number, the rows of a table that the
            caller named, and a list for notes.
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


def embedding_name(model: Model, options: LoadOptions, notes: list[str]) -> str:
    """The name of the token table, or of the patch projection of a model of images."""
    if options.embedding is not None:
        model.find(options.embedding)
        return options.embedding
    found = model.matching(TOKENS, (2,)) or model.matching(PATCHES, (4,))
    if not found:
        found = _only_matrix(model, notes)
    if len(found) > 1:
        notes.append(
            f"Several token tables: {', '.join(found)}; '{found[0]}' was taken, "
            "name another with embedding=."
        )
    return found[0]


def _only_matrix(model: Model, notes: list[str]) -> list[str]:
    matrices = {
        name: tensor.shape[0] * tensor.shape[1]
        for name, tensor in model.tensors.items()
        if len(tensor.shape) == 2 and tensor.is_floating
    }
    if len(matrices) == 1:
        notes.append(f"The only matrix, '{next(iter(matrices))}', was taken as the token table.")
        return list(matrices)
    largest = sorted(matrices, key=lambda name: -matrices[name])[:10]
    quantised = any(not t.is_floating and len(t.shape) == 2 for t in model.tensors.values())
    why = " Quantised tables are not read." if quantised else ""
    raise DataError(
        f"{model.where}: no tensor is recognised as a token table; name one with embedding=."
        f"{why}{did_you_mean('embeddings.weight', largest)}"
    )


def read_tokens(
    model: Model, name: str, limit: int | None, notes: list[str]
) -> tuple[Table, tuple[str, ...] | None]:
    """The token table of that name, and labels where the tensor itself gives them."""
    tensor = model.find(name)
    shape = tensor.shape
    if len(shape) == 4:
        return _lit_pixels(model, name, limit, notes)
    if len(shape) == 3 and shape[0] == 1:
        tokens = tensor.read()[0][:limit]
    elif len(shape) == 2:
        tokens = tensor.read(limit)
    else:
        raise ShapeError(
            f"{model.where}: a token table has one row a token, '{name}' has shape {shape}; "
            "name another tensor with embedding=."
        )
    if tensor.dtype not in ("F64", "F32"):
        notes.append(f"The tables are stored as {tensor.dtype} and were turned to float32.")
    check_table(tokens, f"{model.where}: '{name}'")
    return tokens, None


def _lit_pixels(
    model: Model, name: str, limit: int | None, notes: list[str]
) -> tuple[Table, tuple[str, ...]]:
    kernel = model.find(name).read()
    tokens = kernel.flatten(1).T[:limit].contiguous()
    bias = model.tensors.get(name.removesuffix("weight") + "bias")
    if bias is not None and bias.shape == (kernel.shape[0],):
        tokens = tokens + bias.read()
    notes.append(
        "A model of images has no table of tokens: row i is the embedding of the patch whose "
        "value i is 1 and whose other values are 0."
    )
    _, colours, height, width = kernel.shape
    labels = tuple(
        f"colour {c}, row {r}, col {k}"
        for c in range(colours)
        for r in range(height)
        for k in range(width)
    )
    return tokens, labels[:limit]
