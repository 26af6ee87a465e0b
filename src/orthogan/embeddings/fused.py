"""Queries, keys and values that one matrix makes: in which order its rows lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from orthogan.embeddings.tensors import Model

# All queries, then all keys, then all values, unless the model is one of those below.
FUSED = ("c_attn", "qkv", "Wqkv", "in_proj_weight", "in_proj", "qkv_proj", "query_key_value")
# Per group of queries: these queries, their key, their value.
IN_GROUPS = {"gpt_neox", "gpt_neox_japanese", "bloom", "falcon", "gpt_bigcode"}
UNKNOWN_ORDER = {"codegen"}  # fused in an order of its own for the accelerator it was trained on

Parts: TypeAlias = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Fused:
    """The order of rows in a fused matrix.

    Attributes:
        num_heads: Heads of the queries.
        groups: Heads of the keys; fewer where several queries share a key.
        size: Rows of a head.
        in_groups: Each group of queries is followed by its key and value.
        is_turned: The matrix is stored as (in, out), as GPT-2 does.
        width: Width of the vectors it reads.
    """

    num_heads: int
    groups: int
    size: int
    in_groups: bool
    is_turned: bool
    width: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Rows of the queries, keys and values."""
        return self.size * self.num_heads, self.size * self.groups, self.size * self.groups

    def split(self, values: Tensor) -> Parts:
        """Queries, keys and values along the last axis, head after head."""
        if not self.in_groups:
            query, key, value = values.split(list(self.sizes), dim=-1)
            return query, key, value
        shared = self.num_heads // self.groups
        grouped = values.unflatten(-1, (self.groups, shared + 2, self.size))
        query, key, value = grouped.split([shared, 1, 1], dim=-2)
        return query.flatten(-3), key.flatten(-3), value.flatten(-3)


def fused_layout(model: Model, name: str, leaf: str, num_heads: int) -> Fused | str:
    """How the rows of a fused matrix are ordered, or why that is not known."""
    shape = model.tensors[name].shape
    kind = model.kind(name)
    in_groups = kind in IN_GROUPS or (leaf == "query_key_value" and "gpt_neox." in name)
    if kind in UNKNOWN_ORDER or (leaf == "query_key_value" and not in_groups):
        return f"the order inside of the fused '{leaf}' is not known for this model"
    # GPT-2 stores its weight as (in, out); every linear layer as (out, in).
    is_turned = leaf == "c_attn" and shape[1] == 3 * shape[0]
    rows, width = shape[::-1] if is_turned else shape
    size = model.whole(name, "head_dim") or width // num_heads
    groups = (rows // size - num_heads) // 2 if size else 0
    if groups < 1 or rows != size * (num_heads + 2 * groups) or num_heads % groups:
        return f"the fused '{leaf}' of {rows} rows is not made of {num_heads} heads"
    return Fused(num_heads, groups, size, in_groups, is_turned, width)
