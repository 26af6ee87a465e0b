r"""How near pictures come to training images once they are laid over one another.

A copy may be moved, mirrored, brightened, noised, cropped or in other colours: pixel by pixel it is
then far from the picture that it was taken from. So both are compared in grey, displaced by up to
three pixels, as they are and mirrored, by the correlation $c$ of their pixels, which no brightness
or contrast changes; the distance is $\sqrt{2 - 2 c}$, the one between standardised pictures.

Every pair at every displacement would take hours. Thumbnails, which hardly feel a displacement,
find the few training images for which it is worth while.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orthogan.shapes import Features, OtherPixels, Pixels, Principal

LARGEST_SIDE = 32  # larger pictures are compared at this size: a copy is one at any size
REACH = 3  # pixels, at that size
ZOOM = 2  # pixels that a copy may be smaller or larger, as when a pixel is cut off all around
NUM_CANDIDATES = 40
SCALE_RANK = 10  # neighbour whose distance is the scale of the neighbourhood
THUMBNAIL_SIDE = 8
NUM_COMPONENTS = 32
NUM_FITTED = 5000  # training images that the principal components are fitted to
BLOCK = 32  # pictures at a time: their displaced copies fill some 20 MB
CHUNK = 4096  # thumbnails made at a time: a float copy of a whole set would be large
DISPLACEMENTS = ((0, 0), (-2, -2), (-2, 2), (2, -2), (2, 2))  # of thumbnails, in pixels
ROUNDING = 5e-3  # of a distance in float32, as the root of 1 less a correlation near 1
LEAST_SPREAD = 0.5 / 255  # a picture that varies by less is blank: it is nobody's copy


@dataclass(frozen=True)
class Aligned:
    """The nearest training image of every picture, and how near it is.

    Attributes:
        nearest: Its index in the training set (B, int64).
        distance: Its distance, in 0..2 (B).
        relative: That distance over the one to the tenth nearest: a copy has one neighbour much
            nearer than the others, whether pictures of its kind are all alike or not (B).
    """

    nearest: Tensor
    distance: Tensor
    relative: Tensor


class AlignedNeighbours:
    """Finds the training images that pictures come nearest to when laid over them.

    Args:
        train: The training set.

    Source: the ratio of distances as in Carlini et al. 2023, "Extracting training data from
    diffusion models", section 4.2. Not covered: rotations, and displacements by more than a tenth
    of the side.
    """

    def __init__(self, train: Pixels) -> None:
        self._train = train
        thumbnails = _thumbnails(train, (0, 0), mirrored=False)
        fitted = thumbnails[:: max(1, len(thumbnails) // NUM_FITTED)]  # sets are often sorted
        self._centre = fitted.mean(0)
        centred = fitted - self._centre
        self._axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -NUM_COMPONENTS:]
        self._codes = self._coded(thumbnails)
        self._norms = self._codes.square().sum(1)

    def find(self, pictures: Pixels, own: Tensor | None = None) -> Aligned:
        """The nearest training image of each picture.

        Args:
            pictures: Of the size and channels of the training set.
            own: Where each picture itself stands in the training set: it is not its own neighbour.
        """
        parts = []
        for start in range(0, len(pictures), BLOCK):
            part = slice(start, start + BLOCK)
            itself = None if own is None else own[part]
            candidates = self._candidates(pictures[part], itself)
            parts.append(_ranked(pictures[part], self._train, candidates))
        nearest, distance, relative = (torch.cat(each) for each in zip(*parts, strict=True))
        return Aligned(nearest, distance, relative)

    def _coded(self, thumbnails: Features) -> Principal:
        codes: Principal = (thumbnails - self._centre) @ self._axes
        return codes

    def _candidates(self, pictures: Pixels, own: Tensor | None) -> Tensor:
        """The training images whose thumbnails are nearest to a displaced or mirrored one."""
        near = torch.full((len(pictures), len(self._train)), torch.inf)
        for displacement in DISPLACEMENTS:
            for mirrored in (False, True):
                codes = self._coded(_thumbnails(pictures, displacement, mirrored=mirrored))
                # |x - y|^2 less |x|^2, which is added: the variants of a picture compete.
                apart = torch.addmm(self._norms, codes, self._codes.T, alpha=-2)
                near = torch.minimum(near, apart.add_(codes.square().sum(1, keepdim=True)))
        if own is not None:
            near.scatter_(1, own[:, None], torch.inf)
        others = len(self._train) - int(own is not None)
        return near.topk(min(NUM_CANDIDATES, others), largest=False).indices


def _ranked(
    pictures: Pixels, train: OtherPixels, candidates: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Nearest candidate, its distance, and that over the distance of the tenth."""
    chosen = _small(train[candidates.flatten()])
    inner = _standardised(chosen[:, REACH:-REACH, REACH:-REACH].flatten(1))
    images = _small(pictures)
    windows, spread = _windows(images - images.mean((1, 2), keepdim=True))
    # The candidates have mean 0, so that of a window is no matter.
    products = windows @ inner.unflatten(0, candidates.shape).mT  # B displacements candidates
    correlation = torch.where(spread > 0, products / spread, 0.0).amax(1).clamp_max(1)
    # Two blank pictures have correlation 0: nothing says that one was taken from the other.
    distances, order = (2 - 2 * correlation).sqrt().sort(1)
    distances = distances.masked_fill(distances < ROUNDING, 0)
    scale = distances[:, min(SCALE_RANK, distances.shape[1]) - 1]
    relative = torch.where(scale > 0, distances[:, 0] / scale, 1.0)
    return candidates.gather(1, order[:, :1])[:, 0], distances[:, 0], relative


