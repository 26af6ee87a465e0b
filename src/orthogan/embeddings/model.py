"""The tables of a model: which tensors are its tokens and positions, by the names of libraries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from orthogan.embeddings.families import is_known
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.positions import image_grid, position_codes
from orthogan.embeddings.projections import has_bias, read_heads
from orthogan.embeddings.quantised import check_quantised
from orthogan.embeddings.result import Tables, check_table, check_widths
from orthogan.embeddings.tensors import Model
from orthogan.errors import DataError, ShapeError, did_you_mean
from orthogan.shapes import Table

# Ends of tensor names; the first pattern that fits wins.
TOKENS = (
    r"embeddings\.word_embeddings\.weight",  # BERT, RoBERTa, DistilBERT, MiniLM, ALBERT
    r"embeddings\.tok_embeddings\.weight",  # ModernBERT
    r"wte\.weight",  # GPT-2
    r"tokens_embed\.weight",  # GPT
    r"word_embedding\.weight",  # XLNet
    r"embed_in\.weight",  # GPT-NeoX
    r"embed_tokens\.weight",  # Llama, OPT
    r"shared\.weight",  # T5, BART
    r"word_embeddings\.weight",  # BLOOM, Falcon
    r"tok_embeddings\.weight",  # Llama as Meta stores it
    r"token_embeddings?(\.weight)?",  # CLIP
    r"input_embedding\.weight",  # CPM-Ant
    r"(embeddings?|tokens)(\.weight)?",  # files written by hand
)
PATCHES = (
    r"patch_embeddings\.projection\.weight",  # ViT
    r"patch_embeddings?\.weight",  # DINOv3
    r"patch_embed\.proj\.weight",  # timm
    r"patch_embedding\.weight",  # CLIP
    r"patch_embed\.weight",  # AIMv2
    r"conv_proj\.weight",  # torchvision
)

# Settings that state the width of tokens; a family may have several, for what comes after them.
WIDTHS = (
    "hidden_size", "d_model", "n_embd", "dim", "embedding_size", "embed_dim", "emb_dim",
    "word_embed_proj_dim", "input_embedding_size", "input_hidden_size", "embedding_dim",
    "hidden_dim", "d_embed", "text_embed_dim", "model_dim", "trigram_input",
)  # fmt: skip

SEGMENTS = (
    r"token_type_embeddings(_\d+)?\.weight",  # BERT; TAPAS has seven
    r"segment_emb\.weight",  # Kosmos-2.5
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
    check_quantised(model)
    check_readable(model, options)
    name = embedding_name(model, options, notes)
    if options.embedding is None:
        check_of_pixels(model, name)
    tokens, own_labels = read_tokens(model, name, options.limit, notes)
    if options.embedding is None:
        check_stated_width(model, name, tokens.shape[1])
    tokens = _summed(model, name, tokens, notes)
    width = tokens.shape[1]
    codes = position_codes(model, options.positions, name, width, notes)
    if codes.table is not None and options.positions is not None:
        check_widths(width, codes.table.width, model.where)
    places = codes.read(model)
    grid = None
    if places is not None and len(model.tensors[name].shape) == 4:
        grid = image_grid(model, name, len(places), notes)
    shift = _shift(model, name, width, notes)
    heads = read_heads(model, width, options, notes)
    if any(has_bias(model, prefix) for prefix in heads.names):
        notes.append("Biases of queries, keys and values are left out of the heads.")
    if own_labels is None and labels is not None:
        rows = None if options.embedding is None else model.tensors[name].shape[0]
        own_labels = labels(len(tokens), rows, notes)
    return Tables(
        tokens, places, own_labels, heads, model.where, tuple(notes),
        grid=grid, codes=codes.kind, shift=shift,
    )  # fmt: skip


def check_readable(model: Model, options: LoadOptions) -> None:
    """Nothing, if the sum of the model's family is one of a token and a position.

    Raises:
        DataError: it is not, and the caller named no table to read by itself.
    """
    family = model.family("")
    if family is not None and family.codes == "refused" and options.embedding is None:
        raise DataError(
            f"{model.where}: a model of the family '{model.kind('')}' has no table of tokens to "
            f"read: {family.why}; name a tensor with embedding= to read it by itself."
        )


def check_of_pixels(model: Model, name: str) -> None:
    """Nothing, unless the patches of a model of images are of features and not of pixels.

    Raises:
        DataError: a network stands between the pixels and their projection.
    """
    backbone = f"{_home(name)}.backbone."
    if len(model.tensors[name].shape) == 4 and any(n.startswith(backbone) for n in model.tensors):
        raise DataError(
            f"{model.where}: '{name}' projects what a network ('{backbone[:-1]}') makes of the "
            "pixels, so there is no table of patches; name it with embedding= to read it by itself."
        )


def check_stated_width(model: Model, name: str, width: int) -> None:
    """Nothing, if the configuration of a known family states the width of the tokens, or none.

    Raises:
        DataError: it states only others: configuration and weights are of two models.
    """
    config, kind = model.tower(name), model.kind(name)
    if kind is None or not is_known(kind):
        return
    stated = {key: config[key] for key in WIDTHS if type(config.get(key)) is int}
    if stated and width not in stated.values():
        said = ", ".join(f"{key} {value}" for key, value in stated.items())
        raise DataError(
            f"{model.where}: config.json says {said}, the token table '{name}' has {width} "
            "columns; they belong to two models, or name a table with embedding=."
        )


def _summed(model: Model, name: str, tokens: Tensor, notes: list[str]) -> Tensor:
    """The tokens as they enter the sum with their positions: projected and scaled."""
    family = model.family(name)
    if family is None:
        return tokens
    kind = model.kind(name)
    if family.projection is not None:
        end = family.projection
        found = [other for other in model.tensors if other.endswith(end)]
        matrix = next(iter(found), None)
        if matrix is not None and model.tensors[matrix].shape[1:] == tokens.shape[1:]:
            tokens = tokens @ model.tensors[matrix].read().T
            notes.append(f"Tokens are projected by '{matrix}' before the sum, as '{kind}' does.")
    scale = family.scale(model.tower(name), tokens.shape[1])
    if scale != 1:
        tokens = scale * tokens
        notes.append(f"Tokens are multiplied by {scale:.6g} before the sum, as '{kind}' does.")
    return tokens


def _shift(model: Model, name: str, width: int, notes: list[str]) -> Tensor | None:
    """What is added to every token: the row of the first segment, in each table of segments."""
    if any(n.endswith("x_position_embeddings.weight") for n in model.tensors):
        notes.append(
            "The model also adds codes of each token's box on the page; they are left out."
        )
    home = _home(name)
    found = [other for other in model.matching(SEGMENTS, (2,)) if _home(other) == home]
    fitting = [model.tensors[n] for n in found if model.tensors[n].shape[1] == width]
    if not found:
        return None
    shown = "', '".join(found)
    notes.append(f"The model also adds a row of '{shown}': one shift for all tokens.")
    return torch.stack([tensor.read(1)[0] for tensor in fitting]).sum(0) if fitting else None


def _home(name: str) -> str:
    """The module that holds the table of this name."""
    return name.removesuffix(".weight").rpartition(".")[0]


def embedding_name(model: Model, options: LoadOptions, notes: list[str]) -> str:
    """The name of the token table, or of the patch projection of a model of images."""
    if options.embedding is not None:
        model.find(options.embedding)
        return options.embedding
    whole = model.family("")
    own = (re.escape(whole.tokens),) if whole is not None and whole.tokens is not None else ()
    found = (
        model.matching(own, (2,)) or model.matching(TOKENS, (2,)) or model.matching(PATCHES, (4,))
    )
    if not found:
        found = _only_matrix(model, notes)
    found.sort(key=lambda other: "decoder" in other)  # as with positions, the encoder's first
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
