"""Between images and tokens, for classifiers: overlapping patches, convolutions, or both."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor, nn

from orthogan.shapes import Grid, Images, Tokens

StemKind: TypeAlias = Literal["convolutional", "patch", "both"]


def grid_side(size: int, patch: int) -> int:
    """Tokens a side of a `size` x `size` image with a patch every `patch` pixels.

    >>> grid_side(28, 4), grid_side(28, 8)
    (7, 4)
    """
    return -(-size // patch)


class PatchEmbedding(nn.Module):
    """Each token is a linear function of a square of pixels that overlaps its neighbours'.

    The square has side `2 patch - 1`, so that every pixel is seen by about four tokens.

    Source: Dosovitskiy et al. 2021, "An image is worth 16x16 words", section 3.1, with overlap.

    Args:
        colours: Colour planes of the images.
        width: Width of the tokens.
        patch: Pixels between the centres of neighbouring patches.
    """

    def __init__(self, colours: int, width: int, patch: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(colours, width, 2 * patch - 1, stride=patch, padding=patch - 1)

    def forward(self, images: Images) -> Tokens:
        """Tokens in (row, col) order."""
        return sequence(self.embed(images))


class ConvolutionalStem(nn.Module):
    """Each token is read from its surroundings by convolutions with batch normalisation and ReLU.

    Source: Xiao et al. 2021, "Early convolutions help transformers see better".

    Args:
        colours: Colour planes of the images.
        channels: Channels of the first convolution; later ones have one and a half and twice
            as many.
        width: Width of the tokens.
        patch: Pixels between the centres of neighbouring tokens: 4 or 8.
    """

    def __init__(self, colours: int, channels: int, width: int, patch: int) -> None:
        super().__init__()
        middle = channels + channels // 2
        self.layers = nn.Sequential(
            *_normalised(colours, channels, kernel=5, stride=2),
            *_normalised(channels, middle, kernel=3, stride=1),
            nn.MaxPool2d(2),
            *_normalised(middle, 2 * channels, kernel=3, stride=1),
            *_normalised(2 * channels, width, kernel=3, stride=patch // 4),
        )

    def forward(self, images: Images) -> Tokens:
        """Tokens in (row, col) order."""
        return sequence(self.layers(images))


class BothStems(nn.Module):
    """The sum of a patch embedding and a convolutional stem."""

    def __init__(self, colours: int, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.patches = PatchEmbedding(colours, width, patch)
        self.convolutions = ConvolutionalStem(colours, channels, width, patch)

    def forward(self, images: Images) -> Tokens:
        """Tokens in (row, col) order."""
        tokens: Tensor = self.patches(images) + self.convolutions(images)
        return tokens


def build_stem(
    kind: StemKind, colours: int, channels: int, width: int, patch: int
) -> PatchEmbedding | ConvolutionalStem | BothStems:
    """The stem of that kind; a patch embedding has no hidden layer, so no `channels`."""
    if kind == "patch":
        return PatchEmbedding(colours, width, patch)
    stem = BothStems if kind == "both" else ConvolutionalStem
    return stem(colours, channels, width, patch)


def sequence(grid: Grid) -> Tokens:
    """Tokens `B T D` in (row, col) order from a grid `B D H W`."""
    return grid.flatten(2).transpose(1, 2)


def _normalised(num_in: int, num_out: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(num_in, num_out, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(num_out), nn.ReLU()]
