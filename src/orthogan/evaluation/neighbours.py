r"""Exact nearest neighbours: float64 products rule pairs out, differences of rows decide the rest.

$|x|^2 + |y|^2 - 2 x y$ costs a matrix product, but cancels: of two equal rows nothing but rounding
is left of it. So the product only bounds a distance from below. Whatever the bound does not rule
out is taken from the difference of the two rows, whose rounding is relative to the distance itself:
equal rows lie at distance 0, and a pair has one distance, whatever the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.evaluation.features import check_same_width

BLOCK_ROWS = 64  # 64 x 10,000 float64 distances are 5 MB: they stay in the cache
SPARE = 3  # neighbours looked at beyond the last one asked for: near ties seldom need more


def distance_blocks(left: Tensor, right: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of a block of `left` rows to every row of `right`, block by block.

    Every block lies in the same memory: use it before asking for the next.
    """
    norms = left.square().sum(1, keepdim=True), right.square().sum(1)
    yield from _expansions(left, right, *norms)


class Bounds:
    """Lower bounds of the squared distances between two sets of rows, and the distances.

    Args:
        left: Rows, float64.
        right: Rows of the same width.
    """

    def __init__(self, left: Tensor, right: Tensor) -> None:
        check_same_width(left, right)
        self.left, self.right = left, right
        centre = right.mean(0)  # smaller norms cancel less
        self._left, self._right = left - centre, right - centre
        self._left_norms = self._left.square().sum(1, keepdim=True)
        self._right_norms = self._right.square().sum(1)
        # A dot product of D terms is off by at most (D u) |x| |y|, with u half an eps (Higham 2002,
        # section 3.1), the difference form likewise; 8 more roundings are those of the centring,
        # the norms and the sums. (|x| + |y|)^2 <= 2 |x|^2 + 2 |y|^2 gives each row a part.
        share = 2 * (left.shape[1] + 8) * torch.finfo(left.dtype).eps
        self._left_slack, self._right_slack = share * self._left_norms, share * self._right_norms

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Lower bounds of a block of `left` rows (rows) to every row of `right` (columns)."""
        norms = self._left_norms - self._left_slack, self._right_norms - self._right_slack
        yield from _expansions(self._left, self._right, *norms)

    def widths(self, i: Tensor, j: Tensor) -> Tensor:
        """How far the distances of pairs may at most lie above their lower bounds."""
        return 2 * (self._left_slack[i, 0] + self._right_slack[j])

    def exact(self, i: Tensor, j: Tensor) -> Tensor:
        """Squared distances of the pairs `i`, `j` from the differences of their rows."""
        return (self.left[i] - self.right[j]).square_().sum(-1)


def squared_radii(points: Tensor, num_neighbours: int) -> Tensor:
    """Squared distance of each point to its k-th nearest other point.

    Raises:
        ConfigError: there are not more than k points.
    """
    check_enough(points, num_neighbours)
    rows = points.double()
    return _nearest(Bounds(rows, rows), num_neighbours, is_same=True)[:, -1]


def check_enough(points: Tensor, num_neighbours: int) -> None:
    """Nothing, if every point has k others.

    Raises:
        ConfigError: there are not more than k points.
    """
    if len(points) <= num_neighbours:
        raise ConfigError(
            f"{num_neighbours} neighbours need more than {num_neighbours} images, "
            f"got {len(points)}; use more images."
        )


def nearest_distances(left: Tensor, right: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Distance of each row of `left` to its nearest and to its k-th nearest row of `right`."""
    found = _nearest(Bounds(left.double(), right.double()), k).sqrt_()
    return found[:, 0], found[:, -1]


def _nearest(bounds: Bounds, k: int, is_same: bool = False) -> Tensor:
    """The k smallest squared distances of every left row, ascending; of a set without itself."""
    found = torch.empty(len(bounds.left), k, dtype=bounds.left.dtype)
    num_looked = min(k + SPARE, len(bounds.right))
    for rows, low in bounds.blocks():
        index = torch.arange(rows.start, rows.stop)
        if is_same:
            low[index - rows.start, index] = torch.inf
        values, columns = low.topk(num_looked, largest=False)
        near = bounds.exact(index[:, None], columns).masked_fill_(values.isinf(), torch.inf)
        found[rows] = near.sort(1).values[:, :k]
        if num_looked == len(bounds.right):
            continue
        # The k-th of some bounds the k-th of all from above. Nobody lies below distance 0.
        limits = found[rows, -1]
        for row in ((values[:, -1] < limits) & (limits > 0)).nonzero()[:, 0].tolist():
            others = (low[row] <= limits[row]).nonzero()[:, 0]
            near = bounds.exact(index[row, None], others)
            found[rows.start + row] = near.sort().values[:k]
    return found


def _expansions(
    left: Tensor, right: Tensor, left_norms: Tensor, right_norms: Tensor
) -> Iterator[tuple[slice, Tensor]]:
    scratch = torch.empty(min(BLOCK_ROWS, len(left)), len(right), dtype=left.dtype)
    for start in range(0, len(left), BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, len(left)))
        block = scratch[: rows.stop - rows.start]
        torch.addmm(right_norms, left[rows], right.T, alpha=-2, out=block)
        yield rows, block.add_(left_norms[rows])
