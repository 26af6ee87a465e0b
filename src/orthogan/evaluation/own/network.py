"""The network that is trained on a data set itself: four convolutions and one dense layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.shapes import Features, Images

SIDE = 32  # pixels it is given; maps of 16, 8 and 4 follow
WIDTHS = (32, 64, 96, 128)  # channels of the convolutions
EMBEDDED = 128  # numbers of the dense layer
NUM_FEATURES = sum(WIDTHS) + EMBEDDED


class OwnNet(nn.Module):
    """Images in [-1, 1] to features, and to `num_outputs` numbers that training works on.

    Features are the means of the maps of each convolution (colour, edges, texture) beside the dense
    layer (shape), so that an image spoilt in a way that training never had to see still differs.

    Args:
        channels: 1 for grey images, 3 for RGB.
        num_outputs: Classes, or numbers that two views of an image are to agree in.
    """

    def __init__(self, channels: int, num_outputs: int) -> None:
        super().__init__()
        first, second, third, fourth = WIDTHS
        self.maps = nn.ModuleList(
            [
                _convolution(channels, first, 5, 2),
                _convolution(first, second, 3, 1),
                nn.Sequential(nn.MaxPool2d(2), *_convolution(second, third, 3, 1)),
                _convolution(third, fourth, 3, 2),
            ]
        )
        self.embed = nn.Sequential(
            nn.Flatten(),
            nn.Linear(fourth * (SIDE // 8) ** 2, EMBEDDED, bias=False),
            nn.BatchNorm1d(EMBEDDED),
            nn.ReLU(),
        )
        self.head = nn.Linear(EMBEDDED, num_outputs)

    def features(self, images: Images) -> Features:
        """`NUM_FEATURES` numbers an image."""
        found = []
        for part in self.maps:
            images = part(images)
            found.append(images.mean((2, 3)))
        return torch.cat([*found, self.embed(images)], 1)

    def forward(self, images: Images) -> Tensor:
        """What training works on: `B num_outputs`."""
        for part in self.maps:
            images = part(images)
        outputs: Tensor = self.head(self.embed(images))
        return outputs


def _convolution(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )
