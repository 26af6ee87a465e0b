"""The order in which training sees the images: a function of (seed, images_seen) alone."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan import rng
from orthogan.errors import ConfigError


class Order:
    """Endless shuffled epochs over `num_images` images; each epoch shows every image once.

    Only the permutation of the latest epoch is kept, for speed; the batches do not depend on
    what was asked for before.

    Args:
        num_images: Size of the image set.
        seed: Run seed.
        name: Of the stream of draws; orders of other names are shuffled otherwise.

    Raises:
        ConfigError: there are no images, or the seed is out of range.

    >>> Order(4, seed=0).batch(images_seen=0, batch_size=4).sort().values
    tensor([0, 1, 2, 3])
    """

    def __init__(self, num_images: int, seed: int, name: str = "order") -> None:
        if num_images < 1:
            raise ConfigError(f"An order needs at least 1 image, got {num_images}.")
        self.num_images = num_images
        self.name = name
        self.seed = rng.check_seed(seed)
        self._epoch = -1
        self._shuffled = torch.empty(0, dtype=torch.int64)

    def batch(self, images_seen: int, batch_size: int) -> Tensor:
        """Indices (int64) of the `batch_size` images that follow the first `images_seen`.

        A batch may straddle epochs, and may be larger than the set.

        Raises:
            ConfigError: `images_seen` is negative or `batch_size` is below 1.
        """
        if images_seen < 0 or batch_size < 1:
            raise ConfigError(
                "A batch needs images_seen >= 0 and batch_size >= 1, "
                f"got {images_seen} and {batch_size}."
            )
        pieces = []
        while batch_size > 0:
            epoch, start = divmod(images_seen, self.num_images)
            piece = self._epoch_order(epoch)[start : start + batch_size]
            pieces.append(piece)
            images_seen += len(piece)
            batch_size -= len(piece)
        return torch.cat(pieces)

    def _epoch_order(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            self._shuffled = self._draw(epoch)
            self._epoch = epoch
        return self._shuffled

    def _draw(self, epoch: int) -> Tensor:
        return rng.permutation(self.num_images, self.seed, self.name, epoch)


class Triples(Order):
    """Endless triples of digits, each digit drawn independently with replacement.

    No triple is drawn twice but by chance: a training run sees the distribution of the triples,
    not one sample of it. The draws come in blocks of `num_images`, for speed; a triple is a
    function of (seed, its place in the sequence) alone.

    Args:
        num_images: Number of digits to draw from, and of triples in a block.
        seed: Run seed.

    Raises:
        ConfigError: there are no images, or the seed is out of range.

    >>> Triples(4, seed=0).batch(images_seen=0, batch_size=2).shape
    torch.Size([2, 3])
    """

    def _draw(self, epoch: int) -> Tensor:
        draws = rng.stream(self.seed, "triples", epoch)
        return torch.from_numpy(draws.integers(0, self.num_images, (self.num_images, 3)))


def batch_indices(
    num_images: int,
    seed: int,
    images_seen: int,
    batch_size: int,
    rank: int = 0,
    world_size: int = 1,
) -> Tensor:
    """Indices (int64) of one process's share of a batch; the shares in rank order are the batch.

    Args:
        num_images: Size of the image set.
        seed: Run seed.
        images_seen: Images shown before this batch, over all processes.
        batch_size: Images in the batch, over all processes.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ConfigError: the batch cannot be shared equally, or the rank does not exist.
    """
    check_share(batch_size, rank, world_size)
    share = batch_size // world_size
    batch = Order(num_images, seed).batch(images_seen, batch_size)
    return batch[rank * share : (rank + 1) * share]


def check_share(batch_size: int, rank: int, world_size: int) -> None:
    """Nothing, if `world_size` processes can share a batch equally and `rank` is one of them.

    Raises:
        ConfigError: they cannot, or it is not.
    """
    if world_size < 1 or not 0 <= rank < world_size:
        raise ConfigError(f"A rank lies in 0..world_size-1, got {rank} of {world_size}.")
    if batch_size % world_size:
        raise ConfigError(
            f"A batch is shared equally: batch_size {batch_size} is not a multiple of the "
            f"{world_size} processes."
        )
