"""Translation: images moved by a few pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.shapes import Draws, Images

MOST = 1 / 8  # of the side, either way (Zhao et al. 2020, section 3.2)


@AUGMENTATIONS.register("translation", num_draws=2)
def translation(images: Images, draws: Draws) -> Images:
    """Moved by whole pixels, up to an eighth of the side; the border is repeated."""
    height, width = images.shape[2:]
    rows = _selection(draws[:, 0], height).to(images.dtype)[:, None]
    cols = _selection(draws[:, 1], width).to(images.dtype)[:, None]
    # A product with ones and zeros, exact in float32: the gradient of an index would be a sum
    # whose order, and so whose last bits, a CUDA device does not repeat.
    moved: Images = rows @ images @ cols.mT
    return moved


def _selection(draws: Tensor, size: int) -> Tensor:
    """For each image, a matrix `size size` whose row `i` holds a one where pixel `i` comes from."""
    most = int(MOST * size)
    shift = (draws * (2 * most + 1)).long() - most
    places = torch.arange(size, device=draws.device) - shift[:, None]
    return one_hot(places.clamp(0, size - 1), size)
