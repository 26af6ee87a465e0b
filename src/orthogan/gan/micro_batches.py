r"""Steps in parts, once a whole one does not fit into memory: the same gradients, summed up.

The losses and penalties are means over pairs, so a batch of N pairs that is taken in parts of n_i
gives $\nabla L = \sum_i \frac{n_i}N \nabla L_i$, to rounding. The fakes of a part are made again
for its gradient, so that what the generator keeps for it is that of one part only (Chen et al.
2016, "Training Deep Nets with Sublinear Memory Cost": time for memory).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from orthogan.errors import OutOfMemoryError
from orthogan.gan.backend import Backend, Moved
from orthogan.gan.config import TrainingConfig
from orthogan.gan.finite import Update, update_now
from orthogan.gan.losses import Loss
from orthogan.gan.objectives import (
    Batch,
    DiscriminatorStep,
    Objective,
    discriminator_objective,
    generator_objective,
)
from orthogan.shapes import Images, Indices, Labels, Latents, Scalar
from orthogan.training.memory import free_memory, is_out_of_memory

T = TypeVar("T")
TOO_LATE = "Out of memory in the last part of a step; use a smaller batch_size."
# Relative; what a loss that is no mean over pairs misses by far.
ROUNDING = 1e-3


def backend_for(config: TrainingConfig) -> Backend:
    """What computes the steps of a run that is not compiled."""
    # What decorrelates compares whole passes, so these cannot be divided.
    return Backend() if config.decorrelation else MicroBatchBackend()


class _Made(NamedTuple):
    """The fakes of a step, and how they are made again."""

    generator: nn.Module
    latents: Latents
    labels: Labels | None
    fakes: Images


class MicroBatchBackend(Backend):
    """The reference, in as many parts as fit; once halved, it stays so.

    Args:
        update: Steps an optimizer.
    """

    def __init__(self, update: Update = update_now) -> None:
        super().__init__(update)
        self._made: _Made | None = None

    def generate(self, generator: nn.Module, latents: Latents, labels: Labels | None) -> Images:
        """Fakes, made once for both networks; in parts, without what a gradient needs."""

        def made() -> Images:
            if self.parts == 1:
                return super(MicroBatchBackend, self).generate(generator, latents, labels)
            with torch.no_grad():
                parts = [
                    generator(latents[part], None if labels is None else labels[part])
                    for part in _even(len(latents), self.parts, latents.device)
                ]
            return torch.cat(parts).requires_grad_()

        fakes = self._fitting(made, len(latents), lambda: None)
        self._made = _Made(generator, latents, labels, fakes)
        return fakes

    def at_discriminator(
        self, discriminator: nn.Module, weights: Moved, batch: Batch, objective: Objective
    ) -> DiscriminatorStep:
        """Leaves gradients at these weights of the discriminator."""
        penalized = math.ceil(objective.fraction * len(batch.real))

        def forget() -> None:
            for weight in weights:
                weight.grad = None

        def measured() -> DiscriminatorStep:
            # A copy: a penalty may draw, and the next try is to draw the same.
            own = objective
            if isinstance(objective.noise, np.random.Generator):
                own = objective._replace(noise=copy.deepcopy(objective.noise))
            if self.parts == 1:
                return super(MicroBatchBackend, self).at_discriminator(
                    discriminator, weights, batch, own
                )
            parts = min(self.parts, penalized)  # each has one of these at least
            return self._discriminator_in_parts(discriminator, weights, batch, own, parts)

        return self._fitting(measured, penalized, forget)

    def at_generator(self, discriminator: nn.Module, batch: Batch, loss: Loss) -> Scalar:
        """Leaves gradients at the weights behind the fakes; returns the loss."""
        made = self._made

        def forget() -> None:
            for weight in () if made is None else made.generator.parameters():
                weight.grad = None

        def value() -> Scalar:
            if self.parts == 1 or made is None:
                return super(MicroBatchBackend, self).at_generator(discriminator, batch, loss)
            return self._generator_in_parts(made, discriminator, batch, loss)

        return self._fitting(value, 1 if made is None else len(batch.real), forget)

    def _fitting(self, deed: Callable[[], T], most: int, forget: Callable[[], None]) -> T:
        """What a deed gives, in more parts each time that memory does not suffice.

        Args:
            deed: Leaves gradients, and changes nothing else.
            most: Into how many parts it can be divided.
            forget: Takes the gradients away again.

        Raises:
            OutOfMemoryError: nor does it with one pair at a time.
        """
        while True:
            try:
                return deed()
            except Exception as error:
                if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
                    raise
                if 2 * self.parts > most:
                    raise OutOfMemoryError(
                        f"Out of memory, also with a step in {self.parts} parts; close other "
                        "programs, or use smaller images, smaller networks or fewer images."
                    ) from None
            # Outside of the handler, which still holds what the deed had made.
            forget()
            free_memory()
            self.parts *= 2

    @staticmethod
    def _discriminator_in_parts(
        discriminator: nn.Module, weights: Moved, batch: Batch, objective: Objective, parts: int
    ) -> DiscriminatorStep:
        count = len(batch.real)
        penalized = math.ceil(objective.fraction * count)
        logits = torch.empty(2, count, device=batch.real.device)
        loss, penalty = logits.new_zeros(()), logits.new_zeros(())
        for ours in _even(penalized, parts, batch.real.device):
            # Each part has its share of those that are penalized, first, and of the others.
            number = int(ours[0])
            others = torch.arange(penalized, count, device=ours.device)[number::parts]
            rows = torch.cat([ours, others])
            # Half a pair less, so that no rounding makes it one more.
            fraction = (len(ours) - 0.5) / len(rows)
            measured = discriminator_objective(
                discriminator, _chosen(batch, rows), objective._replace(fraction=fraction)
            )
            share, penalized_share = len(rows) / count, len(ours) / penalized
            total = share * measured.loss
            total = total + objective.gamma * penalized_share * measured.penalty
            total.backward(inputs=weights)
            logits[0, rows], logits[1, rows] = measured.real.detach(), measured.fake.detach()
            loss += share * measured.loss.detach()
            penalty += penalized_share * measured.penalty.detach()
        _refuse_other(objective.loss.discriminator(*logits), loss)
        return DiscriminatorStep(loss, penalty, *logits)

    def _generator_in_parts(
        self, made: _Made, discriminator: nn.Module, batch: Batch, loss: Loss
    ) -> Scalar:
        generator, latents, labels, fakes = made
        gradient = torch.zeros_like(batch.fake)
        value = torch.zeros((), device=batch.fake.device)
        for part in _even(len(batch.fake), self.parts, batch.fake.device):
            leaf = batch.fake.detach()[part].requires_grad_()
            own = _chosen(batch, part)._replace(fake=leaf)
            share = len(part) / len(batch.fake)
            found = share * generator_objective(discriminator, own, loss)
            (gradient[part],) = torch.autograd.grad(found, leaf)
            value += found.detach()
        # Back through what the discriminator was shown in the place of the fakes.
        try:
            (at_fakes,) = torch.autograd.grad(batch.fake, fakes, gradient)
        except RuntimeError as error:  # a first try has come that far before memory ran out
            raise OutOfMemoryError(TOO_LATE) from error
        for part in _even(len(latents), self.parts, latents.device):
            again = generator(latents[part], None if labels is None else labels[part])
            again.backward(at_fakes[part])
        return value

    def apply(self, loss: Scalar, optimizer: Optimizer, network: str) -> None:
        """Updates a network by the gradients that were left at it, and notes their norm."""
        super().apply(loss, optimizer, network)
        if network == "generator":
            self._made = None


def _even(count: int, parts: int, device: torch.device) -> list[Indices]:
    """The rows of each part: every `parts`-th one."""
    return [torch.arange(number, count, parts, device=device) for number in range(parts)]


def _chosen(batch: Batch, rows: Indices) -> Batch:
    labels, logits = (
        None if each is None else each[rows] for each in (batch.labels, batch.real_logits)
    )
    return Batch(batch.real[rows], batch.fake[rows], labels, logits)


def _refuse_other(whole: Scalar, parts: Scalar) -> None:
    """A loss that is no mean over pairs has no parts.

    Raises:
        OutOfMemoryError: the loss of all pairs is not that of the parts.
    """
    if not torch.isclose(whole, parts, rtol=ROUNDING, atol=ROUNDING):
        raise OutOfMemoryError(
            "Out of memory, and the loss is no mean over pairs, so a step cannot be divided; use a "
            "smaller batch_size."
        )
