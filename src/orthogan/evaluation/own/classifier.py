"""A classifier trained on some images, asked about others."""

from __future__ import annotations

import torch

from orthogan.evaluation.own.inputs import as_input, num_channels, opaque
from orthogan.evaluation.own.learning import learn_classes
from orthogan.evaluation.own.network import OwnNet
from orthogan.shapes import Images, Labels, OtherLabels, OtherPixels, Pixels

BATCH_SIZE = 256


def classifier_accuracy(
    taught: Pixels, classes: Labels, asked: OtherPixels, right: OtherLabels, seed: int
) -> float:
    """The fraction of images that a classifier trained on other ones gives their class.

    Args:
        taught: Images it is trained on.
        classes: Their classes.
        asked: Images it is asked about.
        right: Their classes.
        seed: Of its training.
    """
    channels = num_channels(taught)
    num_classes = int(max(classes.max(), right.max())) + 1
    net = learn_classes(as_input(opaque(taught), channels), classes.long(), num_classes, seed)
    return accuracy(net, as_input(opaque(asked), channels), right)


@torch.inference_mode()
def accuracy(net: OwnNet, images: Images, labels: Labels) -> float:
    """The fraction of images that a classifier gives their class."""
    parts = zip(images.split(BATCH_SIZE), labels.split(BATCH_SIZE), strict=True)
    return sum(int((net(part).argmax(1) == right).sum()) for part, right in parts) / len(labels)
