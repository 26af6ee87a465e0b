r"""The latent whose image comes nearest to a given one, and how near that is.

$\min_z \|G(z) - x\|^2$ over latents of unit mean square, by Adam from the nearest of many random
ones (Creswell and Bharath 2016, "Inverting the generator of a generative adversarial network").
The problem is not convex: each start ends elsewhere, and the best is kept. What a distance is
worth shows beside those of images that the generator made itself, which it can surely draw, and of
training images, taken through the same search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor

from orthogan.data import load as load_images
from orthogan.data import to_floats
from orthogan.data.catalogue import colour_of
from orthogan.data.named import read_named
from orthogan.errors import ConfigError, DataError, OrthoganError
from orthogan.images.encoding import png
from orthogan.images.sheet import sheet
from orthogan.models.generator import Model, load
from orthogan.networks import Generator, walks
from orthogan.networks.network import normalise
from orthogan.rng import latents as latents_of
from orthogan.rng import permutation
from orthogan.shapes import Images, Pixels

FIRST_SEED = 30_000_000  # of the random latents, which nothing else draws
NUM_SCREENED = 512
STARTS, STEPS, NUM_BESIDE = 6, 200, 5
MOST_STEPS = 10_000
LEARNING_RATE = 0.1  # of entries of size 1; it falls to nothing along half a cosine
GREY_LEVELS = 127.5  # in one unit of a float image
BATCH = 128  # latents that are improved at a time

Progress = Callable[[int, int], object]


class Found(NamedTuple):
    """The best latents for some images: one row for each.

    Attributes:
        latents: Of unit mean square (B Z).
        labels: The class of each; None without classes.
        images: What they draw.
        distances: Root mean square difference in grey levels.
    """

    latents: Tensor
    labels: Tensor | None
    images: Pixels
    distances: Tensor


@dataclass(frozen=True)
class Projection:
    """The image of a generator that comes nearest to a given one.

    Attributes:
        name: The file of the given image.
        image: It, as the generator's size and colours have it.
        nearest: What the latent draws.
        latent: Of unit mean square.
        label: Index of its class; None without classes.
        class_name: What the class is called; empty where it has no name.
        distance: Root mean square difference of the pixels, in grey levels of 255.
        generated: Distances of images of the generator itself.
        real: Distances of training images; empty where these cannot be read.
        notes: What was resized or cannot be had.
    """

    name: str
    image: Pixels = field(repr=False)
    nearest: Pixels = field(repr=False)
    latent: Tensor = field(repr=False)
    label: int | None
    class_name: str
    distance: float
    generated: tuple[float, ...]
    real: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """How near it is, beside the others, in words."""
        of = f" (class {self.class_name})" if self.class_name else ""
        own = _range(self.generated, "images of its own")
        real = f", {_range(self.real, 'training images')}" if self.real else ""
        reach = ""
        if self.real and self.distance > max(self.real):
            reach = " Farther than any of these training images: it does not draw such an image."
        elif self.real and self.distance <= median(self.real):
            reach = " As near as training images come."
        return (
            f"The nearest image{of} differs by {self.distance:.1f} of 255 grey levels; "
            f"{own}{real}.{reach}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        return {
            "image": self.name,
            "distance": self.distance,
            "generated": list(self.generated),
            "real": list(self.real),
            "class": self.class_name or self.label,
            "latent": self.latent.tolist(),
            "sentence": self.sentence,
            "notes": list(self.notes),
        }

    def picture(self) -> Any:
        """The given image and, right of it, the nearest."""
        both = torch.cat([self.image, self.nearest]).permute(0, 2, 3, 1)
        return sheet(both.numpy(), columns=2)

    def _repr_png_(self) -> bytes:
        """Both, for notebooks."""
        return png(self.picture())


def project(
    source: str | Path | Model,
    image: str | Path,
    *,
    starts: int = STARTS,
    steps: int = STEPS,
    num_beside: int = NUM_BESIDE,
    progress: Progress = lambda _done, _total: None,
) -> Projection:
    """The latent of a generator whose image comes nearest to one's own.

    Args:
        source: A model, run, bundle or shipped name.
        image: A picture; made into the size and colours of the generator.
        starts: Random latents that are improved, the nearest of 512.
        steps: Of Adam, for each.
        num_beside: Generated and training images that are searched for as well.
        progress: Is told how many steps of how many are done.

    Raises:
        BundleError: the model cannot be loaded.
        ConfigError: a number below 1, or more than 10,000 steps.
        DataError: the picture cannot be read, or there are several.
    """
    if starts < 1 or not 1 <= steps <= MOST_STEPS or num_beside < 1:
        raise ConfigError(f"Starts, steps (to {MOST_STEPS:,}) and images beside are 1 or more.")
    model = source if isinstance(source, Model) else load(source)
    form = model.generator.config
    given = read_named(Path(image), form.size, form.colours, str(model.data.get("fit", "crop")))
    if len(given.pixels) != 1:
        raise DataError(f"{image}: holds {len(given.pixels)} pictures; name one of them.")
    made = model.sample(range(FIRST_SEED - num_beside, FIRST_SEED))
    real, missing = _real(model, num_beside)
    targets = torch.cat([given.pixels, made, *([] if real is None else [real])])
    found = nearest_latents(model.generator, targets, starts, steps, progress)
    distances = found.distances.tolist()
    label = None if found.labels is None else int(found.labels[0])
    names = model.class_names
    return Projection(
        name=given.names[0],
        image=given.pixels,
        nearest=found.images[:1],
        latent=found.latents[0],
        label=label,
        class_name=names[label] if label is not None and names else "",
        distance=distances[0],
        generated=tuple(distances[1 : 1 + num_beside]),
        real=tuple(distances[1 + num_beside :]),
        notes=(*given.notes, *missing, *((model.note,) if model.note else ())),
    )


def nearest_latents(
    generator: Generator,
    targets: Pixels,
    starts: int = STARTS,
    steps: int = STEPS,
    progress: Progress = lambda _done, _total: None,
) -> Found:
    """For each image the latent whose image comes nearest, among those that were searched.

    Args:
        generator: On a processor, in evaluation mode.
        targets: Images of its form.
        starts: Of each.
        steps: Of Adam.
        progress: Is told how many steps of how many are done.
    """
    generator.eval()
    wanted = to_floats(targets)
    screened = walks.places(generator, range(FIRST_SEED, FIRST_SEED + NUM_SCREENED), None)
    labels = _labels(generator)
    pictures = to_floats(walks.drawn(generator, screened)).flatten(1)
    near = _starts(torch.cdist(wanted.flatten(1), pictures), labels, min(starts, NUM_SCREENED))
    chosen = near.flatten()
    rows = wanted.repeat_interleave(near.shape[1], dim=0)
    parts, total = list(chosen.split(BATCH)), -(-len(chosen) // BATCH) * steps
    better = []
    for number, part in enumerate(parts):

        def tell(done: int, before: int = number * steps) -> None:
            progress(before + done, total)

        start = walks.Places(screened.directions[part], screened.shifts[part])
        goal = rows[number * BATCH : number * BATCH + len(part)]
        better.append(_improved(generator, start, goal, steps, tell))
    latents = torch.cat(better)
    where = walks.Places(latents, screened.shifts[chosen])
    images = walks.drawn(generator, where)
    apart = (to_floats(images) - rows).square().flatten(1).mean(1).sqrt() * GREY_LEVELS
    best = apart.unflatten(0, (len(targets), -1)).argmin(1)
    kept = best + torch.arange(len(targets)) * near.shape[1]
    own = None if labels is None else labels[chosen[kept]]
    return Found(latents[kept], own, images[kept], apart[kept])


def _improved(
    generator: Generator,
    start: walks.Places,
    goal: Images,
    steps: int,
    tell: Callable[[int], object],
) -> Tensor:
    """Latents whose images are nearer to the goals, never farther than where they started."""
    latents = start.directions.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([latents], lr=LEARNING_RATE)
    best = start.directions.clone()
    least = torch.full((len(best),), math.inf)
    for step in range(steps + 1):
        directions = normalise(latents)
        images = generator.synthesise(directions + start.shifts)
        apart = (images - goal).square().flatten(1).mean(1)
        is_better = apart.detach() < least
        least = torch.where(is_better, apart.detach(), least)
        best = torch.where(is_better[:, None], directions.detach(), best)
        if step == steps:
            break
        # By the latents alone: the weights keep no gradient.
        (latents.grad,) = torch.autograd.grad(apart.sum(), latents)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.step()
        tell(step + 1)
    return best


def _starts(distances: Tensor, labels: Tensor | None, count: int) -> Tensor:
    """The nearest latents of each image, from as many classes as possible, one row per image.

    A class stays what it is while its latent is improved, and pixels alone may mistake it.
    """
    if labels is None:
        return distances.topk(count, largest=False).indices
    order = distances.argsort(1)
    is_same = labels[order][:, :, None] == labels[order][:, None, :]
    earlier = is_same.tril(-1).sum(2)  # of the same class and nearer
    # The nearest of every class comes first, then the second of every class.
    turns = earlier * distances.shape[1] + torch.arange(distances.shape[1])
    return order.gather(1, turns.argsort(1)[:, :count])


def _labels(generator: Generator) -> Tensor | None:
    """The classes of the random latents."""
    if not generator.config.classes:
        return None
    drawn = latents_of(range(FIRST_SEED, FIRST_SEED + NUM_SCREENED), generator.config.latent_size)
    return generator.classes_of(drawn)


def _real(model: Model, count: int) -> tuple[Pixels | None, Sequence[str]]:
    form, data = model.generator.config, model.data
    kept = {name: data[name] for name in ("labels", "fit") if name in data}
    try:
        found = load_images(
            str(data.get("source")), size=form.size, colour=colour_of(form.colours), **kept
        )
    except OrthoganError as error:
        return None, [f"The training images cannot be read, so none stand beside. {error}"]
    pixels: Pixels = found.images[permutation(len(found.images), 0, "projected-beside", 0)[:count]]
    return pixels.cpu(), []


def _range(values: Sequence[float], what: str) -> str:
    return f"{what} by {min(values):.1f} to {max(values):.1f} (median {median(values):.1f})"
