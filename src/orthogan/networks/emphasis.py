r"""Fine detail made stronger before a discriminator looks, so that its penalty weighs scales alike.

The power of images falls with frequency, a few hundredfold from their coarsest to their finest
waves. A gradient penalty in pixels allows the same slope along every wave, so that what differs by
little, the fine waves, can hardly move a logit: the discriminator is blind there, and the generator
leaves noise. With $u = x + g\,(x - b(x))$, where $b$ is the binomial blur $(1, 2, 1) / 4$ along
both axes, the finest waves come $1 + g$ times as strong, and $|\nabla_u D|^2$ is the gradient's
norm in a metric that is nearer to the images' own.

Sources: Adler and Lunz 2018, "Banach Wasserstein GAN", section 3, for penalties in Sobolev norms;
Durall et al. 2020, "Watch your up-convolution", for what generators do to the finest waves.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from orthogan.shapes import Images

BLUR = (0.25, 0.5, 0.25)


def emphasised(images: Images, gain: float) -> Images:
    """The images with their finest waves `1 + gain` times as strong, and their mean as it was.

    Args:
        images: Any images; edges go on beyond the border.
        gain: 0 leaves them as they are.

    >>> stripes = torch.tensor([1.0, -1.0]).repeat(4).expand(1, 1, 8, 8)
    >>> emphasised(stripes, 3.0)[0, 0, 3, 3:5]
    tensor([-4.,  4.])
    """
    channels = images.shape[1]
    taps = images.new_tensor(BLUR)
    kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3)
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return images + gain * (images - functional.conv2d(padded, kernel, groups=channels))
