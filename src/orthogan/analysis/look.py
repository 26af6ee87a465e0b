"""`look`: what the networks of a GAN, a classifier or any module attend to, on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from orthogan.analysis.look_result import Look, NetworkLook, Query
from orthogan.analysis.looked_module import look_into_module
from orthogan.analysis.looked_network import Request, look_into
from orthogan.analysis.trained import ROLES, Trained, is_trained, load_trained
from orthogan.errors import BundleError, ConfigError, DataError
from orthogan.models import bundle
from orthogan.networks import Classifier, Discriminator, Generator
from orthogan.shapes import Pixels

NUM_IMAGES = 256  # the variance of a mean over them is 1/256 of that of the maps
NUM_SHOWN = 6
SETS = ("real", "generated")


def look(
    source: str | Path | nn.Module | Any,
    *,
    network: str | None = None,
    seeds: Sequence[int] = range(NUM_IMAGES),
    on: str = "real",
    images: Sequence[str | Path] | Pixels | None = None,
    query: Query | None = None,
    shown: int = NUM_SHOWN,
    inputs: Any = None,
    grid: tuple[int, int] | None = None,
    projections: Mapping[str, Any] | None = None,
) -> Look:
    """Attention maps of trained networks over images, beside those of the untrained ones.

    A generator is seen while it makes images, a discriminator or classifier while it reads them.

    Args:
        source: A run, its folder, a bundle folder, the name of a shipped model; or a module.
        network: `generator` or `discriminator` of a GAN; None: both, where both are stored.
        seeds: Of the generated images; as many training images are read.
        on: What a discriminator or classifier reads: `real` for images it was trained on,
            `generated` for those of the seeds.
        images: Picture files or pixels that it reads instead.
        query: (row, column) of the patch whose attention is drawn, or `class` for the class
            token. None: the class token of a classifier, else the patch in which the images
            differ most.
        shown: How many images are drawn one by one.
        inputs: Of a module: a tensor, a tuple of positional arguments or a dictionary of named
            ones; of images B x C x H x W they are drawn on unless `images` are pixels to draw on.
        grid: Of a module: rows and columns of its patches; None for the square that its tokens
            fill, or one row where the inputs are no images.
        projections: Of a module: the names and heads that `orthogan.embeddings.capture` takes.

    Returns:
        Statistics, sentences and pictures.

    Raises:
        BundleError: a run or bundle is damaged, or without the network asked for.
        ConfigError: a query outside the grid, no image, or options that exclude each other.
        DataError: no network of the source has attention, or images cannot be loaded.
        ShapeError: pixels of another size than the network's.
        UnknownNameError: nothing of that name.

    >>> found = look("mnist-demo", seeds=range(8))
    >>> found.networks[0].layers[0].mean.shape
    torch.Size([2, 49, 49])
    """
    _check(network, on, images, seeds, shown)
    request = Request(seeds=seeds, on=on, images=images, query=query, num_shown=shown)
    if isinstance(source, nn.Module):
        return _look_into_module(source, request, inputs, grid, projections)
    idle = {"inputs": inputs, "grid": grid, "projections": projections}
    for name, value in idle.items():
        if value is not None:
            raise ConfigError(f"'{name}' is for modules; of a trained model it is known, drop it.")
    where = getattr(source, "path", source)
    networks: list[NetworkLook] = []
    notes: list[str] = []
    for found in _networks(where, network, notes):
        seen = look_into(found, request)
        if seen is None:
            kind = found.network.config.kind
            notes.append(f"The {kind} {found.role} has no attention: it is not shown.")
        else:
            networks.append(seen)
    if not networks:
        raise DataError(f"{where}: {_without_attention(notes)}")
    return Look(source=str(where), networks=tuple(networks), notes=tuple(dict.fromkeys(notes)))


def _look_into_module(
    module: nn.Module,
    request: Request,
    inputs: Any,
    grid: tuple[int, int] | None,
    projections: Mapping[str, Any] | None,
) -> Look:
    if inputs is None and isinstance(module, Generator | Discriminator | Classifier):
        role = next(
            name
            for name, kind in zip((*ROLES, "classifier"), _KINDS, strict=True)
            if isinstance(module, kind)
        )
        alone = Trained(network=module, role=role, data={}, where=Path(), seed=None)
        seen: NetworkLook | None = look_into(alone, request)
        if seen is None:
            raise DataError(f"The {module.config.kind} {role} has no attention to look at.")
    else:
        seen = look_into_module(module, request, inputs, grid, projections)
    return Look(source=type(module).__name__, networks=(seen,))


_KINDS = (Generator, Discriminator, Classifier)


def _check(network: str | None, on: str, images: object, seeds: object, shown: int) -> None:
    if on not in SETS:
        raise ConfigError(f"'on' is one of {', '.join(SETS)}, got '{on}'.")
    if images is not None and on != "real":
        raise ConfigError("Own images and on='generated' exclude one another; give one of them.")
    if network == "generator" and (images is not None or on != "real"):
        raise ConfigError(
            "A generator makes its images from seeds and reads none; choose them with seeds, or "
            "look into the discriminator."
        )
    if not isinstance(seeds, Sequence) or not seeds:
        raise ConfigError("At least one seed is needed.")
    if shown < 1:
        raise ConfigError(f"At least 1 image is shown, got {shown}.")


def _networks(where: Any, network: str | None, notes: list[str]) -> list[Trained]:
    """The networks of a source, those that are stored; what is missing is noted."""
    if network is not None:
        found = [load_trained(where, network)]
    else:
        first = load_trained(where)
        found = [first]
        if first.role == "generator":
            try:
                found.append(load_trained(where, "discriminator"))
                found[0] = replace(first, attempt=found[1].attempt)  # a bundle does not tell it
            except BundleError as error:
                notes.append(_without_discriminator(where, error))
    notes += [each.note for each in found if each.note]
    return found


def _without_discriminator(where: Any, error: BundleError) -> str:
    if is_trained(where) and _is_bundle_alone(where):
        return (
            f"{where}: a bundle holds the generator alone, so that is all that is shown; the "
            "discriminator lies in the checkpoints of a run folder."
        )
    return f"The discriminator is not shown: {error}"


def _is_bundle_alone(where: Any) -> bool:
    return not (bundle.resolve(where).parent / "run.json").exists()


def _without_attention(notes: Sequence[str]) -> str:
    said = [note for note in notes if "has no attention" in note]
    return f"{' '.join(said)} There is nothing to look at; take a run with attention."
