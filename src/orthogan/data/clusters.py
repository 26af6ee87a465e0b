"""Groups of images that look alike, found without labels."""

from __future__ import annotations

import torch

from orthogan import rng
from orthogan.data.image_set import ImageSet
from orthogan.geometry.spectra.clusters import spectral_clusters
from orthogan.shapes import Features, Labels

NUM_AXES = 50  # principal axes in which images are compared
BLOCK = 5000  # images turned into floats at a time
SAMPLE = 10_000  # images that the axes are learnt from


def image_clusters(images: ImageSet, num_clusters: int, seed: int) -> Labels:
    """The spectral cluster of each image, 0 .. `num_clusters` - 1.

    Images are compared in their leading principal axes, which are learnt from a sample.

    Args:
        images: The set; its labels are not looked at.
        num_clusters: How many groups.
        seed: Decides which images the search starts from.

    Raises:
        ConfigError: fewer than 2 clusters, or more than images.

    Source: `orthogan.geometry.spectra.spectral_clusters`.
    """
    return spectral_clusters(principal_codes(images, seed), num_clusters, seed=seed)


def principal_codes(images: ImageSet, seed: int) -> Features:
    """Each image along the 50 leading principal axes of the pixels, learnt from a sample.

    Args:
        images: The set.
        seed: Of the sample.
    """
    flat = images.images.flatten(1)
    sample = flat[rng.permutation(len(flat), seed, "clusters-axes", 0)[:SAMPLE]].float()
    mean = sample.mean(0)
    with rng.initialization(seed, "clusters-axes"):
        width = min(NUM_AXES, *sample.shape)
        _, _, axes = torch.svd_lowrank(sample - mean, q=width, niter=2)
    return torch.cat([(block.float() - mean) @ axes / 255 for block in flat.split(BLOCK)])
