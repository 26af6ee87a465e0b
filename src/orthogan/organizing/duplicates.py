"""Images that are in a set more than once: exactly, moved, mirrored or brightened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from orthogan.organizing.brightness import difference
from orthogan.organizing.descriptors import LEAST_SPREAD, Descriptors, ways
from orthogan.organizing.near_pairs import NearPairs
from orthogan.shapes import Pixels

# Of descriptors of length 1: copies brightened by a tenth into white or black lie as far apart.
RADIUS = 0.1
# Of middles with the same brightness: the largest distance of a copy. Chosen on planted copies, and
# on images of one kind that are all alike (benchmarks/duplicates.py).
COPY = 0.06
ROUGHLY = 0.15  # of cells: copies that white has cut off are further apart there
MOST_GAIN, MOST_OFFSET = 0.17, 0.12  # of brightness: the same hand in dark skin is another image
# Of the mean and the logarithm of the spread, beside the descriptor, so that smooth images such as
# patches of skies, which have one descriptor, are not all compared with each other.
LEVEL_WEIGHT, SPREAD_WEIGHT = 0.4, 0.2
BRIGHTER = 1.1  # what is looked for beside: on white ground it changes most of an image
ROUNDING = 1e-3  # of middles in float32
CHUNK = 128  # pairs compared at a time: their pixels stay in the cache

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


class _Pair(NamedTuple):
    first: int
    second: int
    distance: float
    how: str


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
    level, spread = described.brightness()
    is_blank = spread < LEAST_SPREAD
    seen = (~is_blank).nonzero()[:, 0]
    found: dict[int, _Pair] = {}
    if len(seen) > 1:
        beside = torch.stack([LEVEL_WEIGHT * level, SPREAD_WEIGHT * spread.log()], 1)[seen]
        base = described.of((0, 0), mirrored=False)[seen]
        near = NearPairs(torch.cat([base, beside], 1), RADIUS)
        every = [(*way, 1.0) for way in ways()] + [((0, 0), False, BRIGHTER)]
        for number, (moved, mirrored, gain) in enumerate(every, 1):
            asked = described.of(moved, mirrored=mirrored, gain=gain)[seen]
            first, second = near.of(torch.cat([asked, beside], 1))
            is_symmetric = not mirrored and moved == (0, 0) and gain == 1
            is_pair = (first < second) if is_symmetric else (first != second)
            first, second = seen[first[is_pair]], seen[second[is_pair]]
            # Smooth images are copies of each other in every way; the first one is enough.
            keys = first.minimum(second) * len(pixels) + first.maximum(second)
            is_new = ~torch.isin(keys, torch.tensor([*found], dtype=torch.int64))
            pairs = _verified(described, first[is_new], second[is_new], moved, mirrored)
            for i, j, distance in pairs:
                key = min(i, j) * len(pixels) + max(i, j)
                if key not in found or distance < found[key].distance:
                    found[key] = _Pair(min(i, j), max(i, j), distance, _how(moved, mirrored))
            if report is not None:
                report("Looking for copies", number, len(every))
    return Duplicates(
        _copies([*found.values()], pixels), tuple(is_blank.nonzero()[:, 0].tolist()), len(pixels)
    )


def _verified(
    described: Descriptors, first: Tensor, second: Tensor, moved: tuple[int, int], mirrored: bool
) -> list[tuple[int, int, float]]:
    """The pairs whose middles agree pixel by pixel, and how far they are apart."""
    found = []
    for left, right in zip(first.split(CHUNK), second.split(CHUNK), strict=True):
        rough = difference(
            described.cells(left, moved, mirrored=mirrored),
            described.cells(right, (0, 0), mirrored=False),
        )
        is_near = rough.distance <= ROUGHLY
        left, right = left[is_near], right[is_near]
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


def _copies(found: list[_Pair], pixels: Pixels) -> tuple[Copy, ...]:
    """Each later image of a group, beside the image of the group that it is nearest to."""
    parent: dict[int, int] = {}

    def root(place: int) -> int:
        while parent.setdefault(place, place) != place:
            parent[place] = place = parent[parent[place]]
        return place

    for pair in sorted(found):
        first, second = sorted((root(pair.first), root(pair.second)))
        parent[second] = first
    best: dict[int, tuple[float, int, str]] = {}
    for i, j, distance, how in found:
        if root(j) != j and (j not in best or distance < best[j][0]):
            best[j] = distance, i, how
        if root(i) != i and i not in best:
            best[i] = distance, j, how
    copies = []
    for place in sorted(best):
        distance, other, how = best[place]
        if torch.equal(pixels[place], pixels[other]):
            how = "exact"
        elif distance > ROUNDING or not how:
            how = f"{how} and changed" if how else "changed"
        copies.append(Copy(place, root(place), how, distance))
    return tuple(copies)
