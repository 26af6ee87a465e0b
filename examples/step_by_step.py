"""The whole method in plain PyTorch: an attention GAN that learns MNIST, step by step.

    python examples/step_by_step.py             # two minutes; writes step_by_step.png
    python examples/step_by_step.py 600         # ten

Everything that matters is on this page: both networks, the losses, the gradient penalties, the
optimizer and the two steps. `orthogan train` computes the same numbers and adds speed, any images,
scores, checkpoints and care. The tests hold this page and the package to each other.
"""

import copy
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from orthogan.data import load, to_floats, to_pixels
from orthogan.images.grid import grid

LATENT, CLASSES, BATCH, GAMMA, RATE = 64, 10, 64, 5.0, 2.2e-3


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017); `cosine` compares directions only."""

    def __init__(self, width, heads, cosine):
        super().__init__()
        self.heads, self.cosine = heads, cosine
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, tokens):  # B T D
        projected = self.query(tokens), *self.key_value(tokens).chunk(2, dim=-1)
        q, k, v = (each.unflatten(2, (self.heads, -1)).transpose(1, 2) for each in projected)
        if self.cosine:
            logits = 8 * functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).mT
        else:
            logits = q @ k.mT / math.sqrt(q.shape[-1])
        return self.output((logits.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Self-attention, then dense layers, each added to what came in."""

    def __init__(self, width, attention, activation, norm):
        super().__init__()
        self.attention, self.norms = attention, nn.ModuleList([norm(width), norm(width)])
        self.dense = nn.Sequential(
            nn.Linear(width, 2 * width), activation, nn.Linear(2 * width, width)
        )

    def forward(self, tokens):
        tokens = tokens + self.attention(self.norms[0](tokens))
        return tokens + self.dense(self.norms[1](tokens))


