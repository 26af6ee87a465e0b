"""An order of training in which every class is seen equally often."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from orthogan import rng
from orthogan.data.order import Order
from orthogan.errors import ConfigError
from orthogan.shapes import Labels

AS_IS, CLASSES = "as-is", "classes"
BALANCES = (AS_IS, CLASSES)


class Balanced(Order):
    """Endless rounds that show one image of every class, in shuffled order.

    Within a class, each of its images comes once before any comes again. As in `Order`, a batch is
    a function of (seed, images_seen) alone.

    Args:
        labels: The class of each image; classes without an image are left out.
        seed: Run seed.

    Raises:
        ConfigError: there are no images, or the seed is out of range.

    >>> labels = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    >>> labels[Balanced(labels, seed=0).batch(images_seen=0, batch_size=8)].bincount()
    tensor([4, 4])
    """

    def __init__(self, labels: Labels, seed: int) -> None:
        kinds = labels.unique().tolist()
        self._members = [(labels == kind).nonzero().flatten() for kind in kinds]
        self._rounds = -(-len(labels) // max(len(kinds), 1))
        super().__init__(self._rounds * len(kinds), seed)
        self._orders = [
            Order(len(members), seed, f"order of class {kind}")
            for kind, members in zip(kinds, self._members, strict=True)
        ]

    def _draw(self, epoch: int) -> Tensor:
        """As many whole rounds as show about as many images as there are."""
        columns = [
            members[order.batch(epoch * self._rounds, self._rounds)]
            for members, order in zip(self._members, self._orders, strict=True)
        ]
        keys = rng.stream(self.seed, "rounds", epoch).random((self._rounds, len(columns)))
        places = torch.from_numpy(keys).argsort(dim=1)
        return torch.stack(columns, 1).gather(1, places).flatten()


def weights_of(labels: Labels) -> Tensor:
    """How often each image comes, as a fraction of all, where every class comes equally often.

    >>> weights_of(torch.tensor([0, 1, 1]))
    tensor([0.5000, 0.2500, 0.2500], dtype=torch.float64)
    """
    _, place, counts = labels.unique(return_inverse=True, return_counts=True)
    shares: Tensor = 1 / (len(counts) * counts.double())
    return shares[place]


def balance_note(labels: Labels, names: Sequence[str]) -> str:
    """How much more often images of the smallest class come than those of the largest.

    >>> balance_note(torch.tensor([0, 1, 1, 1]), ["cat", "dog"])
    "Classes are balanced: an image of 'cat' (1) is seen 3 times as often as one of 'dog' (3)."
    """
    kinds, counts = labels.unique(return_counts=True)
    least, most = int(counts.argmin()), int(counts.argmax())
    ratio = float(counts[most]) / float(counts[least])
    if ratio == 1:
        return "All classes have as many images, so data.balance=classes changes only the order."
    small, large = (f"'{names[int(kinds[place])]}'" for place in (least, most))
    return (
        f"Classes are balanced: an image of {small} ({int(counts[least]):,}) is seen {ratio:.3g} "
        f"times as often as one of {large} ({int(counts[most]):,})."
    )


def labels_to_balance(labels: Labels | None, draws_afresh: bool, name: str) -> Labels:
    """The labels, if an order can balance them.

    Args:
        labels: The class of each image, or None.
        draws_afresh: Whether training sees other images than those with the labels.
        name: What the images are called.

    Raises:
        ConfigError: there are none, or no image is seen twice.
    """
    if draws_afresh:
        raise ConfigError(
            f"{name} draws each image afresh, of every class equally often; leave out "
            "data.balance=classes."
        )
    if labels is None:
        raise ConfigError(
            f"data.balance=classes needs images with classes, and {name} has none; leave it out."
        )
    return labels
