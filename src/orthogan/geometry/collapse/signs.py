"""Signs of collapse in features, weights and images, as readings."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.errors import DataError
from orthogan.geometry.collapse.depth import small_value_share
from orthogan.geometry.collapse.readings import CollapseReading, collapse_reading
from orthogan.geometry.inputs import centre, check_at_least, check_equal, exact
from orthogan.geometry.spectra.estimates import NUM_DRAWS
from orthogan.geometry.spectra.nulls import check_num_draws, permuted_columns
from orthogan.geometry.spectra.spectrum import effective_rank
from orthogan.rng import stream
from orthogan.shapes import Features


def calibrated_rank(features: Features, num_draws: int = NUM_DRAWS, seed: int = 0) -> float:
    r"""Effective rank over its mean with permuted columns: 1 where no column depends on another.

    The ratio cancels most of what the number of rows does to an effective rank. 0 where no two
    rows differ.

    Args:
        features: One row an image, at least two.
        num_draws: Permuted tables.
        seed: Of the permutations.

    Raises:
        ShapeError: fewer than two rows.
        DataError: a value is not finite.
        ConfigError: no draws.

    Source: `effective_rank` and the permutation null of `dimension_usage`.

    >>> line = torch.linspace(-1, 1, 50)[:, None].expand(50, 4)
    >>> round(calibrated_rank(line), 2)
    0.25
    """
    rows = exact("features", features, "rows width")
    check_at_least("features", len(rows), 2, "rows", "to have a variance")
    draws = [permuted_columns(rows, seed, draw) for draw in range(check_num_draws(num_draws))]
    null = math.fsum(effective_rank(draw, centred=True) for draw in draws) / len(draws)
    return effective_rank(rows, centred=True) / null if null else 0.0


def dimension_reading(
    fake: Tensor,
    real: Tensor,
    threshold: float = 0.5,
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> CollapseReading:
    """Whether generated images use far fewer directions of feature space than real ones.

    The value is the calibrated rank of the fakes over that of as many real images; collapse lies
    below the threshold. Images that repeat a few modes show here, while every image is sharp.

    Args:
        fake: Features of generated images.
        real: Features of real ones; the longer set is cut to the length of the other, since an
            effective rank grows with the number of rows.
        threshold: Share of the real rank at which collapse begins.
        num_draws: Permuted tables of each set.
        seed: Of the permutations.

    Raises:
        ShapeError: widths differ, or fewer than two rows.
        DataError: a value is not finite, or no two real rows differ.
        ConfigError: no draws.

    >>> real = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    >>> dimension_reading(real[:2].repeat(30, 1), real).verdict
    'collapsed'
    """
    fakes, reals = exact("fake", fake, "rows width"), exact("real", real, "rows width")
    check_equal("fake", fakes.shape[1], "real", reals.shape[1], "width")
    count = min(len(fakes), len(reals))
    scale = calibrated_rank(reals[:count], num_draws, seed)
    if not scale:
        raise DataError("'real' needs two rows that differ, or there is nothing to compare with.")
    value = calibrated_rank(fakes[:count], num_draws, seed) / scale
    return collapse_reading("dimension", value, 1.0, threshold, collapse_is_high=False)


def spectral_reading(weight: Tensor, threshold: float = 0.5, seed: int = 0) -> CollapseReading:
    """Whether a weight has lost its small directions: SR-GAN's sign of mode collapse.

    The null is a Gaussian weight of the same shape, which has a few small singular values too.

    Args:
        weight: Two axes or more, the outputs first; a discriminator's.
        threshold: Share of singular values below 1 % of the largest at which collapse begins;
            one half is a start that `learn_threshold` replaces.
        seed: Of the null.

    Raises:
        ShapeError: fewer than two axes.
        DataError: a value is not finite, or all are zero.

    Source: Liu et al. 2019 ("Spectral regularization for combating mode collapse in GANs"),
        section 3.

    >>> spectral_reading(torch.diag(torch.tensor([1.0, 0.001, 0.002]))).verdict
    'collapsed'
    """
    value = small_value_share(weight)
    source = stream(seed, "gaussian-weight")
    null = small_value_share(torch.from_numpy(source.standard_normal(tuple(weight.shape))))
    return collapse_reading("spectral collapse", value, null, threshold)


def spread_reading(fake: Tensor, real: Tensor, threshold: float) -> CollapseReading:
    """Whether all generated images are one image, as after a start that died.

    The value is the variance over the batch, averaged over pixels, fake over real. It is cheap
    enough for every few steps; a start is dead where it stays below the threshold.

    Args:
        fake: Generated images, or any states; the first axis is the batch, at least two.
        real: Real ones of the same size.
        threshold: Share of the real variance below which the images are one image.

    Raises:
        ShapeError: sizes differ, or a batch of one.
        DataError: a value is not finite, or no two real images differ.

    >>> real = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> spread_reading(real[:1].expand(8, 1, 4, 4), real, threshold=0.02).verdict
    'collapsed'
    """
    fakes = exact("fake", fake.flatten(1) if fake.ndim > 1 else fake, "images pixels")
    reals = exact("real", real.flatten(1) if real.ndim > 1 else real, "images pixels")
    check_equal("fake", fakes.shape[1], "real", reals.shape[1], "number of pixels")
    scale = _variance("real", reals)
    if not scale:
        raise DataError("'real' needs two images that differ to compare with.")
    value = _variance("fake", fakes) / scale
    return collapse_reading("spread", value, 1.0, threshold, collapse_is_high=False)


def _variance(name: str, rows: Tensor) -> float:
    check_at_least(name, len(rows), 2, "images", "to have a variance")
    return float(centre(rows).square().sum() / ((len(rows) - 1) * rows.shape[1]))
