"""A small denoising diffusion model written from its published description, as a further peer.

Source: Ho, Jain and Abbeel 2020, "Denoising diffusion probabilistic models": 1000 noise levels with
variances rising linearly from 1e-4 to 0.02 (section 4), the noise predicted with a mean squared
error (equation 14), a U-Net of residual blocks with group normalisation, SiLU, a sinusoidal
embedding of the noise level in each block and self-attention at the coarsest level (appendix B),
Adam with learning rate 2e-4, an average of the weights. Adapted to 28 x 28 pixels: 32, 64 and 64
channels at 28, 14 and 7 pixels, one residual block a level; batch 64; the average has the ramp-up
of our own recipes, because the published decay of 0.9999 outlasts minutes of training.

Images are drawn with the deterministic sampler of Song, Meng and Ermon 2021, "Denoising diffusion
implicit models" (equation 12 with sigma 0), in 20 passes of the network: drawing with all 1000
would take fifty times as long.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from orthogan.training.average import update_average
from orthogan.training.precision import autocast, resolve_precision

BATCH_SIZE = 64
NUM_LEVELS = 1000
FIRST_VARIANCE, LAST_VARIANCE = 1e-4, 0.02
CHANNELS = (32, 64, 64)
GROUPS = 8
LEVEL_WIDTH = 128
HALF_LIFE_SHARE = 0.05  # of the average, in steps done so far
SAMPLING_PASSES = 20
SAMPLING_BATCH = 250
CPU = torch.device("cpu")


class DDPM:
    """The network, its average, its optimizer, one training step, and sampling."""

    def __init__(self, seed: int, colours: int = 1, passes: int = SAMPLING_PASSES) -> None:
        torch.manual_seed(seed)
        self.colours, self.passes, self.steps = colours, passes, 0
        self.network = UNet(colours)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.adam = torch.optim.Adam(self.network.parameters(), lr=2e-4, fused=True)
        self.precision = resolve_precision("auto", CPU)
        variances = torch.linspace(FIRST_VARIANCE, LAST_VARIANCE, NUM_LEVELS, dtype=torch.float64)
        self.signal = (1 - variances).cumprod(0).float()  # alpha bar of the paper

    def step(self, real: Tensor) -> float:
        """One step on noisy images of random levels; returns the loss."""
        level = torch.randint(NUM_LEVELS, (len(real),))
        noise = torch.randn_like(real)
        kept = self.signal[level].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * real + (1 - kept).sqrt() * noise
        with autocast(self.precision, CPU):
            guess = self.network(noisy, level)
        loss = functional.mse_loss(guess.float(), noise)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        self.steps += 1
        update_average(self.average, self.network, 0.5 ** (1 / (HALF_LIFE_SHARE * self.steps)))
        return loss.item()

    @torch.no_grad()
    def sample(self, num_images: int) -> Tensor:
        """Images in [-1, 1] from the averaged network."""
        sizes = [
            min(SAMPLING_BATCH, num_images - at) for at in range(0, num_images, SAMPLING_BATCH)
        ]
        return torch.cat([self._drawn(size) for size in sizes])

    def _drawn(self, num_images: int) -> Tensor:
        images = torch.randn(num_images, self.colours, 28, 28)
        levels = torch.linspace(NUM_LEVELS - 1, 0, self.passes).round().long().tolist()
        for level, following in zip(levels, [*levels[1:], None], strict=True):
            kept = self.signal[level]
            with autocast(self.precision, CPU):
                noise = self.average(images, torch.full((num_images,), level)).float()
            clean = ((images - (1 - kept).sqrt() * noise) / kept.sqrt()).clamp(-1, 1)
            if following is None:
                return clean
            # The noise that the clipped image leaves, so that the two stay consistent.
            noise = (images - kept.sqrt() * clean) / (1 - kept).sqrt()
            kept = self.signal[following]
            images = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        raise AssertionError("unreachable: there is at least one pass")


class UNet(nn.Module):
    """Predicts the noise in an image from the image and its level."""

    def __init__(self, colours: int) -> None:
        super().__init__()
        fine, middle, coarse = CHANNELS
        self.level = nn.Sequential(
            nn.Linear(fine, LEVEL_WIDTH), nn.SiLU(), nn.Linear(LEVEL_WIDTH, LEVEL_WIDTH)
        )
        self.enter = nn.Conv2d(colours, fine, 3, padding=1)
        self.down = nn.ModuleList(
            [Residual(fine, fine), Residual(fine, middle), Residual(middle, coarse)]
        )
        self.shrink = nn.ModuleList(nn.Conv2d(c, c, 3, stride=2, padding=1) for c in (fine, middle))
        self.attend = SelfAttention(coarse)
        self.bottom = Residual(coarse, coarse)
        self.up = nn.ModuleList(
            [
                Residual(2 * coarse, coarse),
                Residual(coarse + middle, middle),
                Residual(middle + fine, fine),
            ]
        )
        self.grow = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for c in (coarse, middle))
        self.leave = nn.Sequential(
            nn.GroupNorm(GROUPS, fine), nn.SiLU(), nn.Conv2d(fine, colours, 3, padding=1)
        )

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        code = self.level(level_code(level, CHANNELS[0]))
        features, kept = self.enter(images), []
        for index, block in enumerate(self.down):
            features = block(features, code)
            kept.append(features)
            if index < len(self.shrink):
                features = self.shrink[index](features)
        features = self.bottom(self.attend(features), code)
        for index, block in enumerate(self.up):
            features = block(torch.cat([features, kept.pop()], 1), code)
            if index < len(self.grow):
                features = self.grow[index](functional.interpolate(features, scale_factor=2.0))
        return self.leave(features)


class Residual(nn.Module):
    """Two convolutions with the level added between them, and a way around."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(GROUPS, num_in), nn.SiLU(), nn.Conv2d(num_in, num_out, 3, padding=1)
        )
        self.level = nn.Sequential(nn.SiLU(), nn.Linear(LEVEL_WIDTH, num_out))
        self.second = nn.Sequential(
            nn.GroupNorm(GROUPS, num_out), nn.SiLU(), nn.Conv2d(num_out, num_out, 3, padding=1)
        )
        nn.init.zeros_(self.second[-1].weight)
        self.around = nn.Identity() if num_in == num_out else nn.Conv2d(num_in, num_out, 1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        moved = self.first(features) + self.level(code)[:, :, None, None]
        return self.around(features) + self.second(moved)


class SelfAttention(nn.Module):
    """Single-head attention between the pixels of a feature map, added to it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.output = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        query, key, value = (
            self.project(self.norm(features)).flatten(2).transpose(1, 2).chunk(3, -1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return features + self.output(mixed.transpose(1, 2).reshape(features.shape))


def level_code(level: Tensor, width: int) -> Tensor:
    """Sines and cosines of the noise level (Vaswani et al. 2017, section 3.5)."""
    rates = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2))
    angles = level[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
