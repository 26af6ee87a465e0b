"""A classifier, its optimizer and its average: what a classification run moves forward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from orthogan import rng
from orthogan.classification.config import ClassificationConfig
from orthogan.classification.distortion import distort
from orthogan.classification.examples import Examples
from orthogan.data import ImageSet, Order, to_floats
from orthogan.data.balance import CLASSES, Balanced
from orthogan.data.ordering import Arrangement, check_arrangement, ordered
from orthogan.networks.calibration import (
    CALIBRATION_IMAGES,
    calibrate,
    check_whitening,
    needs_calibration,
    whiten_by_all,
)
from orthogan.networks.classifier import Classifier
from orthogan.shapes import Images
from orthogan.training import schedule
from orthogan.training.average import average_of
from orthogan.training.precision import autocast, resolve_precision
from orthogan.training.state_tensors import restore, state_tensors
from orthogan.training.supervised import OPTIMIZER_PART, adamw, shorten_gradient


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What one step measured; tensors, so that nothing more waits for the device."""

    loss: Tensor
    accuracy: Tensor

    def numbers(self) -> dict[str, float]:
        """The measurements as plain numbers."""
        return {name: float(value) for name, value in vars(self).items()}


class ClassifierTrainer:
    """A classification run between two checkpoints: `step` shows the network one batch.

    Every random draw is a function of the seed and `images_seen`, so a trainer restored from a
    checkpoint continues bit for bit.

    Args:
        config: The run, its network already fitted to the images.
        examples: What is learned from.
        device: Where to train.
    """

    def __init__(
        self, config: ClassificationConfig, examples: Examples, device: torch.device
    ) -> None:
        self.config, self.device = config, device
        self.images = examples.images.images.to(device)
        self.targets = examples.targets.to(device)
        # Over the images in memory, also of a set that a GAN sees drawn afresh.
        self.order = in_memory_order(config, examples.images)
        self.precision = resolve_precision(config.precision, device)
        self.images_seen = 0
        with rng.initialization(config.seed, "classifier"):
            self.network: Classifier = config.network.build()
        # Convolutions with the colours innermost are the quicker ones here, on CPUs too.
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        check_whitening(config.data.whitening, self.network)
        if needs_calibration(self.network):
            index = self.order.batch(0, min(CALIBRATION_IMAGES, len(examples))).to(device)
            calibrate(self.network.train(), to_floats(self.images[index]))
            if config.data.whitening == "all":
                whiten_by_all(self.network, self._all_images)
        self.average = average_of(self.network)
        chosen = config.optimizer
        self.optimizer = adamw(
            self.network, chosen.learning_rate, (chosen.beta1, chosen.beta2), chosen.weight_decay
        )

    def _all_images(self) -> Iterator[tuple[Images]]:
        """Every image once, as the network takes them."""
        for pixels in self.images.split(CALIBRATION_IMAGES):
            yield (to_floats(pixels),)

    def step(self, progress: float) -> StepRecord:
        """Show one batch to the network.

        Args:
            progress: Share of the budget that is used up, for the schedule.

        Raises:
            DivergedError: the loss or a gradient is not finite; the network is unchanged.
        """
        config = self.config
        images, targets = self._batch()
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.learning_rate(config.optimizer, progress)
        self.network.train()
        with autocast(self.precision, self.device):
            logits = self.network(images).float()
        loss = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), label_smoothing=config.label_smoothing
        )
        self.optimizer.zero_grad()
        loss.backward()
        shorten_gradient(self.network, config.optimizer.largest_gradient, float(loss.detach()))
        self.optimizer.step()
        self.images_seen += config.batch_size
        step = self.images_seen // config.batch_size
        follow(self.average, self.network, schedule.average_step(step, config.average_steps))
        right = (logits.detach().argmax(dim=2) == targets).all(dim=1)
        return StepRecord(loss=loss.detach(), accuracy=right.float().mean())

    def _batch(self) -> tuple[Tensor, Tensor]:
        config = self.config
        index = self.order.batch(self.images_seen, config.batch_size).to(self.device)
        source = rng.stream(config.seed, "distortion", self.images_seen)
        images = distort(to_floats(self.images[index]), config.distortion, source)
        return images.contiguous(memory_format=torch.channels_last), self.targets[index]

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint keeps as tensors."""
        return state_tensors(self._networks(), {OPTIMIZER_PART: self.optimizer})

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint keeps as numbers."""
        return {"images_seen": self.images_seen}

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Continue from a checkpoint: the counterpart of `tensors` and `state`."""
        self.images_seen = state["images_seen"]
        restore(tensors, self._networks(), {OPTIMIZER_PART: self.optimizer})

    def _networks(self) -> dict[str, nn.Module]:
        return {"network": self.network, "average": self.average}


def in_memory_order(config: ClassificationConfig, images: ImageSet) -> Order:
    """The order over the images in memory, also of a set that a GAN sees drawn afresh.

    Raises:
        ConfigError: the images cannot be ordered as the configuration says.
    """
    if images.draws_afresh and config.data.balance == CLASSES and images.labels is not None:
        return Balanced(images.labels, config.seed)
    wanted = Arrangement(config.data.balance, config.data.batches, config.batch_size)
    if images.draws_afresh:
        check_arrangement(images, wanted)
        return Order(len(images), config.seed)
    return ordered(images, wanted, config.seed)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move the average a `share` of the way to the network, statistics of batch norms included."""
    for mean, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, share)
        else:
            mean.copy_(new)
