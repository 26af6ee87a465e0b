"""A trained classifier over many images: the answer to an image is the same in any company."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from orthogan.data import to_floats
from orthogan.networks.classifier import Classifier
from orthogan.shapes import Features, Pixels

# Every pass has this many images, padded if need be: kernels sum in an order that depends on
# the shape, so a fixed shape makes the answer to an image the same to the last bit.
PASS_SIZE = 64


def probabilities(network: Classifier, pixels: Pixels) -> Tensor:
    """The probability of each class of each label, `B L C`.

    Raises:
        ShapeError: the images have another size or number of colours than the network's.
    """
    config = network.config
    shape = (config.labels, config.classes)
    return _in_passes(network, pixels, lambda images: network(images).softmax(dim=2), shape)


def features(network: Classifier, pixels: Pixels) -> Features:
    """What the class logits are a linear function of, one row an image.

    Raises:
        ShapeError: the images have another size or number of colours than the network's.
    """
    return _in_passes(network, pixels, network.features, (network.num_features,))


def attention_maps(network: Classifier, pixels: Pixels) -> Tensor:
    """How the read-out weighs the patches, `B M N H W`: block, head, row, column.

    Raises:
        ShapeError: the images have another size or number of colours than the network's.
    """
    config = network.config
    blank = torch.zeros(1, config.colours, config.size, config.size)
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        shape = tuple(network.attention_maps(blank.to(device)).shape[1:])
    return _in_passes(network, pixels, network.attention_maps, shape)


def _in_passes(
    network: Classifier,
    pixels: Pixels,
    read: Callable[[Tensor], Tensor],
    shape: tuple[int, ...],
) -> Tensor:
    device = next(network.parameters()).device
    network.eval()
    answers = torch.empty(len(pixels), *shape)
    with torch.inference_mode():  # writes into an ordinary tensor, usable anywhere
        for start in range(0, max(len(pixels), 1), PASS_SIZE):
            part = pixels[start : start + PASS_SIZE]
            blank = part.new_zeros(PASS_SIZE - len(part), *part.shape[1:])
            images = to_floats(torch.cat([part, blank]).to(device))
            answers[start : start + PASS_SIZE] = read(images)[: len(part)].float().cpu()
    return answers
