"""A plain DCGAN written from its published description, as the peer to beat.

Source: Radford, Metz and Chintala 2016, "Unsupervised representation learning with deep
convolutional generative adversarial networks", sections 3 and 4: strided and fractionally
strided convolutions, batch normalisation except at G's output and D's input, ReLU in G, tanh at
its output, LeakyReLU 0.2 in D, Adam with learning rate 2e-4 and beta1 0.5, weights drawn from
N(0, 0.02), noise uniform in [-1, 1] of length 100. Adapted to 28 x 28 pixels as is usual: a
7 x 7 x 256 projection and two doublings; batch 64; binary cross-entropy. Told classes, it is the
conditional GAN of Mirza and Osindero 2014, section 3: one-hot labels beside G's noise and as
planes beside D's image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NOISE_SIZE = 100
BATCH_SIZE = 64


class DCGAN:
    """Both networks, their optimizers, and one training step."""

    def __init__(self, seed: int, colours: int = 1, classes: int = 0) -> None:
        torch.manual_seed(seed)
        self.classes = classes
        self.generator = nn.Sequential(
            nn.Linear(NOISE_SIZE + classes, 256 * 7 * 7, bias=False),
            nn.Unflatten(1, (256, 7, 7)),
            nn.BatchNorm2d(256),
            nn.ReLU(),
            nn.ConvTranspose2d(256, 128, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, colours, 4, stride=2, padding=1),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(colours + classes, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(128 * 7 * 7, 1),
        )
        self.generator.apply(_initialize)
        self.discriminator.apply(_initialize)
        self.generator_adam = _adam(self.generator)
        self.discriminator_adam = _adam(self.discriminator)

    def step(self, real: Tensor, labels: Tensor | None = None) -> None:
        """One discriminator step, then one generator step on the same fakes."""
        fake = self._make(len(real), labels)
        self.discriminator_adam.zero_grad()
        real_logit, fake_logit = self._logits(real, labels), self._logits(fake.detach(), labels)
        loss = functional.softplus(-real_logit).mean() + functional.softplus(fake_logit).mean()
        loss.backward()
        self.discriminator_adam.step()
        self.generator_adam.zero_grad()
        functional.softplus(-self._logits(fake, labels)).mean().backward()
        self.generator_adam.step()

    def _make(self, count: int, labels: Tensor | None) -> Tensor:
        inputs = noise(count)
        if labels is not None:
            inputs = torch.cat([inputs, functional.one_hot(labels, self.classes).float()], 1)
        made: Tensor = self.generator(inputs)
        return made

    def _logits(self, images: Tensor, labels: Tensor | None) -> Tensor:
        if labels is not None:
            planes = functional.one_hot(labels, self.classes).to(images)[:, :, None, None]
            images = torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], 1)
        logits: Tensor = self.discriminator(images)
        return logits

    @torch.no_grad()
    def sample(self, num_images: int) -> Tensor:
        """Images in [-1, 1] from the generator in evaluation mode; classes in equal shares."""
        self.generator.eval()
        parts = []
        for at in range(0, num_images, 250):
            count = min(250, num_images - at)
            labels = (at + torch.arange(count)) % self.classes if self.classes else None
            parts.append(self._make(count, labels))
        self.generator.train()
        return torch.cat(parts)


def noise(num: int) -> Tensor:
    """Uniform noise in [-1, 1]."""
    return 2 * torch.rand(num, NOISE_SIZE) - 1


def _adam(network: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)


def _initialize(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
