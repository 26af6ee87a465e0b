"""Ways to spoil images, each with a mild and a severe degree, and the finding that names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional

Pixels = Tensor  # N C H W, bytes


@dataclass
class Halves:
    """A set cut in two: what a generator would have seen, and what it would not."""

    reference: Pixels
    unseen: Pixels
    other: Pixels  # of another set, of the same size and channels
    source: np.random.Generator
    groups: Tensor = field(init=False)  # a cluster of look for each unseen image

    def __post_init__(self) -> None:
        rows = self.unseen.flatten(1).numpy() / 255
        points = PCA(min(32, len(rows) - 1), random_state=0).fit_transform(rows)
        found = KMeans(NUM_GROUPS, n_init=3, random_state=0).fit_predict(points)
        self.groups = torch.from_numpy(found)


NUM_GROUPS = 6
Degrade = Callable[[Halves, float], Pixels]


@dataclass(frozen=True)
class Planted:
    """A way to spoil images: how, its two degrees, and the finding that names it."""

    degrade: Degrade
    mild: float
    severe: float
    finding: str
    needs_colour: bool = False


def noise(halves: Halves, sigma: float) -> Pixels:
    """Gaussian noise, in grey levels."""
    draws = halves.source.normal(0, sigma, tuple(halves.unseen.shape))
    return as_bytes(halves.unseen + torch.from_numpy(draws))


def blur(halves: Halves, sigma: float) -> Pixels:
    """A Gaussian blur, in pixels."""
    return as_bytes(blurred(halves.unseen.double(), sigma))


def blurred(pixels: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(3 * sigma))
    taps = torch.exp(-(torch.arange(-reach, reach + 1).double() ** 2) / (2 * sigma**2))
    taps = taps / taps.sum()
    channels = pixels.shape[1]
    padded = functional.pad(pixels, (reach,) * 4, mode="replicate")
    rows = taps.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1)
    columns = taps.reshape(1, 1, 1, -1).expand(channels, 1, 1, -1)
    once = functional.conv2d(padded, rows, groups=channels)
    return functional.conv2d(once, columns, groups=channels)


def resized(halves: Halves, factor: float) -> Pixels:
    """Made smaller by a factor, and back."""
    side = halves.unseen.shape[-1]
    small = round(side * factor)
    shrunk = functional.interpolate(
        halves.unseen.double(), size=(small, small), mode="bilinear", antialias=True
    )
    return as_bytes(functional.interpolate(shrunk, size=(side, side), mode="bilinear"))


def grey(halves: Halves, fraction: float) -> Pixels:
    """A fraction of the colour is taken away."""
    pixels = halves.unseen.double()
    return as_bytes(pixels + fraction * (pixels.mean(1, keepdim=True) - pixels))


def rotated(halves: Halves, fraction: float) -> Pixels:
    """A fraction of each channel is that of the next one."""
    pixels = halves.unseen.double()
    return as_bytes(pixels + fraction * (pixels.roll(1, 1) - pixels))


def faded(halves: Halves, fraction: float) -> Pixels:
    """A fraction of the contrast is taken away."""
    pixels = halves.unseen.double()
    return as_bytes(pixels + fraction * (pixels.mean((1, 2, 3), keepdim=True) - pixels))


def missing(halves: Halves, fraction: float) -> Pixels:
    """A fraction of the largest group of look is left out."""
    counts = torch.bincount(halves.groups, minlength=NUM_GROUPS)
    of_group = (halves.groups == counts.argmax()).nonzero()[:, 0]
    dropped = of_group[: round(fraction * len(of_group))]
    kept = torch.ones(len(halves.groups), dtype=torch.bool)
    kept[dropped] = False
    return halves.unseen[kept]


def mixed(halves: Halves, fraction: float) -> Pixels:
    """A fraction of the images are of another set."""
    count = round(fraction * len(halves.unseen))
    strangers = halves.other[torch.arange(count) % len(halves.other)]
    return shuffled(torch.cat([strangers, halves.unseen[count:]]), halves)


def repeated(halves: Halves, kept: float) -> Pixels:
    """So many images, again and again."""
    return halves.unseen[torch.arange(len(halves.unseen)) % int(kept)]


def neighbours(halves: Halves, weight: float) -> Pixels:
    """Each image of the reference blended with the one nearest to it."""
    rows = halves.reference.flatten(1).float()
    distances = torch.cdist(rows, rows).fill_diagonal_(torch.inf)
    near = halves.reference[distances.argmin(1)].double()
    pixels = halves.reference.double()
    return as_bytes(pixels + weight * (near - pixels))[: len(halves.unseen)]


def mixture(halves: Halves, _components: float) -> Pixels:
    """Draws of a mixture of Gaussians in the space of principal components."""
    rows = halves.reference.flatten(1).numpy().astype(np.float64)
    projection = PCA(min(100, len(rows) // 4), random_state=0).fit(rows)
    points = projection.transform(rows)
    groups = KMeans(max(2, len(rows) // 60), n_init=1, random_state=0).fit_predict(points)
    drawn = []
    for group in range(int(groups.max()) + 1):
        own = points[groups == group]
        count = round(len(halves.unseen) * len(own) / len(points))
        spread = np.cov(points.T) * 0.02 + (np.cov(own.T) if len(own) > 2 else 0)
        drawn.append(halves.source.multivariate_normal(own.mean(0), spread, count))
    pixels = projection.inverse_transform(np.concatenate(drawn))
    shape = halves.reference.shape[1:]
    return shuffled(as_bytes(torch.from_numpy(pixels)).unflatten(1, shape), halves)


def copies(change: Callable[[Tensor, np.random.Generator], Tensor]) -> Degrade:
    """A fraction of the images are images of the reference, changed."""

    def degrade(halves: Halves, fraction: float) -> Pixels:
        count = round(fraction * len(halves.unseen))
        chosen = torch.from_numpy(halves.source.integers(len(halves.reference), size=count))
        copied = as_bytes(change(halves.reference[chosen].double(), halves.source))
        return shuffled(torch.cat([copied, halves.unseen[count:]]), halves)

    return degrade


def moved(most: int) -> Callable[[Tensor, np.random.Generator], Tensor]:
    """By up to so many pixels along both axes; the edge is repeated."""

    def change(pixels: Tensor, source: np.random.Generator) -> Tensor:
        side = pixels.shape[-1]
        wide = functional.pad(pixels, (most,) * 4, mode="replicate")
        steps = source.choice([-most, most], size=(len(pixels), 2)) + most
        parts = [
            one[:, top : top + side, left : left + side]
            for one, (top, left) in zip(wide, steps.tolist(), strict=True)
        ]
        return torch.stack(parts)

    return change


def noised(pixels: Tensor, source: np.random.Generator) -> Tensor:
    return pixels + torch.from_numpy(source.normal(0, 10, tuple(pixels.shape)))


def mirrored(pixels: Tensor, _source: np.random.Generator) -> Tensor:
    return pixels.flip(-1)


def brightened(pixels: Tensor, source: np.random.Generator) -> Tensor:
    factors = source.choice([0.85, 1.15], size=(len(pixels), 1, 1, 1))
    return pixels * torch.from_numpy(factors)


def cropped(pixels: Tensor, _source: np.random.Generator) -> Tensor:
    side = pixels.shape[-1]
    inner = pixels[..., 1 : side - 1, 1 : side - 1]
    return functional.interpolate(inner, size=(side, side), mode="bilinear")


def blended(pixels: Tensor, source: np.random.Generator) -> Tensor:
    partner = torch.from_numpy(source.permutation(len(pixels)))
    return 0.8 * pixels + 0.2 * pixels[partner]


def same(pixels: Tensor, _source: np.random.Generator) -> Tensor:
    return pixels


PLANTED = {
    "noise": Planted(noise, 12, 48, "noise"),
    "blur": Planted(blur, 0.6, 1.5, "blur"),
    "resized": Planted(resized, 0.75, 0.35, "blur"),
    "colour removed": Planted(grey, 0.5, 1.0, "colour", needs_colour=True),
    "channels rotated": Planted(rotated, 0.3, 1.0, "colour", needs_colour=True),
    "faded": Planted(faded, 0.25, 0.6, "contrast"),
    "group missing": Planted(missing, 0.5, 1.0, "missing"),
    "mixed": Planted(mixed, 0.1, 0.4, "unreal"),
    "few images": Planted(repeated, 100, 16, "collapsed"),
    "neighbours blended": Planted(neighbours, 0.3, 0.5, "not usable"),
    "mixture of Gaussians": Planted(mixture, 1, 1, "not usable"),
    "copies": Planted(copies(same), 0.2, 1.0, "memorised"),
    "copies moved 1": Planted(copies(moved(1)), 0.2, 1.0, "memorised"),
    "copies moved 2": Planted(copies(moved(2)), 0.2, 1.0, "memorised"),
    "copies moved 3": Planted(copies(moved(3)), 0.2, 1.0, "memorised"),
    "copies mirrored": Planted(copies(mirrored), 0.2, 1.0, "memorised"),
    "copies noised": Planted(copies(noised), 0.2, 1.0, "memorised"),
    "copies brightened": Planted(copies(brightened), 0.2, 1.0, "memorised"),
    "copies cropped": Planted(copies(cropped), 0.2, 1.0, "memorised"),
    "copies blended": Planted(copies(blended), 0.2, 1.0, "memorised"),
}


def as_bytes(values: Tensor) -> Pixels:
    return values.round().clamp(0, 255).to(torch.uint8)


def shuffled(pixels: Pixels, halves: Halves) -> Pixels:
    return pixels[torch.from_numpy(halves.source.permutation(len(pixels)))]
