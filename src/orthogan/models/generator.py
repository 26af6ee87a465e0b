"""Trained generators: loading and sampling them, without what only training needs.

A module of its own so that drawing images starts quickly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from orthogan.class_names import WITHOUT_CLASSES, class_indices, named_classes
from orthogan.devices import pick_device
from orthogan.errors import ConfigError
from orthogan.images.encoding import png
from orthogan.images.grid import grid
from orthogan.images.samples import as_samples
from orthogan.models import bundle
from orthogan.networks import GENERATORS, Generator, network_config, walks
from orthogan.networks.directions import principal_directions
from orthogan.networks.sampling import sample_pixels
from orthogan.rng import latents
from orthogan.shapes import Labels, Pixels

REACH_RAD = 0.8  # to either side along a direction: far, and still an image


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained generator.

    Attributes:
        generator: The network.
        config: How it is built.
        data: What it was trained on.
        card: What its README tells.
        path: Its folder.
        note: Which checkpoint of a run it is, where the run is not done; else empty.
        num_seen: How many images it was trained on; None where nothing says so.
    """

    generator: Generator
    config: dict[str, Any]
    data: dict[str, Any]
    card: dict[str, Any]
    path: Path
    note: str = ""
    num_seen: int | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, in their order; empty where they have no names."""
        return named_classes(self.data, self.generator.config.classes)

    def sample(
        self,
        seeds: Iterable[int] = range(64),
        classes: Sequence[int | str] | None = None,
        *,
        truncation: float = 1.0,
    ) -> Pixels:
        """One image per seed, the same whichever other seeds are asked for.

        Args:
            seeds: Each decides its image, and its class if none is asked for.
            classes: Names of classes, in turn; a number that is no name is an index.
            truncation: Above 0 and at most 1: how far latents reach; less gives more ordinary and
                more uniform images.

        Raises:
            ConfigError: a negative seed, an index out of range, a model without classes, or
                another truncation.
            UnknownNameError: no class of that name.
        """
        chosen = self._classes(classes)
        if truncation == 1:
            return as_samples(sample_pixels(self.generator, list(seeds), chosen))
        where = walks.places(self.generator, list(seeds), chosen)
        return as_samples(walks.drawn(self.generator, where, truncation))

    def interpolate(
        self,
        seeds: Sequence[int],
        classes: Sequence[int | str] | None = None,
        *,
        steps: int = 8,
        truncation: float = 1.0,
    ) -> Pixels:
        """Images along the ways from each seed to the next, `steps` for each way, ends included.

        Args:
            seeds: At least two; or one, which then stands for every class in turn.
            classes: As for `sample`: the class of each seed, in turn.
            steps: Images on each way, at least two.
            truncation: As for `sample`.

        Raises:
            ConfigError: one place only, fewer than two steps, or as for `sample`.
            UnknownNameError: no class of that name.
        """
        chosen, stops = self._classes(classes), list(seeds)
        if len(stops) == 1 and chosen is not None:
            stops *= len(chosen)
        way = walks.between(walks.places(self.generator, stops, chosen), steps)
        return as_samples(walks.drawn(self.generator, way, truncation))

    def move(
        self,
        seeds: Sequence[int],
        classes: Sequence[int | str] | None = None,
        *,
        direction: int = 1,
        steps: int = 9,
        truncation: float = 1.0,
    ) -> Pixels:
        """The images of seeds moved to both sides along a principal direction, `steps` for each.

        Args:
            seeds: Their images stand in the middle.
            classes: As for `sample`.
            direction: 1 for the one along which images change most, 2 for the next, ...
            steps: Images for each seed, at least two.
            truncation: As for `sample`.

        Raises:
            ConfigError: no such direction, fewer than two steps, or as for `sample`.
            UnknownNameError: no class of that name.
        """
        most = self.generator.config.latent_size
        if not 1 <= direction <= most:
            raise ConfigError(f"Directions lie in 1..{most}, got {direction}.")
        axis = principal_directions(self.generator, most=direction).directions[direction - 1]
        start = walks.places(self.generator, list(seeds), self._classes(classes))
        way = walks.along(start, axis, steps, REACH_RAD)
        return as_samples(walks.drawn(self.generator, way, truncation))

    def _classes(self, asked: Sequence[int | str] | None) -> list[int] | None:
        if asked is None:
            return None
        return class_indices(asked, self.class_names, self.generator.config.classes)

    def classes_of(self, seeds: Iterable[int]) -> Labels:
        """The class of the image of each seed, where the model is conditioned on classes.

        Raises:
            ConfigError: it is not.
        """
        if not self.generator.config.classes:
            raise ConfigError(WITHOUT_CLASSES)
        drawn = latents(seeds, self.generator.config.latent_size)
        device = next(self.generator.parameters()).device
        return self.generator.classes_of(drawn.to(device)).cpu()

    def _repr_png_(self) -> bytes:
        """A grid of 64 images, for notebooks."""
        return png(grid(self.sample()))


def load(source: str | Path, *, device: str = "cpu", threads: int | None = None) -> Model:
    """A trained generator: a shipped one by name, a run folder, or a bundle folder.

    Args:
        source: Its name or folder.
        device: Where it draws; only on `cpu` are its images the same on every machine.
        threads: CPU threads of this process from now on; unchanged if None.

    Raises:
        BundleError: damaged, newer than this version, or not a bundle.
        UnknownNameError: nothing of that name.
    """
    torch.set_num_threads(threads or torch.get_num_threads())
    saved = bundle.load_stored(source)
    generator: Generator = saved.network(lambda tree: network_config(GENERATORS, tree))
    return Model(
        generator=generator.eval().to(pick_device(device)),
        config=saved.network_config,
        data=saved.data,
        card=saved.card,
        path=saved.path,
        note=saved.note,
        num_seen=saved.num_seen,
    )


def sample(
    source: str | Path,
    *,
    seeds: Iterable[int] = range(64),
    classes: Sequence[int | str] | None = None,
) -> Pixels:
    """Images of a trained model, one per seed; of the classes named, in turn."""
    return load(source).sample(seeds, classes)
