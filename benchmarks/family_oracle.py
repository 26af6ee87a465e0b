"""What a model really adds to its tokens at each position, seen from its own forward pass.

Two contents that are the same token at every position are run. A tensor inside the model whose
difference between both is the same at every position, while the tensor itself changes from
position to position, is a token plus something of the position: that something is what is added.
Where no tensor of such a text changes from position to position, nothing is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

NEAR = 1e-4  # relative; sums of float32 numbers near 1
SMALLEST = 1e-7  # a change below it is rounding
# Modules in which tokens meet each other.
MIXERS = re.compile(
    r"attn|attention|mixer|mamba|ssm|conv|recurrent|block_sparse|time_mix|lstm|rg_lru"
)
PARALLEL = 1e-9  # a layer norm turns a difference by more, and float32 rounds by less


@dataclass(frozen=True)
class Added:
    """What a forward pass adds.

    Attributes:
        kind: "added", "none", or "unclear" where positions act in another way than by a sum.
        where: The module and side at which it was seen.
        difference: One token minus the other, as they are summed.
        sums: The first content with what is added to it, one row a position; None for "unclear".
        prefix: Rows before those of the content: tokens of the class and the like.
    """

    kind: str
    where: str
    difference: Tensor
    sums: Tensor
    prefix: int


def added(first: list[tuple[str, Tensor]], second: list[tuple[str, Tensor]], length: int) -> Added:
    """What is added to the contents, by the events of two runs; `length` contents each.

    Raises:
        LookupError: no tensor depends on the content.
    """
    seen: Added | None = None
    plain: Added | None = None
    is_plain_over = False
    for found, is_even, is_varied in _contents(first, second, length):
        if is_varied and is_even:
            if seen is not None and not _parallel(seen.difference, found.difference):
                return seen
            seen = found
        elif is_varied:
            if seen is not None:
                return seen
            if plain is not None and MIXERS.search(found.where):
                return plain  # tokens met each other before any of them met a position
            return replace(found, kind="unclear")
        elif seen is None and not is_plain_over:
            if plain is None or _parallel(plain.difference, found.difference):
                plain = replace(found, kind="none")
            else:
                is_plain_over = True
    if seen is None and plain is None:
        raise LookupError("no tensor inside depends on the content")
    return seen if seen is not None else plain  # type: ignore[return-value]


def _contents(
    first: list[tuple[str, Tensor]], second: list[tuple[str, Tensor]], length: int
) -> Iterator[tuple[Added, bool, bool]]:
    """Tensors that depend on the content, whether all contents change alike, whether they vary."""
    for (name, one), (_, other) in zip(first, second, strict=True):
        if one.shape != other.shape or one.shape[0] < length or not bool(one.isfinite().all()):
            continue
        change = one - other
        size = float(change.abs().max())
        rows = (change.abs().amax(1) > NEAR * size).nonzero()[:, 0] if size > SMALLEST else []
        if len(rows) != length or int(rows[-1]) - int(rows[0]) + 1 != length:
            continue
        prefix = int(rows[0])
        content = one[prefix : prefix + length]
        changes = change[prefix : prefix + length]
        is_varied = float((content - content[0]).abs().max()) > NEAR * float(content.abs().max())
        yield (
            Added("added", name, changes[0], content, prefix),
            _spread(changes) < NEAR,
            is_varied,
        )


def _spread(differences: Tensor) -> float:
    return float((differences - differences[0]).abs().max() / differences.abs().max())


def _parallel(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    cosine = torch.nn.functional.cosine_similarity(one.double(), other.double(), dim=0)
    return bool(cosine.abs() > 1 - PARALLEL)
