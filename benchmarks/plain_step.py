"""A training step written as in the papers, one line an equation: slow, and the oracle of ours.

Two calls of the discriminator instead of a merged one, a penalty on each, the generator run again
for its own step, and a loop over the parameters for every update. Nothing fused, nothing batched,
nothing in lower precision, every convolution the library's own. Whatever the trainer does to be
fast must give these numbers.

Sources: Huang et al. 2024 (R3GAN), equations 2 and 4, for the losses and the two penalties; Kingma
and Ba 2015, algorithm 1; Jordan et al. 2024 for Muon.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from orthogan import rng
from orthogan.data import ImageSet, to_floats
from orthogan.gan import schedule
from orthogan.gan.config import OptimizerConfig
from orthogan.gan.trainer import Trainer
from orthogan.networks.patches import InputConvolution, OutputConvolution

EPSILON = 1e-8  # of Adam
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
MIN_SIDE = 8


class PlainStep:
    """The networks of a trainer, copied, and one step of the default method at a time.

    Args:
        trainer: Where the weights and the data come from; relativistic loss, exact penalty.
        images: Its training set.
    """

    def __init__(self, trainer: Trainer, images: ImageSet) -> None:
        config = trainer.config
        if (config.loss, config.penalty.kind) != ("relativistic", "exact"):
            raise ValueError("The plain step is that of the default method.")
        self.config, self.images, self.clusters = config, images, trainer.clusters
        self.order, self.images_seen = images.order(config.seed), trainer.images_seen
        self.generator = plain(copy.deepcopy(trainer.generator))
        self.discriminator = plain(copy.deepcopy(trainer.discriminator))
        self.average = copy.deepcopy(trainer.average)
        self.updates = (
            PlainUpdate(self.generator, config.generator_optimizer),
            PlainUpdate(self.discriminator, config.discriminator_optimizer),
        )

    def step(self, progress: float) -> tuple[Tensor, Tensor]:
        """One step of each network; returns the losses of discriminator and generator."""
        config, dtype = self.config, next(self.generator.parameters()).dtype
        batch = schedule.batch_size(config, progress)
        gamma = schedule.gamma(config.penalty, progress)
        index = self.order.batch(self.images_seen, batch)
        pixels, labels = self.images.take(index)
        if config.condition != "classes":
            labels = None if self.clusters is None else self.clusters[index]
        real = to_floats(pixels).to(dtype)
        noise = rng.stream(config.seed, "noise", self.images_seen)
        latents = rng.normal((batch, config.generator.latent_size), noise).to(dtype)

        real, fake = self._seen(real), self._seen(self.generator(latents, labels).detach())
        real_logits, real_penalty = self._penalised(real, labels)
        fake_logits, fake_penalty = self._penalised(fake, labels)
        discriminator_loss = functional.softplus(fake_logits - real_logits).mean()
        (discriminator_loss + gamma / 2 * (real_penalty + fake_penalty)).backward()
        self.updates[1].step(progress, self.images_seen)
        self.generator.zero_grad()

        fake_again = self._seen(self.generator(latents, labels))
        fake_logits_again = self.discriminator.judge(fake_again, labels)
        generator_loss = functional.softplus(real_logits.detach() - fake_logits_again).mean()
        generator_loss.backward()
        self.updates[0].step(progress, self.images_seen)
        self.discriminator.zero_grad()

        self.images_seen += batch
        decay = schedule.average_decay(config.average, self.images_seen, batch)
        with torch.no_grad():
            for mean, weight in zip(
                self.average.parameters(), self.generator.parameters(), strict=True
            ):
                mean.copy_(decay * mean + (1 - decay) * weight)
        return discriminator_loss.detach(), generator_loss.detach()

    def _seen(self, images: Tensor) -> Tensor:
        """What the discriminator sees: (1 + g) x - g b(x), the blur as a mean of shifts."""
        gain = self.config.discriminator.emphasis or 0.0
        wide = functional.pad(images, (1, 1, 1, 1), mode="replicate")
        height, width = images.shape[2:]
        blurred = sum(
            (2 - abs(row))
            * (2 - abs(column))
            / 16
            * wide[:, :, 1 + row : 1 + row + height, 1 + column : 1 + column + width]
            for row in (-1, 0, 1)
            for column in (-1, 0, 1)
        )
        return (1 + gain) * images - gain * blurred

    def _penalised(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """The logits of all images and the mean squared slope at the first of them."""
        count = math.ceil(self.config.penalty.share * len(images))
        first, rows = images[:count].clone().requires_grad_(), _rows(labels, slice(count))
        logits = self.discriminator.judge(first, rows)
        (slope,) = torch.autograd.grad(logits.sum(), first, create_graph=True)
        if count < len(images):
            rest = slice(count, None)
            others = self.discriminator.judge(images[rest], _rows(labels, rest))
            logits = torch.cat([logits, others])
        return logits, slope.square().sum(dim=(1, 2, 3)).mean()


class LibraryToColours(nn.ConvTranspose2d):
    """`OutputConvolution` by the library's own call."""

    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
        """Images `B C 2H 2W` from features `B H W C`."""
        return super().forward(features.permute(0, 3, 1, 2))


