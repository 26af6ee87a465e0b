"""Between images and token sequences: overlapping patches in, images out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from orthogan.networks.blocks import LEAK
from orthogan.shapes import Images, Tokens


class PatchStem(nn.Module):
    """Cuts images into overlapping patches and embeds each as one token.

    Three strided convolutions with LeakyReLU between them: 18-pixel patches every 8 pixels, so
    neighbours share more than half of their pixels. (Cutting and embedding in one large-stride
    convolution stalls: Xiao et al. 2021, "Early convolutions help transformers see better".)
    """

    def __init__(self, colours: int, channels: int, width: int) -> None:
        super().__init__()
        self.fine = InputConvolution(colours, channels, 4, stride=2, padding=1)
        self.middle = nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1)
        self.coarse = nn.Conv2d(2 * channels, width, 3, stride=2, padding=1)
        self.leak = nn.LeakyReLU(LEAK)

    def forward(self, images: Images) -> Tokens:
        """Tokens in (row, col) order."""
        features = self.leak(self.middle(self.leak(self.fine(images))))
        # In order before the activation: its derivatives then meet gradients laid out as it is.
        tokens: Tensor = self.leak(self.coarse(features).flatten(2).transpose(1, 2).contiguous())
        return tokens

    @staticmethod
    def grid(size: int) -> int:
        """Patches a side of a `size` x `size` image.

        >>> PatchStem.grid(28), PatchStem.grid(32)
        (4, 4)
        """
        return -(-size // 8)


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
    """Turns a grid of tokens into an image of four times the grid's side.

    Two transposed convolutions whose 4-pixel kernels overlap by half, ReLU between them.
    """

    def __init__(self, width: int, channels: int, colours: int) -> None:
        super().__init__()
        self.coarse = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1)
        self.fine = OutputConvolution(channels, colours, 4, stride=2, padding=1)

    def forward(self, tokens: Tokens) -> Images:
        """Images from tokens of a square grid in (row, col) order."""
        side = round(tokens.shape[1] ** 0.5)
        grid = tokens.transpose(1, 2).unflatten(2, (side, side))
        features: Tensor = self.coarse(grid)
        # A row a pixel, as sequences are laid out: what is kept for the way back is kept once.
        rows = features.permute(0, 2, 3, 1).flatten(0, 2).relu()
        image: Tensor = self.fine(rows.unflatten(0, (-1, 2 * side, 2 * side)))
        return image

    @staticmethod
    def grid(size: int) -> int:
        """Tokens a side for a `size` x `size` image.

        >>> ImageHead.grid(28)
        7
        """
        return size // 4


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
