"""Which weights make queries, keys and values, by the names and layouts of model libraries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from orthogan.embeddings.fused import FUSED, Parts, fused_layout
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Head, Layer, Layers
from orthogan.embeddings.tensors import Model
from orthogan.errors import ConfigError

SEPARATE = (
    ("query", "key", "value"),  # BERT, ViT
    ("q_proj", "k_proj", "v_proj"),  # Llama, OPT, CLIP, BART
    ("q_lin", "k_lin", "v_lin"),  # DistilBERT
    ("q", "k", "v"),  # T5, MPNet
    ("to_q", "to_k", "to_v"),
    ("query_proj", "key_proj", "value_proj"),  # DeBERTa
    ("wq", "wk", "wv"),  # Llama as Meta stores it
    ("q_proj_weight", "k_proj_weight", "v_proj_weight"),  # torch, keys of another width
)
OURS = ("query", "key_value")
SHARING = "queries_a_key"  # of ours, where several heads share their keys and values
HEAD_SETTINGS = (
    "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
)  # fmt: skip

Split = Callable[[Sequence[Tensor]], Parts]


@dataclass(frozen=True)
class Projection:
    """The attention layer at a prefix.

    Attributes:
        names: Its weights: of queries, keys and values; of queries and the rest; or of all.
        width: What the queries are made of; None where queries and keys differ in it.
        sizes: Rows of Wq, Wk and Wv.
        num_heads: Heads of the queries.
        split: What the weights make of vectors -> queries, keys, values, along the last axis.
        is_turned: The weights are stored as (in, out).
    """

    names: tuple[str, ...]
    width: int | None
    sizes: tuple[int, int, int]
    num_heads: int
    split: Split = field(repr=False)
    is_turned: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether the sizes can be split into heads: whole ones, keys shared by whole groups."""
        queries, keys, values = self.sizes
        size = queries // self.num_heads
        if size == 0 or queries % self.num_heads or keys % size:
            return False
        groups = keys // size
        return groups > 0 and self.num_heads % groups == 0 and values % groups == 0

    def read(self, model: Model) -> Parts:
        """Wq, Wk and Wv as (out, in) matrices."""
        weights = [model.tensors[name].read() for name in self.names]
        # Row i of W^T is what the layer makes of the i-th unit vector, so that weights are taken
        # apart as outputs are.
        query, key, value = self.split([w if self.is_turned else w.T for w in weights])
        return query.T, key.T, value.T


