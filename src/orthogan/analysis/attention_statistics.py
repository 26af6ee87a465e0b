r"""What a head does in common over many images: how far, how sharply, and how alike it attends.

Weights without softmax may be negative or not sum to one; entropy, distances and offsets are then
those of the absolute weights of each query, divided by their sum: $p_s = |w_s| / \sum_r |w_r|$.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.attention import offset_kernel
from orthogan.attention.offset_forms import grid_positions
from orthogan.errors import DataError, ShapeError
from orthogan.shapes import Weights

# Weights whose variance is below this part of their mean square are equal up to rounding:
# float32 weights differ from equal ones by some 1e-7, and that squared is 1e-14.
EQUAL = 1e-11


@dataclass(frozen=True)
class Patches:
    """Which tokens of a sequence are patches of a grid.

    Attributes:
        grid: Rows and columns; of a sequence one row.
        num_class: Class tokens before them.
    """

    grid: tuple[int, int]
    num_class: int = 0

    @property
    def num_tokens(self) -> int:
        """Class tokens and patches together."""
        return self.num_class + self.grid[0] * self.grid[1]


@dataclass(frozen=True, kw_only=True)
class HeadStatistics:
    r"""One head over many images.

    Attributes:
        entropy_fraction: Mean entropy of the queries over its maximum $\ln S$: 0 where each query
            attends to one token, 1 where it attends to all alike.
        attended: $e^H$ with the mean entropy $H$: by how many tokens a query's attention is
            shared out.
        position_fraction: Of the variance of all weights, the fraction that is the same in every
            image: that of the mean map. None where all weights are equal, or for one image.
        content_fraction: The remaining fraction, which differs from image to image.
        place_fraction: Of the variance of the mean map, the fraction explained by the patch
            attended to, whichever patch asks: the same places for all. None where it is constant.
        offset_fraction: Likewise explained by the offset from query to patch, as in a convolution.
        distance: Mean distance from a patch to the patches it attends to, in patches.
        uniform_distance: The same if it attended to all patches alike.
        profile: By distance rounded to whole patches, from 0: mean attention of a pair of patches,
            as a multiple of that of all pairs.
        mean_offset: Mean (rows, columns) from a patch to what it attends to; positive is down and
            right. (0, 0) for uniform attention.
        top_offset: The (rows, columns) with the largest mean attention, of those that at least
            half of the patches have.
        top_lift: That attention as a multiple of the mean over all pairs.
        self_fraction: Attention of a patch to itself.
        class_fraction: Attention of a patch to the class tokens; 0 without them.
        negative_fraction: Of all absolute weight, what is negative; 0 with softmax.
        detail_lift: Mean detail of the patches attended to, as a multiple of that of all patches;
            see `orthogan.analysis.patch_detail.detail_lifts`. None where there are no images.
    """

    entropy_fraction: float
    attended: float
    position_fraction: float | None
    content_fraction: float | None
    place_fraction: float | None
    offset_fraction: float | None
    distance: float
    uniform_distance: float
    profile: tuple[float, ...]
    mean_offset: tuple[float, float]
    top_offset: tuple[int, int]
    top_lift: float
    self_fraction: float
    class_fraction: float
    negative_fraction: float
    detail_lift: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; `json.dumps` takes it."""
        return asdict(self)


class MapTally:
    """Weights of one layer, added image by image; what is kept does not grow with their number.

    >>> tally = MapTally(Patches((1, 2)))
    >>> tally.add(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]))
    >>> tally.mean[0].tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """

    def __init__(self, patches: Patches) -> None:
        self.patches = patches
        self.num_images = 0
        self._sum: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0
        self._attention: Tensor | float = 0.0
        self._num_rows: Tensor | float = 0.0
        self._entropy: Tensor | float = 0.0
        self._size: Tensor | float = 0.0
        self._negative: Tensor | float = 0.0

    def add(self, weights: Weights) -> None:
        """Adds the maps of some images.

        Raises:
            DataError: a weight is not finite.
            ShapeError: they are not weights of these patches to themselves.
        """
        num_tokens = self.patches.num_tokens
        if weights.shape[-2:] != (num_tokens, num_tokens):
            raise ShapeError(
                f"{num_tokens} tokens attend to themselves with weights {num_tokens} x "
                f"{num_tokens}, got {tuple(weights.shape[-2:])}."
            )
        exact = weights.detach().double().cpu()
        if not bool(exact.isfinite().all()):
            raise DataError("Attention weights hold NaN or infinite values; nothing is measured.")
        sizes = exact.abs()
        totals = sizes.sum(-1, keepdim=True)
        has_any = totals > 0  # a query may read nothing where rectified weights are all 0
        attention = sizes / totals.where(has_any, 1.0)
        self.num_images += len(exact)
        self._sum = self._sum + exact.sum(0)
        self._squares = self._squares + exact.square().sum((0, 2, 3))
        self._attention = self._attention + attention.sum(0)
        self._num_rows = self._num_rows + has_any.double().sum(0)
        self._entropy = self._entropy + torch.special.entr(attention).sum((0, 2, 3))
        self._size = self._size + sizes.sum((0, 2, 3))
        self._negative = self._negative + exact.clamp_max(0).abs().sum((0, 2, 3))

    @property
    def mean(self) -> Tensor:
        """The mean map `N T S` of the weights."""
        self._need_images()
        return torch.as_tensor(self._sum) / self.num_images

    @property
    def attention(self) -> Tensor:
        """The mean map `N T S` of the attention, whose rows sum to one or, if unused, to zero."""
        self._need_images()
        return torch.as_tensor(self._attention) / torch.as_tensor(self._num_rows).clamp_min(1.0)

    def statistics(self) -> tuple[HeadStatistics, ...]:
        """What each head does in common.

        Raises:
            DataError: no image was added.
        """
        attention, position = self.attention, self._position_fractions(self.mean)
        rows = torch.as_tensor(self._num_rows).sum((1, 2)).clamp_min(1.0)
        entropies = (torch.as_tensor(self._entropy) / rows).tolist()
        sizes = torch.as_tensor(self._size)
        negative = (torch.as_tensor(self._negative) / sizes.where(sizes > 0, 1.0)).tolist()
        return tuple(
            _head(attention[n], self.patches, entropies[n], position[n], negative[n])
            for n in range(len(attention))
        )

    def _position_fractions(self, mean: Tensor) -> list[float | None]:
        r"""Unbiased components of variance, one-way: between cells of the map and within them.

        $\hat\sigma^2_{within} = \frac{1}{B - 1} \sum_{b,t,s} (w_{bts} - \bar w_{ts})^2$ and
        $\hat\sigma^2_{between} = \sum_{t,s} (\bar w_{ts} - \bar w)^2 - \hat\sigma^2_{within} / B$:
        the second term is what a mean over B images varies by chance.

        Source: Searle, Casella and McCulloch 1992, "Variance components", section 3.5.
        """
        if self.num_images < 2:
            return [None] * len(mean)
        about = (mean - mean.mean((1, 2), keepdim=True)).square().sum((1, 2))
        squares = torch.as_tensor(self._squares)
        rest = (squares - self.num_images * mean.square().sum((1, 2))).clamp_min(0)
        within = rest / (self.num_images - 1)
        between = (about - within / self.num_images).clamp_min(0)
        total = within + between
        smallest = EQUAL * squares / self.num_images
        return [
            float(part / whole) if whole > least else None
            for part, whole, least in zip(between, total, smallest, strict=True)
        ]

    def _need_images(self) -> None:
        if self.num_images == 0:
            raise DataError("No attention map was seen; give at least one image.")


