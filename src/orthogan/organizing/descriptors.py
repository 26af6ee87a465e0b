"""Small descriptors of images that are the same for an image moved, mirrored or brightened."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from orthogan.data import to_floats
from orthogan.rng import permutation
from orthogan.shapes import Pixels, Principal

LARGEST_SIDE = 32  # larger images are shrunk: a copy is one at this size too
REACH = 2  # pixels by which a copy may be moved
CELLS = 8  # a descriptor's side
NUM_AXES = 32
NUM_FITTED = 5000  # images that the axes are fitted to
CHUNK = 4096
LEAST_SPREAD = 2 / 255  # an image that varies by less is plain: it is nobody's copy


class Descriptors:
    """The middle of each image in 32 numbers, whatever its brightness and contrast.

    The middle leaves out a rim of `REACH` pixels, so that it can be moved by as much in every
    direction and still holds nothing but pixels of the image. If one image is another one moved by
    two pixels, mirrored, and brighter, then one of the moved middles of the first is the middle of
    the second: their descriptors agree but for rounding, and where brightening has met black or
    white.

    Args:
        pixels: The images.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._small = torch.cat([_shrunk(part) for part in pixels.split(CHUNK)])
        order = permutation(len(pixels), 0, "organizing-axes", 0)[:NUM_FITTED]
        rows = _cells(self._window(order, (0, 0), mirrored=False))
        self._centre = rows.mean(0)
        centred = rows - self._centre
        self._axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -NUM_AXES:].flip(1)

    def __len__(self) -> int:
        return len(self._small)

    def of(self, moved: tuple[int, int], *, mirrored: bool, gain: float = 1.0) -> Principal:
        """The descriptor of each image, moved by (rows, columns), then mirrored if asked for.

        A gain above 1 brightens it first: where that meets white, contrast is lost, and the
        descriptor is another one.
        """
        parts = torch.arange(len(self._small)).split(CHUNK)
        windows = (self._window(part, moved, mirrored=mirrored) for part in parts)
        rows = [_cells((gain * window).clamp(max=1) if gain > 1 else window) for window in windows]
        codes: Principal = (torch.cat(rows) - self._centre) @ self._axes
        return codes

    def middles(self, index: Tensor, moved: tuple[int, int], *, mirrored: bool) -> Tensor:
        """The same middles pixel by pixel: rows of numbers in [0, 1], all channels."""
        return self._window(index, moved, mirrored=mirrored).flatten(1)

    def cells(self, index: Tensor, moved: tuple[int, int], *, mirrored: bool) -> Tensor:
        """The same middles in 8 x 8 cells: a twelfth of the numbers, to rule pairs out."""
        windows = self._window(index, moved, mirrored=mirrored)
        return nn.functional.adaptive_avg_pool2d(windows, CELLS).flatten(1)

    def brightness(self) -> tuple[Tensor, Tensor]:
        """Mean and spread of the pixels in the middle of each image, where white is 1."""
        parts = torch.arange(len(self._small)).split(CHUNK)
        middles = [self._window(part, (0, 0), mirrored=False).flatten(1) for part in parts]
        return torch.cat([part.mean(1) for part in middles]), torch.cat(
            [part.std(1) for part in middles]
        )

    def _window(self, index: Tensor, moved: tuple[int, int], *, mirrored: bool) -> Tensor:
        images = self._small[index]
        top, left = REACH + moved[0], REACH + moved[1]
        rows, columns = (side - 2 * REACH for side in images.shape[2:])
        window = images[:, :, top : top + rows, left : left + columns]
        return window.flip(-1) if mirrored else window


def ways() -> Iterator[tuple[tuple[int, int], bool]]:
    """Every way that one image may be another: moved, and mirrored or not.

    Of two opposite moves one is enough where nothing is mirrored, as pairs are found from both
    sides; a mirrored image moved to the left is the image moved to the right.
    """
    reach = sorted(range(-REACH, REACH + 1), key=abs)  # the plainest first
    moves = [(rows, columns) for rows in reach for columns in reach]
    yield from ((move, False) for move in moves if move <= (0, 0))
    yield from ((move, True) for move in moves if move[0] <= 0)


def _shrunk(pixels: Pixels) -> Tensor:
    images = (to_floats(pixels) + 1) / 2
    factor = max(images.shape[2:]) / LARGEST_SIDE
    if factor <= 1:
        return images
    size = [max(2 * REACH + 1, round(side / factor)) for side in images.shape[2:]]
    return nn.functional.interpolate(images, size=size, mode="bilinear", antialias=True)


def _cells(windows: Tensor) -> Tensor:
    """Grey windows in 8 x 8 cells, standardised."""
    grey = windows.mean(1, keepdim=True)
    return _standardised(nn.functional.adaptive_avg_pool2d(grey, CELLS).flatten(1))


def _standardised(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    blank = length < LEAST_SPREAD * rows.shape[1] ** 0.5
    return torch.where(blank, 0.0, centred / length.clamp_min(torch.finfo().tiny))