def plain(network: nn.Module) -> nn.Module:
    """The network itself, each convolution by the library's own call."""
    for layer in network.modules():
        if isinstance(layer, OutputConvolution):
            layer.__class__ = LibraryToColours
        elif isinstance(layer, InputConvolution):
            layer.__class__ = nn.Conv2d
    return network


def _rows(labels: Tensor | None, chosen: slice) -> Tensor | None:
    return None if labels is None else labels[chosen]


class PlainUpdate:
    """Adam, or Muon where the configuration says so, one parameter after another."""

    def __init__(self, network: nn.Module, config: OptimizerConfig) -> None:
        self.network, self.config, self.steps = network, config, 0
        matrices = {
            layer.weight
            for layer in network.modules()
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
            and min(layer.weight.flatten(1).shape) >= MIN_SIDE
        }
        self.matrices = matrices if config.kind == "muon" else set()
        self.means = {p: torch.zeros_like(p) for p in network.parameters()}
        self.squares = {p: torch.zeros_like(p) for p in network.parameters()}

    @torch.no_grad()
    def step(self, progress: float, images_seen: int) -> None:
        """Moves every parameter and forgets its gradient."""
        rate = schedule.learning_rate(self.config, progress, images_seen)
        beta1, beta2 = self.config.beta1, schedule.beta2(self.config, progress)
        self.steps += 1
        for weight in self.network.parameters():
            gradient, mean, square = weight.grad, self.means[weight], self.squares[weight]
            mean.copy_(beta1 * mean + (1 - beta1) * gradient)
            if weight in self.matrices:
                rows = mean.flatten(1)
                direction = math.sqrt(max(rows.shape)) * orthogonal(rows).reshape(weight.shape)
            else:
                square.copy_(beta2 * square + (1 - beta2) * gradient**2)
                corrected = mean / (1 - beta1**self.steps)
                spread = square / (1 - beta2**self.steps)
                direction = corrected / (spread.sqrt() + EPSILON)
            weight.copy_(weight - rate * direction)
            weight.grad = None


def orthogonal(matrix: Tensor) -> Tensor:
    """Newton-Schulz rounds on the matrix itself."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    near = wide / wide.norm()
    first, second, third = NEWTON_SCHULZ
    for _ in range(ROUNDS):
        gram = near @ near.T
        near = first * near + (second * gram + third * gram @ gram) @ near
    return near if near.shape == matrix.shape else near.T


def in_float64(trainer: Trainer) -> Trainer:
    """The trainer itself, its networks in float64: then parity shows the method, not rounding."""
    for network in (trainer.generator, trainer.discriminator, trainer.average):
        network.double()
        network.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(), *inputs[1:]))
    return trainer


def parity(trainer: Trainer, images: ImageSet, steps: int) -> float:
    """The largest difference of a loss or weight, relative to the largest of its kind."""
    plain, worst = PlainStep(trainer, images), 0.0
    for step in range(steps):
        record = trainer.step(step / steps)
        losses = plain.step(step / steps)
        ours = (record.discriminator_loss, record.generator_loss)
        worst = max(worst, *(_relative(a, b) for a, b in zip(ours, losses, strict=True)))
    for name in ("generator", "discriminator", "average"):
        pairs = zip(
            getattr(trainer, name).parameters(), getattr(plain, name).parameters(), strict=True
        )
        worst = max(worst, *(_relative(a, b) for a, b in pairs))
    return worst


def _relative(ours: Tensor, theirs: Tensor) -> float:
    gap = (ours.detach() - theirs.detach()).abs().max()
    return float(gap / theirs.detach().abs().max().clamp_min(1e-12))
