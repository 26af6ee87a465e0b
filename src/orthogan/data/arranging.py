"""Which images share a batch: any, each kind in its proportion, unlike ones, or alike ones."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from orthogan import rng
from orthogan.data.order import Order
from orthogan.shapes import Features, Labels

IID, BALANCED, DECORRELATED, CORRELATED = "iid", "balanced", "decorrelated", "correlated"
POOLS_AT_ONCE = 64  # arranged side by side: their tables take some 60 MB
POOL = 8  # batches that are filled from the same images: the more, the less they must take
RIDGE = 0.05  # of a unit vector's square: beyond the dimensions of the codes every image is the sum
# of others, and is then chosen by how little it resembles them


class Stratified(Order):
    """Shuffled epochs in which every stretch holds each kind in its proportion.

    Images of a kind are spread evenly over the epoch, from a random first place on; so a batch has
    of each kind its share of the batch, to within one or two.

    Args:
        kinds: The kind of each image.
        seed: Run seed.

    Raises:
        ConfigError: there are no images, or the seed is out of range.

    Source: stratified sampling with proportional allocation, Cochran 1977, section 5.3.

    >>> kinds = torch.arange(80) % 4
    >>> kinds[Stratified(kinds, seed=0).batch(images_seen=0, batch_size=40)].bincount().tolist()
    [10, 10, 10, 10]
    """

    def __init__(self, kinds: Labels, seed: int) -> None:
        super().__init__(len(kinds), seed)
        self._kinds = kinds

    def _draw(self, epoch: int) -> Tensor:
        shuffled = super()._draw(epoch)
        kinds = self._kinds[shuffled]
        counts = kinds.bincount()
        grouped = kinds.argsort(stable=True)
        starts = counts.cumsum(0) - counts
        rank = torch.empty_like(grouped)
        rank[grouped] = torch.arange(len(kinds)) - starts[kinds[grouped]]
        first = torch.from_numpy(rng.stream(self.seed, "strata", epoch).random(len(counts)))
        return shuffled[((rank + first[kinds]) / counts[kinds]).argsort()]


class _Pooled(Order):
    """Shuffled epochs, cut into pools of eight batches that subclasses arrange; a rest stays."""

    def __init__(self, codes: Features, seed: int, batch_size: int) -> None:
        super().__init__(len(codes), seed)
        self._codes, self._batch_size = unit(codes), batch_size

    def _draw(self, epoch: int) -> Tensor:
        shuffled = super()._draw(epoch)
        size = POOL * self._batch_size
        count = len(shuffled) // size * size
        if not count:
            return shuffled  # fewer images than a pool
        pools = shuffled[:count].reshape(-1, size)
        return torch.cat([*map(self._arranged, pools.split(POOLS_AT_ONCE)), shuffled[count:]])

    @abstractmethod
    def _arranged(self, pools: Tensor) -> Tensor:
        """The images of some pools, batch after batch."""


class Decorrelated(_Pooled):
    r"""Shuffled epochs whose batches hold images that are as unlike as can be.

    Eight batches at a time are filled from as many images as they hold. In turn each takes the
    image that most increases the determinant of its Gram matrix,
    $\log\det(C_S C_S^\top + \epsilon I)$ of unit codes: the one that is least a sum of those that
    the batch has. No image is seen more or less often than others, so the mean gradient of an
    epoch stays what it is; only the noise of single batches changes.

    Args:
        codes: A few numbers an image, such as principal components, about their mean.
        seed: Run seed.
        batch_size: Images of a batch; the first batches of a run are such blocks.

    Raises:
        ConfigError: there are no images, or the seed is out of range.

    Source: greedy maximum of a determinantal point process, Chen, Zhang and Zhou 2018, algorithm 1;
    in batches, Zhang, Kjellstrom and Mandt 2017. Not covered: batches that grow during a run hold
    several of these blocks.
    """

    def _arranged(self, pools: Tensor) -> Tensor:
        return pools.gather(1, spread_out(self._codes[pools], POOL)).flatten()


class Correlated(_Pooled):
    """Shuffled epochs whose batches hold images that resemble each other: the opposite, to compare.

    Args:
        codes: A few numbers an image, about their mean.
        seed: Run seed.
        batch_size: Images of a batch.

    Raises:
        ConfigError: there are no images, or the seed is out of range.
    """

    def _arranged(self, pools: Tensor) -> Tensor:
        pieces = []
        for pool in pools:
            left = pool
            while len(left):
                likeness = self._codes[left] @ self._codes[left[0]]
                order = likeness.argsort(descending=True, stable=True)
                pieces.append(left[order[: self._batch_size]])
                left = left[order[self._batch_size :].sort().values]
        return torch.cat(pieces)


def unit(codes: Features) -> Features:
    """Codes about their mean, of length 1; those of length 0 stay."""
    centred = codes - codes.mean(0)
    length = centred.norm(dim=1, keepdim=True).clamp_min(torch.finfo(codes.dtype).tiny)
    vectors: Features = centred / length
    return vectors


def spread_out(codes: Tensor, num_batches: int) -> Tensor:
    """Places of the members of each batch, batch after batch, for pools of unit codes `P M K`.

    The batches choose in turn, so that none has to take what the others have left.
    """
    num_pools, size, _ = codes.shape
    length = size // num_batches
    pools = torch.arange(num_pools)
    is_free = torch.ones(num_pools, size, dtype=torch.bool)
    # What of each image no batch's members explain, and its coordinates along what they do.
    residual = torch.full((num_batches, num_pools, size), 1 + RIDGE)
    known = torch.zeros(num_batches, num_pools, size, length)
    chosen = torch.empty(num_batches, length, num_pools, dtype=torch.int64)
    for number in range(length):
        for batch in range(num_batches):
            place = residual[batch].masked_fill(~is_free, -torch.inf).argmax(1)
            chosen[batch, number] = place
            is_free[pools, place] = False
            likeness = (codes @ codes[pools, place][:, :, None])[:, :, 0]
            rows = known[batch, :, :, :number]
            explained = (rows @ rows[pools, place][:, :, None])[:, :, 0]
            scale = residual[batch][pools, place].clamp_min(RIDGE).sqrt()[:, None]
            column = (likeness - explained) / scale
            known[batch, :, :, number] = column
            residual[batch] -= column.square()
    return chosen.permute(2, 0, 1).reshape(num_pools, size)


def mean_likeness(codes: Features, order: Order, batch_size: int, num_batches: int = 50) -> float:
    """Root mean square cosine of two images of a batch, over the first batches of an order."""
    vectors = unit(codes)
    total = 0.0
    for number in range(num_batches):
        members = vectors[order.batch(number * batch_size, batch_size)]
        gram = members @ members.T
        gram.fill_diagonal_(0)
        total += float(gram.square().sum()) / (batch_size * (batch_size - 1))
    return math.sqrt(total / num_batches)
