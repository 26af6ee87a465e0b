"""Images that are in a set more than once: exactly, moved, mirrored or brightened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.organizing.brightness import difference
from orthogan.organizing.descriptors import Descriptors, ways
from orthogan.organizing.near_pairs import NearPairs
from orthogan.shapes import Pixels

# Of descriptors of length 1: copies brightened by a tenth into white or black lie as far apart.
RADIUS = 0.1
# Of middles with the same brightness: the largest distance of a copy. Chosen on planted copies, and
# on images of one kind that are all alike (benchmarks/duplicates.py).
COPY = 0.06
MOST_GAIN, MOST_OFFSET = 0.17, 0.12  # of brightness: the same hand in dark skin is another image
BRIGHTER = 1.1  # what is looked for beside: on white ground it changes most of an image
CHUNK = 8192  # pairs compared at a time

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Copy:
    """An image that stands earlier in the set too.

    Attributes:
        index: Its place.
        original: The place of the first image of which it is a copy.
        how: "exact", or "moved", "mirrored", "changed" joined by " and "; changed is brighter,
            darker, or stored with losses.
        distance: Of the middles of both, laid over each other and made equally bright, over the
            spread of one: 0 is the same picture, 1 nothing in common.
    """

    index: int
    original: int
    how: str
    distance: float


@dataclass(frozen=True)
class Duplicates:
    """The copies of a set.

    Attributes:
        copies: All images but the first of each group of copies, in order.
        blank: Images of one colour, which are nobody's copies.
        num_images: Of the whole set.
    """

    copies: tuple[Copy, ...]
    blank: tuple[int, ...]
    num_images: int

    @property
    def kinds(self) -> dict[str, int]:
        """How many copies there are of each kind, the most frequent first."""
        return dict(Counter(copy.how for copy in self.copies).most_common())

    @property
    def kept(self) -> Tensor:
        """The places of all images but the copies (int64)."""
        is_kept = torch.ones(self.num_images, dtype=torch.bool)
        is_kept[[copy.index for copy in self.copies]] = False
        return is_kept.nonzero()[:, 0]


def find_duplicates(pixels: Pixels, report: Report | None = None) -> Duplicates:
    """Every image that is an earlier one again.

    Copies may be moved by up to 2 pixels (of 32, for larger images), mirrored, brighter or darker.
    Images that look alike are not copies: two handwritten ones differ in every stroke.

    Args:
        pixels: The images.
        report: Is told how far it is.

    Not covered: turned and cropped copies, copies in other colours, and parts of a larger image
    that overlap.
    """
    if len(pixels) < 2:
        return Duplicates((), (), len(pixels))
    described = Descriptors(pixels)
    is_blank = described.is_blank()
    seen = (~is_blank).nonzero()[:, 0]
    found: dict[tuple[int, int], tuple[float, str]] = {}
    if len(seen) > 1:
        near = NearPairs(described.of((0, 0), mirrored=False)[seen], RADIUS)
        every = [(*way, 1.0) for way in ways()] + [((0, 0), False, BRIGHTER)]
        for number, (moved, mirrored, gain) in enumerate(every, 1):
            first, second = near.of(described.of(moved, mirrored=mirrored, gain=gain)[seen])
            is_symmetric = not mirrored and moved == (0, 0) and gain == 1
            is_pair = (first < second) if is_symmetric else (first != second)
            first, second = seen[first[is_pair]], seen[second[is_pair]]
            for i, j, distance in _verified(described, first, second, moved, mirrored):
                pair = (min(i, j), max(i, j))
                if pair not in found or distance < found[pair][0]:
                    found[pair] = distance, _how(moved, mirrored)
            if report is not None:
                report("Looking for copies", number, len(every))
    return Duplicates(_copies(found, pixels), tuple(is_blank.nonzero()[:, 0].tolist()), len(pixels))


def _verified(
    described: Descriptors, first: Tensor, second: Tensor, moved: tuple[int, int], mirrored: bool
) -> list[tuple[int, int, float]]:
    """The pairs whose middles agree pixel by pixel, and how far they are apart."""
    found = []
    for left, right in zip(first.split(CHUNK), second.split(CHUNK), strict=True):
        ours = described.middles(left, moved, mirrored=mirrored)
        theirs = described.middles(right, (0, 0), mirrored=False)
        distances, gain, offset = difference(ours, theirs)
        is_like = (gain.log().abs() <= MOST_GAIN) & (offset.abs() <= MOST_OFFSET)
        near = is_like & (distances <= COPY)
        found += list(
            zip(left[near].tolist(), right[near].tolist(), distances[near].tolist(), strict=True)
        )
    return found


def _how(moved: tuple[int, int], mirrored: bool) -> str:
    return " and ".join(
        word for word, is_so in (("moved", moved != (0, 0)), ("mirrored", mirrored)) if is_so
    )


def _copies(found: dict[tuple[int, int], tuple[float, str]], pixels: Pixels) -> tuple[Copy, ...]:
    """Each later image of a group, beside the image of the group that it is nearest to."""
    parent: dict[int, int] = {}

    def root(place: int) -> int:
        while parent.setdefault(place, place) != place:
            parent[place] = place = parent[parent[place]]
        return place

    for i, j in sorted(found):
        first, second = sorted((root(i), root(j)))
        parent[second] = first
    best: dict[int, tuple[float, int, str]] = {}
    for (i, j), (distance, how) in found.items():
        if root(j) != j and (j not in best or distance < best[j][0]):
            best[j] = distance, i, how
        if root(i) != i and i not in best:
            best[i] = distance, j, how
    copies = []
    for place in sorted(best):
        distance, other, how = best[place]
        if torch.equal(pixels[place], pixels[other]):
            how = "exact"
        elif distance > _ROUNDING or not how:
            how = f"{how} and changed" if how else "changed"
        copies.append(Copy(place, root(place), how, distance))
    return tuple(copies)


_ROUNDING = 1e-3  # of middles in float32
