r"""Ways through the latent space of a generator: between seeds and classes, along axes.

A generator sees the direction of a latent: vectors of unit mean square, to which the vector of a
class is added. A straight line between two of them would leave that sphere and lead past images
that training never made, so ways follow great circles (White 2016, "Sampling generative
networks", section 2):
$p(t) = \frac{\sin((1-t)\omega)}{\sin\omega} p_0 + \frac{\sin(t\omega)}{\sin\omega} p_1$.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from orthogan.data import to_pixels
from orthogan.errors import ConfigError
from orthogan.inference_batches import INFERENCE_BATCH_SIZE
from orthogan.networks.network import Generator, normalise
from orthogan.rng import latents as latents_of
from orthogan.shapes import Axis, Fractions, Latents, Pixels, Walk

SMALLEST_SINE = 1e-4  # of the angle between two latents: below, the straight line is the circle


class Places(NamedTuple):
    """Places in latent space, one per image.

    Attributes:
        directions: Latents of unit mean square.
        shifts: What the class of each adds; zeros without classes.
    """

    directions: Tensor
    shifts: Tensor


@torch.inference_mode()
def places(generator: Generator, seeds: Sequence[int], classes: Sequence[int] | None) -> Places:
    """Where the images of these seeds lie.

    Args:
        generator: Any generator.
        seeds: One per place.
        classes: The class of each, in turn; None: as each latent draws it.

    Raises:
        ConfigError: a negative seed, or classes for a generator without them.
    """
    latents = latents_of(seeds, generator.config.latent_size)
    labels = None
    if classes is not None:
        labels = torch.tensor([classes[at % len(classes)] for at in range(len(seeds))])
    if generator.class_latents is None:
        return Places(normalise(latents), torch.zeros_like(latents))
    chosen = generator.classes_of(latents, labels)
    return Places(normalise(latents), generator.class_latents(chosen))


def on_great_circle(first: Latents, last: Latents, shares: Fractions) -> Walk:
    """Latents of unit mean square between two of the same number: one row per share of each pair.

    Args:
        first: Where the ways begin (B Z).
        last: Where they end (B Z).
        shares: How far along, in 0..1 (S).

    Returns:
        B S Z.

    >>> ends = normalise(torch.eye(2))
    >>> on_great_circle(ends[:1], ends[1:], torch.tensor([0.5])).round(decimals=4)
    tensor([[[1., 1.]]])
    """
    cosine = torch.nn.functional.cosine_similarity(first, last).clamp(-1, 1)
    angle = cosine.acos()[:, None, None]
    sine, at = angle.sin(), shares[None, :, None]
    is_line = sine < SMALLEST_SINE
    safe = torch.where(is_line, 1.0, sine)
    begin = torch.where(is_line, 1 - at, ((1 - at) * angle).sin() / safe)
    end = torch.where(is_line, at, (at * angle).sin() / safe)
    return begin * first[:, None] + end * last[:, None]


def between(way: Places, steps: int) -> Places:
    """The ways from each place to the next, both ends included: `steps` places for each way.

    What classes add moves along straight lines: it lies on no sphere.

    Args:
        way: At least two places.
        steps: At least two.

    Raises:
        ConfigError: fewer.
    """
    if len(way.directions) < 2:
        raise ConfigError("A way needs at least two seeds, or two classes of one seed.")
    if steps < 2:
        raise ConfigError(f"A way has at least 2 steps, got {steps}.")
    shares = torch.linspace(0, 1, steps)
    directions = on_great_circle(way.directions[:-1], way.directions[1:], shares)
    at = shares[None, :, None]
    shifts = (1 - at) * way.shifts[:-1, None] + at * way.shifts[1:, None]
    return Places(directions.flatten(0, 1), shifts.flatten(0, 1))


def along(start: Places, axis: Axis, steps: int, reach_rad: float) -> Places:
    """From each place to both sides along an axis, on the great circle through both.

    Args:
        start: Where the ways have their middle.
        axis: A direction (Z), of any length.
        steps: Places on each way, at least two.
        reach_rad: The angle from the middle to either end, in radians.

    Raises:
        ConfigError: fewer than two steps.
    """
    if steps < 2:
        raise ConfigError(f"A way has at least 2 steps, got {steps}.")
    middle = start.directions
    unit = axis / axis.norm()
    across = unit - (middle @ unit)[:, None] * middle / middle.square().sum(1, keepdim=True)
    across = across * middle.norm(dim=1, keepdim=True) / across.norm(dim=1, keepdim=True)
    angles = torch.linspace(-reach_rad, reach_rad, steps)[None, :, None]
    directions = angles.cos() * middle[:, None] + angles.sin() * across[:, None]
    shifts = start.shifts[:, None].expand_as(directions)
    return Places(directions.flatten(0, 1), shifts.flatten(0, 1))


@torch.inference_mode()
def drawn(generator: Generator, where: Places, truncation: float = 1.0) -> Pixels:
    """The images at these places, the same whichever others are drawn beside them.

    Args:
        generator: Any generator; it is put in evaluation mode.
        where: The places.
        truncation: How far latents reach from the middle of the sphere: 1 where training had
            them; less gives more ordinary and more uniform images.

    Raises:
        ConfigError: a truncation outside (0, 1].
    """
    if not 0 < truncation <= 1:
        raise ConfigError(f"A truncation lies above 0 and is at most 1, got {truncation:g}.")
    generator.eval()
    device = next(generator.parameters()).device
    noise = truncation * where.directions + where.shifts
    parts = []
    for part in noise.split(INFERENCE_BATCH_SIZE):
        padded = torch.cat([part, part[-1:].expand(INFERENCE_BATCH_SIZE - len(part), -1)])
        images = generator.synthesise(padded.to(device))
        parts.append(to_pixels(images).cpu()[: len(part)])
    return torch.cat(parts)
