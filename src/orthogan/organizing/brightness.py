"""How far two images are apart once one has the brightness and contrast of the other."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CLIPPED = 1.5 / 255  # from white or black: brightening may have cut off what was there
RIDGE = 1e-3  # pulls gain and offset to 1 and 0 where hardly a pixel tells them


class Difference(NamedTuple):
    """What it takes to make one row the other.

    Attributes:
        distance: Length of what is left, over that of the other row about its mean.
        gain: Factor of contrast.
        offset: Added brightness; 1 is from black to white.
    """

    distance: Tensor
    gain: Tensor
    offset: Tensor


def difference(ours: Tensor, theirs: Tensor) -> Difference:
    r"""$\|\operatorname{clip}(g x + o) - y\| / \|y - \bar y\|$ for the best gain and offset.

    Both are fitted by least squares, with a slight pull to $g = 1$, $o = 0$: once to all pixels,
    and once to those that are neither black nor white in either image, as white may hide how
    bright a pixel was. The better fit counts.

    Args:
        ours: Rows of pixels in [0, 1].
        theirs: As many rows, of the same pixels of other images.

    >>> x = torch.tensor([[0.1, 0.2, 0.4, 0.9]])
    >>> float(difference(x, (1.2 * x).clamp(max=1)).distance) < 0.01
    True
    """
    inside = (ours.minimum(theirs) > CLIPPED) & (ours.maximum(theirs) < 1 - CLIPPED)
    by_all = _fitted(ours, theirs, torch.ones_like(ours))
    by_inside = _fitted(ours, theirs, inside.float())
    is_better = by_inside.distance < by_all.distance
    pairs = zip(by_inside, by_all, strict=True)
    return Difference(*(torch.where(is_better, left, right) for left, right in pairs))


def _fitted(ours: Tensor, theirs: Tensor, weights: Tensor) -> Difference:
    count = weights.sum(1).clamp_min(1)
    mean_x, mean_y = (ours * weights).sum(1) / count, (theirs * weights).sum(1) / count
    left = (ours - mean_x[:, None]) * weights
    right = (theirs - mean_y[:, None]) * weights
    pull = RIDGE * ours.shape[1]
    gain = ((left * right).sum(1) + pull) / (left.square().sum(1) + pull)
    offset = (mean_y - gain * mean_x) * (count / (count + pull))
    made = (gain[:, None] * ours + offset[:, None]).clamp(0, 1)
    spread = (theirs - theirs.mean(1, keepdim=True)).norm(dim=1)
    distance = (made - theirs).norm(dim=1) / spread.clamp_min(torch.finfo().tiny)
    return Difference(distance, gain, offset)
