"""The tokens and position codes of networks trained here, as tables; and the way back.

The tokens of an image network are no finite table: what stands in for one is a sample of the
tokens it makes of images, taken before their codes are added.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from orthogan import rng
from orthogan.analysis.trained import Trained, load_trained
from orthogan.attention import PositionalEncoding
from orthogan.data import ImageSet, load
from orthogan.data.catalogue import colour_of
from orthogan.embeddings import Tables
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.modules import module_model
from orthogan.embeddings.projections import read_heads
from orthogan.errors import BundleError, ConfigError, DataError, ShapeError
from orthogan.models import bundle
from orthogan.networks.classifier import Classifier
from orthogan.networks.content import content_tokens, position_code
from orthogan.networks.network import Discriminator, Generator
from orthogan.networks.sampling import sample_pixels

NUM_TOKENS = 1000  # the exact flip count of so many takes a second or two
NUM_IMAGES = 256  # about four tokens of each: contents of many images at every place


def read_network(
    source: str | Path, *, network: str | None = None, limit: int | None = None, seed: int = 0
) -> Tables:
    """Content tokens and position codes of a trained network, with labels and heads.

    Tokens of a generator are those it makes of latents, of the others those they read in real
    images of the data they were trained on. `positions` is None where no code is added.

    Args:
        source: Run folder, bundle folder, or the name of a shipped model.
        network: `generator` or `discriminator` of a GAN; None: the generator, or the classifier.
        limit: How many tokens are drawn; 1,000 if None.
        seed: Of the draws, and the first seed of the generated images.

    Raises:
        BundleError: damaged, newer than this version, or without the network asked for.
        ConfigError: `limit` is below 2, or a player of a classification run.
        DataError: the network has no tokens, or the images cannot be loaded.
        ResumeError: no checkpoint of the run can be read.
        UnknownNameError: no such network.

    >>> read_network("mnist-demo", limit=100)
    Tables(100 tokens x 64, 49 positions, labels, 1 layers, source='mnist-demo (generator)')
    """
    if limit is not None and limit < 2:
        raise ConfigError(f"limit is at least 2 (None: {NUM_TOKENS:,} tokens), got {limit}.")
    found = load_trained(source, network)
    code = _code_of(found)
    tokens, labels, notes, sample = _sampled(found, code, limit or NUM_TOKENS, seed)
    heads = read_heads(module_model(found.network), code.codes.shape[1], LoadOptions(), notes)
    codes, why = _added(code, found)
    if codes is None and not heads:
        raise DataError(f"{found.where}: {why} There is no attention either: nothing to analyse.")
    where = f"{source} ({found.role})"
    side = math.isqrt(len(code.codes))
    return Tables(
        tokens, codes, labels, heads, where, (*notes, why), grid=(side, side), sample=sample
    )


def save_codes(source: str | Path, out: str | Path, codes: Tensor, change: str) -> Path:
    """A bundle like that of the source in which the position codes are `codes`.

    Scores stay behind: they are those of the codes that were replaced.

    Args:
        source: Run folder or bundle folder with a bundle, or the name of a shipped model.
        out: The folder to write; a bundle that is there already is replaced.
        codes: One row a place, `T D`.
        change: What was done to them, for the card.

    Raises:
        BundleError: the source has no bundle, or `out` is something else than one.
        ShapeError: the codes have another shape.
        StorageError: the disk is full or unwritable.
    """
    found = load_trained(source)
    if not bundle.is_bundle(found.where):
        raise BundleError(f"{found.where}: this run has no bundle yet, of which to write a copy.")
    name, old = _named_code(found)
    if codes.shape != old.shape:
        raise ShapeError(f"Codes have the shape {tuple(old.shape)}, got {tuple(codes.shape)}.")
    # Codes that were computed are from now on weights like learned ones.
    config = found.network.config.to_dict() | {"positions": "learned"}
    tensors = found.network.state_dict() | {name: codes.to(old.dtype)}
    kept = {"title", "summary", "command", "licence", "seed", "images seen"}
    role: bundle.Role = "classifier" if isinstance(found.network, Classifier) else "generator"
    stored = bundle.load_bundle(found.where, role)
    card = {key: value for key, value in stored.card.items() if key in kept}
    card["position codes"] = change
    return bundle.save_bundle(
        Path(out), role=role, network_config=config, tensors=tensors, data=stored.data, card=card
    )


def _code_of(found: Trained) -> PositionalEncoding:
    code = position_code(found.network)
    if code is None:
        raise DataError(
            f"{found.where}: the {found.network.config.kind} {found.role} has no tokens and no "
            "position code, so nothing is displaced; take a network with attention."
        )
    return code


def _named_code(found: Trained) -> tuple[str, Tensor]:
    code = _code_of(found)
    name = next(name for name, part in found.network.named_modules() if part is code)
    return f"{name}.codes", code.codes


def _added(code: PositionalEncoding, found: Trained) -> tuple[Tensor | None, str]:
    """The codes that displace the tokens, or None; and a sentence on them."""
    kind = getattr(found.network.config, "positions", "learned")
    if code.position_mode != "add":
        return None, "Codes are appended to the tokens, not added: no displacement."
    if kind == "none":
        return None, "positions = none: this network adds no code, so there is no displacement."
    return code.codes.detach().float(), f"Codes: the {kind} ones of the network's own places."


def _sampled(
    found: Trained, code: PositionalEncoding, num_tokens: int, seed: int
) -> tuple[Tensor, tuple[str, ...], list[str], str]:
    """Content tokens, their labels, a note on how they were drawn, and what of."""
    num_places = len(code.codes)
    num_images = max(NUM_IMAGES, math.ceil(num_tokens / num_places))
    tokens, names, of_images = _contents(found, num_images, seed)
    all_tokens = tokens.flatten(0, 1)
    draws = rng.stream(seed, "content-tokens").permutation(len(all_tokens))[:num_tokens]
    chosen = torch.from_numpy(draws).sort().values
    side = math.isqrt(num_places)
    labels = tuple(
        f"{names[index // num_places]} ({index % num_places // side}, {index % side})"
        for index in chosen.tolist()
    )
    note = (
        f"Tokens: {len(chosen):,} of the {len(all_tokens):,} contents that {of_images} have at "
        f"{num_places} places before codes are added (drawn with seed {seed}). Counts hold for "
        "this sample, and more tokens lie closer; every token is tried at every place, not only "
        "at its own."
    )
    return all_tokens[chosen], labels, [note], of_images.partition(" (")[0]


def _contents(found: Trained, num_images: int, seed: int) -> tuple[Tensor, list[str], str]:
    """Contents `B T D` of many images, the name of each image, and what they are."""
    network = found.network
    if isinstance(network, Generator):
        seeds = range(seed, seed + num_images)
        # Batches are padded to a fixed size; the padding comes last.
        tokens = content_tokens(network, lambda: sample_pixels(network, seeds, in_order=True))
        tokens = tokens[:num_images]
        images = f"{num_images} generated images (seeds {seed}-{seed + num_images - 1})"
        return tokens, [f"seed {number}" for number in seeds], images
    real = _real_images(found, network)
    order = rng.stream(seed, "content-images").permutation(len(real))[:num_images]
    index = torch.from_numpy(order).sort().values
    tokens = content_tokens(network, lambda: network(real.floats(index)))
    return tokens, [f"image {number}" for number in index.tolist()], f"{len(index)} real images"


def _real_images(found: Trained, network: Discriminator | Classifier) -> ImageSet:
    config = network.config
    return load(found.data["source"], size=config.size, colour=colour_of(config.colours))
