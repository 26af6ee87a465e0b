"""How much a discriminator's view emphasises fine detail, where the settings leave it open."""

from __future__ import annotations

import torch

from orthogan import rng
from orthogan.data import ImageSet, to_floats
from orthogan.gan.config import TrainingConfig

SAMPLE = 512  # images whose waves are measured
# Where the coarse waves end and the fine ones begin, as fractions of the highest frequency.
COARSEST, FINEST = 1 / 8, 3 / 4
# Gray strokes on plain ground fall less and gain nothing; all else measured does (docs/log.md).
LEAST_FALL = 12.0
GAIN = 4.0


def resolved_emphasis(config: TrainingConfig, images: ImageSet) -> TrainingConfig:
    """The configuration with the discriminator's emphasis as for these images."""
    if config.discriminator.emphasis is not None:
        return config
    settled = config.discriminator.evolve(emphasis=_gain(spectral_fall(images)))
    return config.evolve(discriminator=settled.to_dict())


def said_of_emphasis(config: TrainingConfig, images: ImageSet) -> str:
    """What is done and why, in words, for a configuration that is resolved."""
    gain, fall = config.discriminator.emphasis or 0.0, spectral_fall(images)
    seen = f"the finest detail {1 + gain:g} times as strong" if gain else "all detail as it is"
    # What was asked for, or was so in a run of an earlier version, does not follow from the images.
    why = f", since their coarsest waves are {fall:.0f} times stronger than their finest"
    return (
        f"Of these images the discriminator sees {seen}{why if gain == _gain(fall) else ''} "
        f"(discriminator.emphasis={gain:g})."
    )


def _gain(fall: float) -> float:
    return GAIN if fall >= LEAST_FALL else 0.0


def spectral_fall(images: ImageSet) -> float:
    """How many times stronger the coarsest waves of images are than their finest.

    Root mean squares of the Fourier coefficients of the images less their mean image, over waves
    of at most an eighth of the highest frequency along both axes, and of at least three quarters
    along one.

    Args:
        images: At least 2; up to 512 of them are measured.
    """
    chosen = rng.permutation(len(images), 0, "emphasis", 0)[:SAMPLE]
    pixels = to_floats(images.images[chosen])
    power = torch.fft.fft2(pixels - pixels.mean(0)).abs().square().mean((0, 1))
    along = torch.fft.fftfreq(pixels.shape[-1]).abs() * 2
    highest = torch.maximum(along[:, None], along[None, :])
    coarse, fine = (
        power[band].mean().sqrt()
        for band in ((highest > 0) & (highest <= COARSEST), highest >= FINEST)
    )
    # Images without any fine detail fall by a million; those of one color do not fall at all.
    least = (coarse * 1e-6).clamp_min(torch.finfo(power.dtype).tiny)
    return float(coarse / fine.maximum(least))