def _small(pixels: Pixels) -> Tensor:
    """Grey floats in [0, 1] (B H W), of at most `LARGEST_SIDE` pixels a side."""
    images = pixels.float().mean(1, keepdim=True) / 255
    factor = max(images.shape[2:]) / LARGEST_SIDE
    if factor > 1:
        size = [max(1, round(side / factor)) for side in images.shape[2:]]
        images = nn.functional.interpolate(images, size=size, mode="bilinear", antialias=True)
    return images[:, 0]


def _windows(images: Tensor) -> tuple[Tensor, Tensor]:
    """What may lie under the middle of a training image, and its spread.

    Every displacement of a picture of mean 0, of its mirror image, and of both a little smaller or
    larger (B D F for D ways and F pixels); and the length of each less its own mean (B D 1), 0
    where it is blank.
    """
    size = [side - 2 * REACH for side in images.shape[1:]]
    parts = []
    for zoom in (0, -ZOOM, ZOOM):
        both = torch.stack([images, images.flip(-1)], 1)
        if zoom:
            wanted = [side + zoom for side in images.shape[1:]]
            both = nn.functional.interpolate(both, size=wanted, mode="bilinear")
        # A copy that is both moved far and zoomed is rare, and each way costs time.
        edge = max(0, REACH + zoom // 2 - (1 if zoom else REACH))
        both = both[..., edge : both.shape[2] - edge, edge : both.shape[3] - edge]
        ways = both.unfold(2, size[0], 1).unfold(3, size[1], 1)
        parts.append(ways.reshape(len(images), -1, size[0] * size[1]))
    windows = torch.cat(parts, 1)
    count = windows.shape[-1]
    # torch.std is several times slower; as the pictures have mean 0, little cancels here.
    means = windows @ windows.new_full((count, 1), 1 / count)
    squares = torch.linalg.vector_norm(windows, dim=-1, keepdim=True).square()
    length = (squares - count * means.square()).clamp_min(0).sqrt()
    return windows, length.masked_fill(length < LEAST_SPREAD * count**0.5, 0)


def _standardised(rows: Tensor) -> Tensor:
    """Rows of mean 0 and length 1; rows of a blank picture become 0."""
    centred = rows - rows.mean(-1, keepdim=True)
    length = centred.norm(dim=-1, keepdim=True)
    blank = length < LEAST_SPREAD * rows.shape[-1] ** 0.5
    return torch.where(blank, 0.0, centred / length.clamp_min(torch.finfo().tiny))


def _thumbnails(pixels: Pixels, displacement: tuple[int, int], *, mirrored: bool) -> Features:
    """Standardised pictures of 8 x 8, displaced and mirrored."""
    parts = []
    for start in range(0, len(pixels), CHUNK):
        images = _small(pixels[start : start + CHUNK])[:, None]
        images = images.flip(-1) if mirrored else images
        top, left = displacement
        if top or left:
            wide = nn.functional.pad(images, (REACH,) * 4, mode="replicate")
            rows, columns = images.shape[2:]
            top, left = REACH + top, REACH + left
            images = wide[..., top : top + rows, left : left + columns]
        small = nn.functional.adaptive_avg_pool2d(images, THUMBNAIL_SIDE)
        parts.append(_standardised(small.flatten(1)))
    return torch.cat(parts)
