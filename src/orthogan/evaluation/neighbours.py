r"""Exact nearest neighbours: products rule pairs out, differences of rows decide the rest.

$|x|^2 + |y|^2 - 2 x y$ costs a matrix product, but cancels: of two equal rows nothing but rounding
is left of it. So the product only bounds a distance from below. Whatever the bound does not rule
out is taken from the difference of the two rows, whose rounding is relative to the distance itself:
equal rows lie at distance 0, and a pair has one distance, whatever the order of the rows.

Float32 products leave a few pairs open of an ordinary set, and most of them where clusters lie far
apart; a block of rows like that is bounded once more in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from orthogan.devices import full_float32
from orthogan.errors import ConfigError
from orthogan.evaluation.features import check_same_width

BLOCK_ROWS = 128  # 128 x 10,000 float32 distances are 5 MB: they stay in the cache
SPARE = 3  # neighbours looked at beyond the last one asked for: near ties seldom need more
# Fraction of the pairs of a block that differences decide in about the time of a float64 product.
MANY = 1e-3
# Rows of such a size have float32 squares that neither overflow nor vanish to less than UNDERFLOW.
SMALLEST, LARGEST, UNDERFLOW = 1e-10, 1e10, 1e-35


def row_blocks(count: int) -> Iterator[slice]:
    """Runs of at most `BLOCK_ROWS` rows."""
    for start in range(0, count, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, count))


class Bounds:
    """Lower bounds of the squared distances between two sets of rows.

    Args:
        left: Rows, float64.
        right: Rows of the same width.
        dtype: Precision of the products.
    """

    def __init__(self, left: Tensor, right: Tensor, dtype: torch.dtype) -> None:
        centre = right.mean(0)  # smaller norms cancel less
        self.is_close = dtype == torch.float64
        self._left, self._right = (left - centre).to(dtype), (right - centre).to(dtype)
        norms = self._left.square().sum(1, keepdim=True), self._right.square().sum(1)
        # A product of D terms is off by at most (D u) |x| |y|, with u half an eps (Higham 2002,
        # section 3.1), the difference form likewise; 8 more roundings are those of the centring,
        # the norms and the sums. (|x| + |y|)^2 <= 2 |x|^2 + 2 |y|^2 gives each row a part.
        share = 2 * (left.shape[1] + 8) * torch.finfo(dtype).eps
        lost = 0.0 if self.is_close else UNDERFLOW
        self._slack = share * norms[0] + lost, share * norms[1] + lost
        self._norms = norms[0] - self._slack[0], norms[1] - self._slack[1]
        self._scratch = torch.empty(min(BLOCK_ROWS, len(left)), len(right), dtype=dtype)

    def block(self, rows: slice) -> Tensor:
        """Bounds between some left rows and every right row; the next call reuses their memory."""
        norms = self._norms[0][rows], self._norms[1]
        return _expansion((self._left[rows], self._right), norms, self._scratch)

    def widths(self, i: Tensor, j: Tensor) -> Tensor:
        """How far the distances of pairs may at most lie above their bounds."""
        return 2 * (self._slack[0][i, 0] + self._slack[1][j])


class Distances:
    """Squared distances between two sets of rows: bounds of all of them, some of them exactly.

    Args:
        left: Rows.
        right: Rows of the same width.

    Raises:
        ShapeError: the widths differ.
    """

    def __init__(self, left: Tensor, right: Tensor) -> None:
        check_same_width(left, right)
        self.left, self.right = left.double(), right.double()
        self._wide: Bounds | None = None
        self._narrow: Bounds | None = None
        size = max(float(rows.abs().amax()) if rows.numel() else 0.0 for rows in (left, right))
        if SMALLEST < size < LARGEST:
            self._narrow = Bounds(self.left, self.right, torch.float32)

    def bounds(self) -> Iterator[Bounds]:
        """The quick bounds, if there are any, and the close ones."""
        if self._narrow is not None:
            yield self._narrow
            self._narrow = None  # it left too much open, and will of the other rows
        if self._wide is None:
            self._wide = Bounds(self.left, self.right, torch.float64)
        yield self._wide

    def exact(self, i: Tensor, j: Tensor) -> Tensor:
        """Squared distances of the pairs `i`, `j` from the differences of their rows."""
        return (self.left[i] - self.right[j]).square_().sum(-1)


def squared_radii(points: Tensor, num_neighbours: int) -> Tensor:
    """Squared distance of each point to its k-th nearest other point.

    Raises:
        ConfigError: there are not more than k points.
    """
    check_enough(points, num_neighbours)
    return _nearest(Distances(points, points), num_neighbours, is_same=True)[:, -1]


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
    found = _nearest(Distances(left, right), k).sqrt_()
    return found[:, 0], found[:, -1]


def _nearest(distances: Distances, k: int, is_same: bool = False) -> Tensor:
    """The k smallest squared distances of every left row, ascending; of a set without itself."""
    found = torch.empty(len(distances.left), k, dtype=torch.float64)
    for rows in row_blocks(len(found)):
        for bounds in distances.bounds():
            low = bounds.block(rows)
            if is_same:
                low.diagonal(rows.start).fill_(torch.inf)
            near, is_open = _nearest_of(distances, rows, low, k)
            found[rows] = near
            row = is_open.nonzero()[:, 0]
            limits = near[row, -1:]
            others = low[row] <= limits
            if bounds.is_close or int(others.sum()) <= MANY * low.numel():
                break
        for place, chosen in zip(row.tolist(), others, strict=True):
            i = rows.start + place
            near = distances.exact(torch.tensor([i]), chosen.nonzero()[:, 0])
            found[i] = near.sort().values[:k]
    return found


def _nearest_of(distances: Distances, rows: slice, low: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest among those with the lowest bounds, and whether there may be smaller ones."""
    num_looked = min(k + SPARE, low.shape[1])
    values, columns = low.topk(num_looked, largest=False)
    index = torch.arange(rows.start, rows.stop)[:, None]
    near = distances.exact(index, columns).masked_fill_(values.isinf(), torch.inf)
    near = near.sort(1).values[:, :k]
    # The k-th of some bounds the k-th of all from above. Nobody lies below distance 0.
    is_open = (values[:, -1] < near[:, -1]) & (near[:, -1] > 0)
    return near, is_open & (num_looked < low.shape[1])


def _expansion(
    sets: tuple[Tensor, Tensor], norms: tuple[Tensor, Tensor], scratch: Tensor
) -> Tensor:
    block = scratch[: len(sets[0])]
    with full_float32():
        torch.addmm(norms[1], sets[0], sets[1].T, alpha=-2, out=block)
    return block.add_(norms[0])