def split_heads(parts: Parts, num_heads: int) -> Layer:
    """The heads of a layer; where several heads share a key, each gets it.

    Args:
        parts: Wq, Wk and Wv as (out, in) matrices, heads one after the other.
        num_heads: Number of query heads.

    >>> import torch
    >>> layer = split_heads((torch.eye(4), torch.eye(4)[:2], torch.eye(4)[2:]), num_heads=2)
    >>> len(layer), layer[1].query.T, layer[1].key.T
    (2, tensor([[0., 0., 1., 0.],
            [0., 0., 0., 1.]]), tensor([[1., 0., 0., 0.],
            [0., 1., 0., 0.]]))
    """
    query, key, value = parts
    groups = len(key) // (len(query) // num_heads)
    queries, keys, values = query.chunk(num_heads), key.chunk(groups), value.chunk(groups)
    shared = num_heads // groups
    return tuple(
        Head(queries[h].T, keys[h // shared].T, values[h // shared].T) for h in range(num_heads)
    )


def read_heads(model: Model, width: int | None, options: LoadOptions, notes: list[str]) -> Layers:
    """The heads of every attention layer that reads tokens of `width` (None: of any width).

    `notes` gets a sentence on every kind of layer that was left out.

    Raises:
        ConfigError: the given number of heads does not divide a layer.
    """
    found: dict[str, Projection] = {}
    skipped: dict[str, int] = {}
    layers = matrices_by_module(model).items()
    for prefix, leaves in sorted(layers, key=lambda item: _natural(item[0])):
        layer = projection(model, prefix, leaves, options.num_heads)
        why = layer if isinstance(layer, str) else _unfit(layer, width, options, prefix)
        if isinstance(layer, Projection) and not why:
            found[prefix] = layer
        elif why:
            skipped[why] = skipped.get(why, 0) + 1
    notes += [f"{n} attention layers were left out: {why}." for why, n in skipped.items()]

    def read(prefix: str) -> Layer:
        return split_heads(found[prefix].read(model), found[prefix].num_heads)

    return Layers(tuple(found), read)


def matrices_by_module(model: Model) -> dict[str, dict[str, str]]:
    """Matrices by the module they are the weights of: prefix -> leaf -> name."""
    prefixes: dict[str, dict[str, str]] = {}
    for name, tensor in model.tensors.items():
        if len(tensor.shape) == 2 and tensor.is_floating:
            prefix, _, leaf = name.removesuffix(".weight").rpartition(".")
            prefixes.setdefault(prefix, {})[leaf] = name
    return prefixes


def projection(
    model: Model, prefix: str, leaves: Mapping[str, str], num_heads: int | None
) -> Projection | str | None:
    """The layer at a prefix, why it cannot be read, or None where there is no attention."""
    parts = projecting_leaves(leaves)
    if not parts:
        return None
    num_heads = num_heads or layer_heads(model, prefix)
    if num_heads is None:
        return "their number of heads is not known, give num_heads="
    names = tuple(leaves[leaf] for leaf in parts)
    if len(names) == 1:
        layout = fused_layout(model, names[0], parts[0], num_heads)
        if isinstance(layout, str):
            return layout
        return Projection(
            names, layout.width, layout.sizes, num_heads,
            lambda outputs: layout.split(outputs[0]), layout.is_turned,
        )  # fmt: skip
    rows, widths = zip(*(model.tensors[name].shape for name in names), strict=True)
    width = widths[0] if widths[0] == widths[1] else None
    if len(names) == 3:
        return Projection(names, width, rows, num_heads, as_they_are)
    group = 1
    if SHARING in leaves:
        group = int(model.tensors[leaves[SHARING]].read()[0, 0])
    keys = rows[0] // max(1, group)
    sizes = (rows[0], keys, rows[1] - keys)
    return Projection(names, width, sizes, num_heads, partial(_key_value, keys))


def projecting_leaves(leaves: Iterable[str]) -> tuple[str, ...]:
    """Which of a module's weights make queries, keys and values; none in a module without.

    Three make one each; two, as here, queries and the rest; one makes all.

    >>> projecting_leaves(["o_proj", "v_proj", "k_proj", "q_proj"])
    ('q_proj', 'k_proj', 'v_proj')
    """
    have = set(leaves)
    known: tuple[tuple[str, ...], ...] = (*SEPARATE, OURS, *((leaf,) for leaf in FUSED))
    return next((parts for parts in known if have.issuperset(parts)), ())


def layer_heads(model: Model, prefix: str) -> int | None:
    """The number of heads of the layer at a prefix, as the model or its configuration says."""
    known = model.count_heads(prefix)
    if known is not None:
        return known
    if "decoder" in prefix and "decoder_attention_heads" in model.tower(prefix):
        return model.whole(prefix, "decoder_attention_heads")
    return model.whole(prefix, *HEAD_SETTINGS)


def as_they_are(outputs: Sequence[Tensor]) -> Parts:
    """Queries, keys and values that three weights make."""
    query, key, value = outputs
    return query, key, value


def _key_value(keys: int, outputs: Sequence[Tensor]) -> Parts:
    """Of ours, the second weight makes the keys and then the values."""
    query, both = outputs
    key, value = both.split([keys, both.shape[-1] - keys], dim=-1)
    return query, key, value


def _unfit(
    layer: Projection | None, width: int | None, options: LoadOptions, prefix: str
) -> str | None:
    if layer is None:
        return None
    if not layer.is_sound:
        sizes = " + ".join(map(str, layer.sizes))
        if options.num_heads:
            raise ConfigError(
                f"num_heads = {layer.num_heads} does not divide the layer '{prefix}', whose "
                f"queries, keys and values have {sizes} rows."
            )
        return f"{sizes} rows are not made of {layer.num_heads} heads"
    if layer.width is None:
        return "their queries and keys are made of vectors of different widths"
    if width is not None and layer.width != width:
        return f"they read vectors of width {layer.width}, the tokens have {width}"
    return None


def has_bias(model: Model, prefix: str) -> bool:
    """Whether the layer at a prefix adds biases to its queries, keys or values."""
    dot = prefix + "." if prefix else ""
    leaves = [*(leaf for triple in SEPARATE for leaf in triple), *FUSED]
    names = [f"{dot}in_proj_bias", *(f"{dot}{leaf}.bias" for leaf in leaves)]
    return any(name in model.tensors for name in names)


def _natural(prefix: str) -> list[tuple[int, int, str]]:
    """Orders 'layer.10' after 'layer.9'."""
    pieces = re.split(r"(\d+)", prefix)
    return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in pieces]
