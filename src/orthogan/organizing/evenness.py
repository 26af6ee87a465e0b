"""How evenly a set is divided into classes, or into groups that look alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from orthogan.shapes import Features, Labels

NUM_EXAMPLES = 8


@dataclass(frozen=True)
class Part:
    """A class or a group.

    Attributes:
        name: As in "cat", or "group 3".
        count: Images in it.
        examples: The places of images in its middle.
    """

    name: str
    count: int
    examples: tuple[int, ...]


def parts_of(labels: Labels, names: Sequence[str], codes: Features) -> tuple[Part, ...]:
    """Each part with its size, and the images nearest to its mean.

    Args:
        labels: The part of each image.
        names: Of the parts.
        codes: A few numbers an image.
    """
    found = []
    for number, name in enumerate(names):
        members = (labels == number).nonzero()[:, 0]
        if not len(members):
            found.append(Part(name, 0, ()))
            continue
        rows = codes[members]
        apart = (rows - rows.mean(0)).square().sum(1)
        near = apart.topk(min(NUM_EXAMPLES, len(members)), largest=False).indices
        found.append(Part(name, len(members), tuple(members[near].tolist())))
    return tuple(found)


def effective_number(parts: Sequence[Part]) -> float:
    r"""$e^H$ with the entropy $H$ of the shares: the number of equal parts as varied as these.

    Source: Hill 1973, "Diversity and evenness", of order 1.

    >>> effective_number([Part("a", 5, ()), Part("b", 5, ()), Part("c", 0, ())])
    2.0
    """
    total = sum(part.count for part in parts)
    shares = [part.count / total for part in parts if part.count]
    return math.exp(-math.fsum(share * math.log(share) for share in shares))


def remoteness(codes: Features, reference: torch.Tensor, rank: int) -> torch.Tensor:
    """Distance of each image to the `rank`-th nearest of some, as a multiple of the median.

    Args:
        codes: A few numbers an image.
        reference: The places of the images that are near or far.
        rank: From 1 on; an image is not its own neighbour.
    """
    others = codes[reference]
    parts = []
    for block in torch.arange(len(codes)).split(1024):
        apart = torch.cdist(codes[block], others)
        apart.masked_fill_(block[:, None] == reference[None], torch.inf)
        parts.append(apart.topk(min(rank, len(reference) - 1), largest=False).values[:, -1])
    distances = torch.cat(parts)
    return distances / distances.median().clamp_min(torch.finfo().tiny)
