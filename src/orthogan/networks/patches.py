"""Between images and token sequences: overlapping patches in, images out."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from orthogan.networks.blocks import LEAK
from orthogan.networks.stems import grid_side
from orthogan.shapes import Images, Tokens


class PatchStem(nn.Module):
    """Cuts images into overlapping patches and embeds each as one token.

    Strided convolutions with LeakyReLU between them: with three, 18-pixel patches every 8 pixels,
    so neighbours share more than half of their pixels; each further one doubles both. (Cutting and
    embedding in one large-stride convolution stalls: Xiao et al. 2021, "Early convolutions help
    transformers see better".)

    Args:
        colours: Colour planes of the images.
        channels: Channels of the first convolution; later ones have twice as many.
        width: Width of the tokens.
        patch: Pixels between the centres of neighbouring patches: 8, 16 or 32.
    """

    def __init__(self, colours: int, channels: int, width: int, patch: int = 8) -> None:
        super().__init__()
        further = _doublings(patch, 8)
        # Half as many channels where there are four times as many places.
        *finer, last = [max(1, 2 * channels >> level) for level in reversed(range(further + 2))]
        self.fine = InputConvolution(colours, finer[0], 4, stride=2, padding=1)
        self.middle = nn.Conv2d(finer[0], (*finer, last)[1], 4, stride=2, padding=1)
        self.further = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, stride=2, padding=1)
            for narrow, wide in pairwise((*finer[1:], last))
        )
        self.coarse = nn.Conv2d(last, width, 3, stride=2, padding=1)
        self.leak = nn.LeakyReLU(LEAK)

    def forward(self, images: Images) -> Tokens:
        """Tokens in (row, col) order."""
        features = self.leak(self.middle(self.leak(self.fine(images))))
        for convolution in self.further:
            features = self.leak(convolution(features))
        # In order before the activation: its derivatives then meet gradients laid out as it is.
        tokens: Tensor = self.leak(self.coarse(features).flatten(2).transpose(1, 2).contiguous())
        return tokens


class InputConvolution(nn.Conv2d):
    """A convolution of few colours; in float32 on a processor, as one matrix product.

    Kernel libraries are slow for few colours, most of all in derivatives. What comes out here is
    laid out channels last, and the layers behind take it so, which float32 kernels are quicker
    with and bfloat16 kernels are not (docs/log.md).
    """

    def forward(self, images: Tensor) -> Tensor:
        """Features `B C H W` of half the side."""
        if images.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().forward(images)
        windows = functional.unfold(images, self.kernel_size, padding=1, stride=2)
        features = functional.linear(windows.transpose(1, 2), self.weight.flatten(1), self.bias)
        grid: Tensor = features.transpose(1, 2).unflatten(2, [s // 2 for s in images.shape[2:]])
        return grid


class ImageHead(nn.Module):
    """Turns a grid of tokens into an image, `patch` pixels a token.

    Transposed convolutions whose 4-pixel kernels overlap by half, ReLU between them; each doubles
    the side. Where the image is no whole number of tokens, it is the middle of what they make.

    Args:
        width: Width of the tokens.
        channels: Channels behind the first convolution.
        colours: Colour planes of the images.
        size: Side of the images, px.
        patch: Pixels a token: 4, 8, 16 or 32.
    """

    def __init__(self, width: int, channels: int, colours: int, size: int, patch: int = 4) -> None:
        super().__init__()
        self.coarse = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1)
        finer = [channels] + [max(1, channels >> level) for level in range(_doublings(patch, 4))]
        self.further = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1)
            for wide, narrow in pairwise(finer)
        )
        self.fine = OutputConvolution(finer[-1], colours, 4, stride=2, padding=1)
        self.size, self.side = size, grid_side(size, patch)
        self.margin = (self.side * patch - size) // 2

    def forward(self, tokens: Tokens) -> Images:
        """Images from tokens of a square grid in (row, col) order."""
        features: Tensor = self.coarse(tokens.transpose(1, 2).unflatten(2, (self.side, self.side)))
        for convolution in self.further:
            features = convolution(features.relu())
        # A row a pixel, as sequences are laid out: what is kept for the way back is kept once.
        rows = features.permute(0, 2, 3, 1).flatten(0, 2).relu()
        image: Tensor = self.fine(rows.unflatten(0, (-1, *features.shape[2:])))
        if self.margin:
            inside = slice(self.margin, self.margin + self.size)
            image = image[:, :, inside, inside]
        return image


class OutputConvolution(nn.ConvTranspose2d):
    """A transposed convolution to few colours; on a processor, as one matrix product.

    Kernel libraries make 16 colours at least and drop those nobody asked for. The product with all
    taps, laid over each other, is quicker in float32 (docs/log.md); in bfloat16 it serves drawing.
    """

    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
        """Images `B C 2H 2W` from features `B H W C`."""
        trains_in_bfloat16 = torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")
        if features.device.type != "cpu" or trains_in_bfloat16:
            return super().forward(features.permute(0, 3, 1, 2))
        taps = features.flatten(0, 2) @ self.weight.flatten(1)
        grid = taps.unflatten(1, (-1, 4, 4)).unflatten(0, features.shape[:3])
        image = _laid_over(_laid_over(grid, 1, 4), 2, 4).permute(0, 3, 1, 2)
        return image if self.bias is None else image + self.bias[:, None, None]


def _laid_over(taps: Tensor, side: int, kernel: int) -> Tensor:
    """Twice as long a side from four taps, two apart: each place is reached by two of them."""
    first, second, third, fourth = taps.unbind(kernel)
    none, count = torch.zeros_like(first.narrow(side, 0, 1)), first.shape[side]
    even = second + torch.cat([none, fourth.narrow(side, 0, count - 1)], side)
    odd = third + torch.cat([first.narrow(side, 1, count - 1), none], side)
    return torch.stack([even, odd], side + 1).flatten(side, side + 1)


def _doublings(patch: int, least: int) -> int:
    """How often the side is doubled beyond a patch of `least` pixels."""
    return (patch // least).bit_length() - 1
