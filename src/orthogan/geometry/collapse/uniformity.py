r"""How alike the tokens of an image are, and how far that is a collapse."""

from __future__ import annotations

from torch import Tensor

from orthogan.geometry.collapse.decomposition import TwoCollapses
from orthogan.geometry.inputs import exact
from orthogan.shapes import Tokens


def token_uniformity(states: Tokens) -> float:
    r"""How alike the tokens of an image are, averaged over images: 1 where they are all the same.

    $1 - \frac1C \sum_c \|X_c - \mathbf 1 \bar x_c^\top\|_F / \|X_c\|_F$

    Args:
        states: Images x tokens x width.

    Raises:
        ShapeError: not three axes, or an empty one.
        DataError: a value is not finite.

    Source: one minus the mean `token_residual` (Dong, Cordonnier, Loukas 2021, section 2). Not
        covered: a part that all tokens of all images share makes them alike too; the context
        share of `two_collapses` leaves it out.

    >>> import torch
    >>> token_uniformity(torch.ones(3, 4, 2))
    1.0
    """
    cube = exact("states", states, "images tokens width")
    largest = cube.abs().amax(dim=(1, 2), keepdim=True)
    unit = cube / largest.where(largest > 0, 1.0)
    first = unit[:, :1]
    mean = first + (unit - first).mean(1, keepdim=True)  # exact where all tokens are alike
    length = unit.norm(dim=(1, 2))
    residual: Tensor = (unit - mean).norm(dim=(1, 2)) / length.where(length > 0, 1.0)
    return float(1 - residual.clamp(max=1).mean())


def rank_collapse_share(states: TwoCollapses) -> float:
    r"""How far the tokens of every image have become alike: 0 as by chance or less, 1 entirely.

    The context share on the scale from its null to 1, $(s_{ctx} - n) / (1 - n)$ with
    $n = (C - 1) / (CT - 1)$, cut at 0; 1 where nothing varies, 0 with one token, which cannot
    tell.

    Args:
        states: Decomposed hidden states; see `two_collapses`.

    Source: `two_collapses`; its context share is 1 iff all tokens of every image are alike.

    >>> import torch
    >>> from orthogan.geometry.collapse.decomposition import two_collapses
    >>> images = torch.tensor([[[1.0], [1.0]], [[2.0], [2.0]]])
    >>> rank_collapse_share(two_collapses(images))
    1.0
    """
    null = states.null_shares[1]
    if states.tokens == 1:
        return 0.0
    if not states.total_energy:
        return 1.0
    return max((states.context - null) / (1 - null), 0.0)
