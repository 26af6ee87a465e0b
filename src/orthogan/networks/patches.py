"""Between images and token sequences: overlapping patches in, images out."""

from __future__ import annotations

from torch import Tensor, nn

from orthogan.networks.blocks import LEAK


class PatchStem(nn.Module):
    """Cuts images into overlapping patches and embeds each as one token.

    Three strided convolutions with LeakyReLU between them: 18-pixel patches every 8 pixels, so
    neighbours share more than half of their pixels. (Cutting and embedding in one large-stride
    convolution stalls: Xiao et al. 2021, "Early convolutions help transformers see better".)
    """

    def __init__(self, colours: int, channels: int, width: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(colours, channels, 4, stride=2, padding=1)
        self.middle = nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1)
        self.coarse = nn.Conv2d(2 * channels, width, 3, stride=2, padding=1)
        self.leak = nn.LeakyReLU(LEAK)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens `B T D`, in (row, col) order."""
        features = self.leak(self.middle(self.leak(self.fine(images))))
        tokens: Tensor = self.leak(self.coarse(features)).flatten(2).transpose(1, 2)
        return tokens

    @staticmethod
    def grid(size: int) -> int:
        """Patches a side of a `size` x `size` image.

        >>> PatchStem.grid(28), PatchStem.grid(32)
        (4, 4)
        """
        return -(-size // 8)


class ImageHead(nn.Module):
    """Turns a grid of tokens into an image of four times the grid's side.

    Two transposed convolutions whose 4-pixel kernels overlap by half, ReLU between them.
    """

    def __init__(self, width: int, channels: int, colours: int) -> None:
        super().__init__()
        self.coarse = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1)
        self.fine = nn.ConvTranspose2d(channels, colours, 4, stride=2, padding=1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Images `B C H W` from tokens `B T D` of a square grid in (row, col) order."""
        side = round(tokens.shape[1] ** 0.5)
        grid = tokens.transpose(1, 2).unflatten(2, (side, side))
        image: Tensor = self.fine(self.coarse(grid).relu())
        return image

    @staticmethod
    def grid(size: int) -> int:
        """Tokens a side for a `size` x `size` image.

        >>> ImageHead.grid(28)
        7
        """
        return size // 4
