"""The geometry of both networks while they train, measured every so many images.

What is measured depends on the weights and the seed alone: the same 64 real images and latents
each time, no draw of the training. It changes nothing, and a resumed run repeats it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from orthogan import rng
from orthogan.attention import Attention
from orthogan.attention.keys import LearnedKeys, QueryKeys, ValueKeys
from orthogan.attention.scores import score_traits
from orthogan.data import ImageSet, to_floats
from orthogan.errors import DataError
from orthogan.gan.config import TrainingConfig
from orthogan.gan.decorrelation import adds_codes, code_overlap
from orthogan.geometry import calibrated_rank, collapse_ratio, two_collapses
from orthogan.geometry.collapse import TwoCollapses
from orthogan.geometry.collapse.uniformity import rank_collapse_share, token_uniformity
from orthogan.geometry.heads.head_entropy import head_entropies, largest_shares
from orthogan.geometry.spectra.weights import weight_spectrum
from orthogan.networks import Discriminator, Generator
from orthogan.networks.activations import Activations, run_with_activations
from orthogan.networks.stems import sequence
from orthogan.training.precision import Precision, autocast

# Real images and as many fakes: shares are then known to a few per cent.
NUM_IMAGES = 64
# Rows of a table of tokens whose rank is taken: more than any width here, and a few milliseconds.
NUM_ROWS = 256
# Side of the squares that images are cut into to be read as tokens: the grid of the image head.
PATCH_PX = 4

Record = dict[str, Any]


class Signals:
    """Measures both networks with the same images and latents each time.

    Args:
        config: The run.
        images: The training set, on the device of the networks.
        precision: Of the steps, and of the measurements.
    """

    def __init__(self, config: TrainingConfig, images: ImageSet, precision: Precision) -> None:
        self.seed, self.precision = config.seed, precision
        self.device = images.images.device
        order = rng.permutation(len(images), config.seed, "signals-images", 0)
        index = order[torch.arange(NUM_IMAGES) % len(order)].to(self.device)
        self.real = to_floats(images.images[index])
        noise = rng.stream(config.seed, "signals-latents")
        self.latents = rng.normal((NUM_IMAGES, config.generator.latent_size), noise).to(self.device)

    @torch.no_grad()
    def measure(self, generator: Generator, discriminator: Discriminator) -> Record:
        """One line for `metrics.jsonl`.

        docs/geometry.md lists it under "Can a GAN be monitored while it trains?".

        Where a token or a weight is not finite, the sentence that says so, under "unreadable".
        """
        # A network that draws while it runs must not take from, nor find, a stream in use.
        with rng.initialization(self.seed, "signals"), autocast(self.precision, self.device):
            fake, made = run_with_activations(generator, self.latents)
            _, judged = run_with_activations(discriminator, torch.cat([self.real, fake.float()]))
        try:
            return _record(self.real, fake.float(), generator, made, discriminator, judged)
        except DataError as error:
            return {"unreadable": str(error)}


def _record(
    real: Tensor,
    fake: Tensor,
    generator: Generator,
    made: Activations,
    discriminator: Discriminator,
    judged: Activations,
) -> Record:
    images = _pair(sequence(pixel_unshuffle(torch.cat([real, fake]), PATCH_PX)))
    made_tokens = {name: _site(tokens) for name, tokens in made.tokens.items()}
    judged_tokens = {name: _pair(tokens) for name, tokens in judged.tokens.items()}
    return {
        "mode_collapse": _lost(images["variation"]),
        "generator_rank_collapse": _last(made_tokens).get("rank_collapse"),
        "discriminator_rank_collapse": _last(judged_tokens).get("real", {}).get("rank_collapse"),
        "images": images,
        "generator": {
            "tokens": made_tokens,
            "overlap": _overlap(generator, made.tokens),
            "rank": _token_rank(made.tokens, len(real)),
            "attention": {
                name: _attention(generator.get_submodule(name), weights)
                for name, weights in made.weights.items()
            },
        },
        "discriminator": {
            "tokens": judged_tokens,
            "overlap": _overlap(discriminator, judged.tokens),
            "rank": _token_rank(judged.tokens, len(real)),
            "features": _features(judged),
            "attention": {
                name: _attention(discriminator.get_submodule(name), weights)
                for name, weights in judged.weights.items()
            },
            "spectrum": _spectrum(discriminator),
        },
    }


def _site(tokens: Tensor) -> Record:
    return _shares(two_collapses(tokens.float()), tokens)


def _shares(found: TwoCollapses, tokens: Tensor) -> Record:
    position, context, residual = found.shares
    return {
        "position": position,
        "context": context,
        "residual": residual,
        "uniformity": token_uniformity(tokens.float()),
        "rank_collapse": rank_collapse_share(found),
    }


def _pair(tokens: Tensor) -> Record:
    """Real and fake tokens, which lie behind each other, and what the fakes have less of."""
    real, fake = tokens.float().chunk(2)
    at_real, at_fake = two_collapses(real), two_collapses(fake)
    ratio = collapse_ratio(at_fake, at_real)
    return {
        "real": _shares(at_real, real),
        "fake": _shares(at_fake, fake),
        "variation": ratio.variation,
        "detail": ratio.detail,
    }


def _attention(layer: nn.Module, weights: Tensor) -> Record:
    assert isinstance(layer, Attention)  # noqa: S101 - for the type checker
    found: Record = {}
    if score_traits(layer.score).sums_to_one:
        found |= head_entropies(weights).to_dict()
    key = _key_matrix(layer)
    if key is not None:
        query = layer.query.weight.detach()
        found["largest_share"] = list(largest_shares(_heads(query, layer), _heads(key, layer)))
    return found


def _overlap(network: nn.Module, tokens: dict[str, Tensor]) -> dict[str, float]:
    """Of each position code with the contents it is added to, real and fake together."""
    codes = {name: code.codes for name, code in network.named_modules() if adds_codes(code)}
    return {
        name: float(code_overlap(table, tokens[name].float() - table))
        for name, table in codes.items()
        if name in tokens
    }


def _key_matrix(layer: Attention) -> Tensor | None:
    """What makes the keys from tokens, as `query.weight` makes queries; None if the data do."""
    if layer.key_heads != layer.heads:
        return None
    projected, values = layer.key_value.weight.detach().split(
        [layer.num_projected, layer.num_values]
    )
    kinds = {LearnedKeys: projected, ValueKeys: values, QueryKeys: layer.query.weight.detach()}
    return kinds.get(type(layer.keys))


def _heads(weight: Tensor, layer: Attention) -> Tensor:
    separate: Tensor = weight.unflatten(0, (layer.heads, -1))
    return separate.transpose(1, 2)


def _features(judged: Activations) -> Record:
    """The rank of what the logit reads, one row an image: fakes that repeat themselves fill less.

    A dead discriminator, to whom all images are alike, has rank 0.
    """
    if not judged.features:
        return {}
    real, fake = (_rank(half) for half in judged.features[0].chunk(2))
    return {"real_rank": real, "fake_rank": fake}


def _rank(rows: Tensor) -> float:
    """Effective rank over its null, on rows drawn once for all looks."""
    drawn = rng.permutation(len(rows), 0, "signals-rows", 0)[:NUM_ROWS]
    return calibrated_rank(rows[drawn.to(rows.device)].float(), num_draws=1)


def _token_rank(tokens: dict[str, Tensor], num_images: int) -> float | None:
    """That of the last tokens of the first images, which are the real ones for a discriminator."""
    last = next(reversed(tokens.values()), None)
    return None if last is None else _rank(last[:num_images].flatten(0, 1))


def _spectrum(network: nn.Module) -> Record:
    layers = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    return {
        name: weight_spectrum(layer.weight).to_dict()
        for name, layer in network.named_modules()
        if isinstance(layer, layers)
    }


def _lost(ratio: float | None) -> float | None:
    return None if ratio is None else max(1 - ratio, 0.0)


def _last(sites: dict[str, Record]) -> Record:
    return next(reversed(sites.values()), {})