def moved_fraction(one: Tensor, other: Tensor) -> list[float]:
    r"""How much of the attention of two mean maps lies on different tokens, head by head.

    $\frac{1}{2 T} \sum_{t,s} |p_{ts} - q_{ts}|$, the total variation distance of the rows: 0 for
    equal maps, 1 where no query attends to a token in both.

    Args:
        one: `N T S`, rows that sum to one.
        other: Likewise.

    >>> moved_fraction(torch.eye(2)[None], torch.full((1, 2, 2), 0.5))
    [0.5]
    """
    found: list[float] = ((one - other).abs().sum(-1).mean(-1) / 2).tolist()
    return found


def _head(
    attention: Tensor,
    patches: Patches,
    entropy: float,
    position: float | None,
    negative: float,
) -> HeadStatistics:
    first = patches.num_class
    between = attention[first:, first:]
    places = grid_positions(patches.grid).double()
    offsets = places[None] - places[:, None]
    lengths = offsets.norm(dim=-1)
    total = float(between.sum()) or 1.0
    kernel = offset_kernel(between, patches.grid)
    top, lift = _top_offset(kernel.kernel, patches.grid, total / len(places) ** 2)
    down, right = ((between[..., None] * offsets).sum((0, 1)) / total).tolist()
    is_even = bool((between - between.mean()).square().mean() <= EQUAL * between.square().mean())
    num_tokens = patches.num_tokens
    return HeadStatistics(
        entropy_fraction=entropy / math.log(num_tokens) if num_tokens > 1 else 1.0,
        attended=math.exp(entropy),
        position_fraction=position,
        content_fraction=None if position is None else 1 - position,
        place_fraction=None if is_even else _place_fraction(between),
        offset_fraction=None if is_even else kernel.share,
        distance=float((between * lengths).sum()) / total,
        uniform_distance=float(lengths.mean()),
        profile=_profile(between, lengths, total),
        mean_offset=(down, right),
        top_offset=top,
        top_lift=lift,
        self_fraction=float(attention.diagonal()[first:].mean()),
        class_fraction=float(attention[first:, :first].sum(-1).mean()),
        negative_fraction=negative,
    )


def _place_fraction(between: Tensor) -> float:
    about = between - between.mean()
    columns = len(between) * about.mean(0).square().sum()
    return float(columns / about.square().sum())


def _profile(between: Tensor, lengths: Tensor, total: float) -> tuple[float, ...]:
    rings = lengths.round().long().flatten()
    pairs = rings.bincount()
    found = rings.bincount(between.flatten(), minlength=len(pairs))
    # Of a long thin grid every whole distance occurs; of a square one too.
    lifts: list[float] = (found / pairs.clamp_min(1) / (total / between.numel())).tolist()
    return tuple(lifts)


def _top_offset(
    kernel: Tensor, grid: tuple[int, int], uniform: float
) -> tuple[tuple[int, int], float]:
    """The offset of most attention, of those that at least half of the patches have."""
    down = torch.arange(1 - grid[0], grid[0])[:, None]
    right = torch.arange(1 - grid[1], grid[1])[None]
    pairs = (grid[0] - down.abs()) * (grid[1] - right.abs())
    frequent = kernel.masked_fill(2 * pairs < grid[0] * grid[1], -1.0)
    best = int(frequent.argmax())
    row, col = divmod(best, kernel.shape[1])
    lift = float(kernel.flatten()[best]) / (uniform or 1.0)
    return (row - grid[0] + 1, col - grid[1] + 1), lift
