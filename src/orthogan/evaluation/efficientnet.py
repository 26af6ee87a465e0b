"""EfficientNet-Lite0 up to its last block, for inference: what ImageNet's classes rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS = 32
TAPS = (4, 10, 15)  # blocks whose maps are read, beside the stem: strides 8, 16 and 32
NUM_FEATURES = 32 + 40 + 112 + 320  # channels of the stem and of these blocks


class Stage(NamedTuple):
    """Blocks of one kind: how often, and what each is made of."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


# Table 1 of Tan and Le 2019 (EfficientNet-B0); the Lite variant drops squeeze-and-excitation and
# takes ReLU6 for swish, so that 8-bit hardware can run it.
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)


class SameConvolution(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd pixel goes to the right and the bottom.

    The weights were trained so. PyTorch's symmetric padding shifts every map by half a stride.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of ceil(side / stride)."""
        (kernel, stride), sides = (self.kernel_size[0], self.stride[0]), maps.shape[2:]
        if stride == 1:
            return functional.conv2d(
                maps, self.weight, self.bias, padding=kernel // 2, groups=self.groups
            )
        rows, columns = (
            max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in sides
        )
        padded = functional.pad(
            maps, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        )
        return functional.conv2d(padded, self.weight, self.bias, stride, groups=self.groups)


class Block(nn.Module):
    """An inverted bottleneck: expand (1 x 1), filter each channel, project; add where it fits.

    Source: Sandler et al. 2018 (MobileNetV2), section 3.3.
    """

    def __init__(self, channels: int, kernel: int, stride: int, out: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = nn.Conv2d(channels, wide, 1) if expansion > 1 else None
        self.depthwise = SameConvolution(wide, wide, kernel, stride, groups=wide)
        self.project = nn.Conv2d(wide, out, 1)
        self.is_residual = stride == 1 and channels == out

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of `out` channels."""
        wide = maps if self.expand is None else functional.relu6(self.expand(maps), inplace=True)
        wide = functional.relu6(self.depthwise(wide), inplace=True)
        found: Tensor = self.project(wide)
        return found.add_(maps) if self.is_residual else found


class EfficientNetLite0(nn.Module):
    """The network without its head, batch normalisation folded into the weights.

    Source: Tan and Le 2019, "EfficientNet", arXiv 1905.11946; the Lite variants: Google, 2020.
    Not covered: training it, and its 1000 classes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConvolution(3, STEM_CHANNELS, 3, 2)
        self.blocks = nn.ModuleList(_blocks())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps after the stem and after the blocks of `TAPS`; RGB images in [-1, 1]."""
        maps = functional.relu6(self.stem(images))
        tapped = [maps]
        for number, block in enumerate(self.blocks):
            maps = block(maps)
            if number in TAPS:
                tapped.append(maps)
        return tapped


def _blocks() -> Iterator[Block]:
    channels = STEM_CHANNELS
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            yield Block(channels, stage.kernel, stride, stage.channels, stage.expansion)
            channels = stage.channels
