"""What a person would say of pictures that differ from real ones: blurred, noisy, pale, too dark.

Features say that two sets differ, and not how. Each trait here is one number a picture, so a
difference has a name and a direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from orthogan.data.image_set import NUM_RGBA
from orthogan.images.ground import laid_over
from orthogan.shapes import Features, OtherFeatures, Pixels

Measure: TypeAlias = Callable[[Tensor], Tensor]  # images in [0, 1], B C H W, to one number each
MIDDLE_GREY = 128
TINY = 1e-4  # of the grey scale, far below a byte


@dataclass(frozen=True)
class Trait:
    """One property of a picture.

    Attributes:
        measure: Its amount.
        step: The smallest difference that an eye would see; amounts are rounded to it.
        less: What pictures with less of it than real ones are called.
        more: What those with more are called.
        needs_colour: It says nothing of grey pictures.
    """

    measure: Measure
    step: float
    less: str
    more: str
    needs_colour: bool = False


@dataclass(frozen=True)
class Shift:
    """How far a trait of generated images lies from that of real ones.

    Attributes:
        trait: Its name in `TRAITS`.
        word: What the images are called for it, as in "blurred".
        dominance: Probability that a generated image has more of it than a real one, ties half:
            0.5 where they are alike, 0 or 1 where they do not overlap.
    """

    trait: str
    word: str
    dominance: float

    @property
    def size(self) -> float:
        """How far from alike: 0..1."""
        return abs(2 * self.dominance - 1)


def _detail(images: Tensor) -> Tensor:
    """Contrast between neighbouring pixels over that of the whole picture."""
    grey = images.mean(1)
    steps = (grey.diff(dim=1).square().mean((1, 2)) + grey.diff(dim=2).square().mean((1, 2))) / 2
    return (steps / (grey.var((1, 2)) + TINY)).sqrt()


def _grain(images: Tensor) -> Tensor:
    """Roughness of the smoothest parts: the lower quartile of second differences.

    Edges are where they are large, so they do not count; noise is everywhere.
    """
    grey = images.mean(1)
    second = (
        grey[:, 1:-1, 1:-1]
        - (grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]) / 4
    )
    return second.abs().flatten(1).quantile(0.25, dim=1)


def _contrast(images: Tensor) -> Tensor:
    return images.mean(1).flatten(1).std(1)


def _brightness(images: Tensor) -> Tensor:
    return images.mean((1, 2, 3))


def _saturation(images: Tensor) -> Tensor:
    return (images.amax(1) - images.amin(1)).mean((1, 2))


def _amount(hue: int) -> Measure:
    """How much of a hue there is: colour in its direction, at most 90 degrees from it."""
    angle = math.radians(hue)

    def measure(images: Tensor) -> Tensor:
        red, green, blue = images.unbind(1)
        # The plane of equal lightness: red at 0 degrees, green at 120, blue at 240.
        along = (red - (green + blue) / 2) * math.cos(angle)
        along = along + (green - blue) * (math.sqrt(3) / 2 * math.sin(angle))
        return along.clamp_min(0).mean((1, 2))

    return measure


HUES = {"red": 0, "yellow": 60, "green": 120, "cyan": 180, "blue": 240, "magenta": 300}  # degrees
TRAITS = {
    "grain": Trait(_grain, 2 / 255, "too smooth", "noisy"),
    "detail": Trait(_detail, 0.02, "blurred", "rough"),
    "contrast": Trait(_contrast, 0.02, "faded", "too hard in contrast"),
    "brightness": Trait(_brightness, 0.02, "too dark", "too bright"),
    "saturation": Trait(_saturation, 0.02, "too pale in colour", "too colourful", True),
} | {
    hue: Trait(_amount(angle), 0.01, f"short of {hue}", f"too full of {hue}", True)
    for hue, angle in HUES.items()
}


def trait_values(pixels: Pixels) -> Features:
    """Every trait of every picture (B traits); NaN for colour where there is none.

    Transparent ones are laid over grey, beside which white and black both show.
    """
    if pixels.shape[1] == NUM_RGBA:
        wide = pixels.to(torch.int32)
        pixels = laid_over(wide[:, :3], wide[:, 3:], MIDDLE_GREY).to(torch.uint8)
    images = pixels.float() / 255
    grey = pixels.shape[1] < 3
    columns = [
        torch.full((len(images),), torch.nan)
        if each.needs_colour and grey
        else (each.measure(images) / each.step).round() * each.step
        for each in TRAITS.values()
    ]
    return torch.stack(columns, 1)


def shifts(candidate: Features, reference: OtherFeatures) -> list[Shift]:
    """The traits in which a set differs from another, the largest difference first.

    Args:
        candidate: `trait_values` of generated images.
        reference: Those of real ones.
    """
    found = []
    for column, (name, trait) in enumerate(TRAITS.items()):
        ours, real = candidate[:, column], reference[:, column]
        if bool(ours.isnan().any() or real.isnan().any()):
            continue
        dominance = _dominance(ours, real)
        found.append(Shift(name, trait.more if dominance > 0.5 else trait.less, dominance))
    return sorted(found, key=lambda shift: -shift.size)


def _dominance(ours: Tensor, real: Tensor) -> float:
    """Area under the curve: the Mann-Whitney statistic over the number of pairs."""
    ordered = real.sort().values
    below = torch.searchsorted(ordered, ours.contiguous(), right=False).double()
    upto = torch.searchsorted(ordered, ours.contiguous(), right=True).double()
    return float(((below + upto) / 2).mean()) / len(real)
