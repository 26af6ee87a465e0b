"""How a network is trained on a data set itself: from its labels, or from its images alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from orthogan.evaluation.own.network import OwnNet
from orthogan.evaluation.own.views import views
from orthogan.rng import initialization, stream
from orthogan.shapes import Images, Labels

BATCH_SIZE = 128
NUM_SHOWN = 36_000  # views: half a minute on two cores
MOST_EPOCHS = 60  # of a small set: after more it is learned by heart
PEAK_RATE = 3e-3
WEIGHT_DECAY = 0.02
WARM_UP = 0.15  # of the steps
LABEL_SMOOTHING = 0.05
TEMPERATURE = 0.2
NUM_AGREED = 64  # numbers that two views of an image are to agree in

Report = Callable[[int, int], None]  # views shown, of how many
Loss = Callable[[OwnNet, Tensor], Tensor]  # of the images at some places


def learn_classes(
    images: Images, labels: Labels, num_classes: int, seed: int, report: Report | None = None
) -> OwnNet:
    """A classifier of images in [-1, 1], in evaluation mode.

    Args:
        images: What it is trained on, of the side that the network takes.
        labels: The class of each.
        num_classes: How many there are.
        seed: Of the weights, the order and the views.
        report: Is told how many views of how many have been shown.
    """
    source = stream(seed, "own-views")

    def loss(net: OwnNet, index: Tensor) -> Tensor:
        logits = net(views(images[index], source))
        return functional.cross_entropy(logits, labels[index], label_smoothing=LABEL_SMOOTHING)

    net = _new(images, num_classes, seed)
    return _trained(net, loss, len(images), 1, seed, report)


def learn_images(images: Images, seed: int, report: Report | None = None) -> OwnNet:
    """A network that tells each image by any view of it, in evaluation mode.

    Of the views of a batch each has to find the other one of the same image.

    Args:
        images: What it is trained on, in [-1, 1], of the side that the network takes.
        seed: Of the weights, the order and the views.
        report: Is told how many views of how many have been shown.

    Source: Chen, Kornblith, Norouzi and Hinton 2020, equation 1 (NT-Xent).
    """
    source = stream(seed, "own-views")

    def loss(net: OwnNet, index: Tensor) -> Tensor:
        pair = torch.cat([views(images[index], source), views(images[index], source)])
        return contrast(net(pair))

    net = _new(images, NUM_AGREED, seed)
    return _trained(net, loss, len(images), 2, seed, report)


def contrast(outputs: Tensor) -> Tensor:
    """NT-Xent of `2B` outputs, those of an image's two views `B` apart.

    >>> apart = 9 * torch.eye(2).repeat(2, 1)
    >>> float(contrast(apart)) < float(contrast(torch.ones(4, 2)))
    True
    """
    unit = functional.normalize(outputs, dim=1)
    likeness = unit @ unit.T / TEMPERATURE
    likeness = likeness.masked_fill(torch.eye(len(unit), dtype=torch.bool), -torch.inf)
    partner = torch.arange(len(unit)).roll(len(unit) // 2)
    return functional.cross_entropy(likeness, partner)


@dataclass(frozen=True)
class Plan:
    """How many steps of how many images."""

    steps: int
    batch: int


def plan(num_images: int, views_each: int) -> Plan:
    """As many steps as show `NUM_SHOWN` views, of a small set fewer.

    >>> plan(100_000, 1), plan(256, 1)
    (Plan(steps=281, batch=128), Plan(steps=120, batch=128))
    """
    batch = min(BATCH_SIZE, num_images)
    most = MOST_EPOCHS * num_images
    return Plan(max(1, min(NUM_SHOWN // views_each, most) // batch), batch)


def _new(images: Images, num_outputs: int, seed: int) -> OwnNet:
    with initialization(seed, "own-extractor"):
        net = OwnNet(images.shape[1], num_outputs)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _trained(
    net: OwnNet, loss_of: Loss, num_images: int, views_each: int, seed: int, report: Report | None
) -> OwnNet:
    planned, source = plan(num_images, views_each), stream(seed, "own-order")
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_RATE, total_steps=planned.steps, pct_start=WARM_UP
    )
    net.train()
    order = torch.empty(0, dtype=torch.int64)
    for step in range(planned.steps):
        if len(order) < planned.batch:
            order = torch.from_numpy(source.permutation(num_images))
        index, order = order[: planned.batch], order[planned.batch :]
        optimizer.zero_grad()
        loss_of(net, index).backward()
        optimizer.step()
        schedule.step()
        if report is not None:
            shown = (step + 1) * planned.batch * views_each
            report(shown, planned.steps * planned.batch * views_each)
    return net.eval().requires_grad_(False)