class Generator(nn.Module):
    """Noise, dense layers, 49 feature embeddings, self-attention, image; ReLU throughout."""

    def __init__(self):
        super().__init__()
        self.classes = nn.Embedding(CLASSES, LATENT)
        self.dense = nn.Sequential(
            nn.Linear(LATENT, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
            nn.Linear(128, 49 * 64), nn.Unflatten(1, (49, 64)),
        )  # fmt: skip
        self.positions = nn.Parameter(0.02 * torch.randn(49, 64))
        self.block = Block(64, Attention(64, heads=2, cosine=True), nn.ReLU(), nn.RMSNorm)
        self.image = nn.Sequential(
            nn.RMSNorm(64), Transpose(), nn.Unflatten(2, (7, 7)),
            nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
        )  # fmt: skip

    def forward(self, latents, labels):
        noise = latents * (latents.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        tokens = self.dense(noise + self.classes(labels))
        return self.image(self.block(tokens + self.positions))  # B 1 28 28


class Discriminator(nn.Module):
    """16 overlapping patches attend to each other; a dense layer judges. The logit of D(x)."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(64, 96, 3, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Flatten(2), Transpose(),
        )  # fmt: skip
        self.positions = nn.Parameter(0.02 * torch.randn(16, 96))
        identity = lambda _: nn.Identity()  # noqa: E731
        attention = Attention(96, heads=4, cosine=False)
        self.block = Block(96, attention, nn.LeakyReLU(0.2), identity)
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(16 * 96, 128), nn.LeakyReLU(0.2))
        self.logit, self.classes = nn.Linear(128, 1), nn.Embedding(CLASSES, 128)
        nn.init.zeros_(self.classes.weight)

    def forward(self, images, labels):  # Miyato and Koyama 2018, equation 3
        features = self.dense(self.block(self.patches(images) + self.positions))
        return self.logit(features)[:, 0] + (self.classes(labels) * features).sum(1)


class Transpose(nn.Module):
    """B T D to B D T and back."""

    def forward(self, tokens):
        return tokens.mT


def penalised_logits(discriminator, images, labels):
    r"""Logits, and the mean of $|\nabla_x D(x)|^2$ (Mescheder et al. 2018, equation 9).

    The first half of the batch is penalised on behalf of all.
    """
    half = math.ceil(len(images) / 2)
    points = images[:half].detach().requires_grad_()
    logits = discriminator(points, labels[:half])
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    rest = discriminator(images[half:], labels[half:])
    return torch.cat([logits, rest]), gradient.square().sum((1, 2, 3)).mean()


def discriminator_step(discriminator, optimizer, real, fake, labels):
    r"""$\mathrm{softplus}(D(G(z)) - D(x)) + \frac\gamma2 (R_1 + R_2)$ (R3GAN, equations 2, 4)."""
    real_logits, r1 = penalised_logits(discriminator, real, labels)
    fake_logits, r2 = penalised_logits(discriminator, fake.detach(), labels)
    loss = functional.softplus(fake_logits - real_logits).mean()
    optimizer.zero_grad()
    (loss + GAMMA / 2 * (r1 + r2)).backward()
    optimizer.step()
    return loss.detach(), real_logits.detach()


def generator_step(discriminator, optimizer, real_logits, fake, labels):
    r"""$\mathrm{softplus}(D(x) - D(G(z)))$: each fake is to look more real than its partner."""
    loss = functional.softplus(real_logits - discriminator(fake, labels)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


class Muon(torch.optim.Adam):
    """Matrices move along the nearest orthogonal matrix to their gradient, the rest by Adam.

    Jordan et al. 2024; no momentum, as usual for GANs (beta1 = 0).
    """

    def __init__(self, network):
        super().__init__(network.parameters(), lr=RATE, betas=(0.0, 0.9))
        layers = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
        weights = [layer.weight for layer in network.modules() if isinstance(layer, layers)]
        self.matrices = [weight for weight in weights if min(weight.flatten(1).shape) >= 8]

    @torch.no_grad()
    def step(self):
        rate = self.param_groups[0]["lr"]
        for weight in self.matrices:
            gradient = weight.grad.flatten(1)
            size = rate * math.sqrt(max(gradient.shape))
            weight -= size * orthogonalize(gradient).view_as(weight)
            weight.grad = None  # Adam passes over it
        super().step()


def orthogonalize(matrix):
    """Newton-Schulz rounds that bring all singular values to about 1."""
    near = matrix / matrix.norm()
    near = near if near.shape[0] <= near.shape[1] else near.T
    for _ in range(5):
        gram = near @ near.T
        near = 3.4445 * near + (-4.7750 * gram + 2.0315 * gram @ gram) @ near
    return near if near.shape == matrix.shape else near.T


def train(seconds=120):
    """Alternate the two steps; the average of the generator's weights draws the pictures."""
    torch.manual_seed(0)
    mnist = load("mnist")
    generator, discriminator = Generator(), Discriminator()
    average = copy.deepcopy(generator).requires_grad_(False)
    optimizers = Muon(generator), Muon(discriminator)
    start, seen = time.perf_counter(), 0
    while (progress := (time.perf_counter() - start) / seconds) < 1:
        for optimizer in optimizers:  # the rate falls to a tenth along half a cosine
            optimizer.param_groups[0]["lr"] = RATE * (0.55 + 0.45 * math.cos(math.pi * progress))
        index = torch.randint(len(mnist), (BATCH,))
        real, labels = to_floats(mnist.images[index]), mnist.labels[index]
        fake = generator(torch.randn(BATCH, LATENT), labels)
        d_loss, real_logits = discriminator_step(discriminator, optimizers[1], real, fake, labels)
        g_loss = generator_step(discriminator, optimizers[0], real_logits, fake, labels)
        seen += BATCH
        keep = 0.5 ** (BATCH / (0.05 * seen))  # half-life: a twentieth of the images seen
        for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
            mean.lerp_(weight, 1 - keep)
        if seen % (100 * BATCH) == 0:
            print(f"{seen:7d} images  D {d_loss:.3f}  G {g_loss:.3f}  {progress:.0%}")
    return average


if __name__ == "__main__":
    generator = train(float(sys.argv[1]) if len(sys.argv) > 1 else 120)
    labels = torch.arange(CLASSES).repeat_interleave(CLASSES)
    digits = generator(torch.randn(len(labels), LATENT), labels)
    grid(to_pixels(digits), columns=CLASSES).save("step_by_step.png")
