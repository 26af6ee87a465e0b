r"""Spectral clusters through landmarks: groups of points that hang together, in linear time.

Every point is written as a mixture of its nearest landmarks; two points are alike as far as they
share landmarks. The leading singular vectors of that sparse `N P` matrix are the smoothest
functions on the data, and points with equal values of them belong together. A cluster may so be
long and bent, which k-means on the points themselves would cut to pieces.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from orthogan import rng
from orthogan.errors import ConfigError
from orthogan.geometry.inputs import binary_scale, matrix

BLOCK = 5000  # points compared with all centres at once; keeps memory flat
SAMPLE = 10_000  # points that landmarks and centres are learnt from
LANDMARK_ROUNDS, CENTRE_ROUNDS = 5, 20


def spectral_clusters(
    points: Tensor,
    num_clusters: int,
    *,
    num_landmarks: int = 1000,
    num_neighbours: int = 4,
    seed: int = 0,
) -> Tensor:
    r"""The cluster of each point: 0 .. `num_clusters` - 1.

    With $z_{ip}$ the weight of landmark $p$ in point $i$ (rows sum to 1, zero but for the
    nearest) and $D = \mathrm{diag}(\sum_i z_{ip})$, points are embedded by the leading left
    singular vectors of $Z D^{-1/2}$, brought to unit length, and
    grouped by k-means.

    Args:
        points: One a row, `N D`.
        num_clusters: How many groups; some stay empty if there are fewer different points.
        num_landmarks: Points that stand for all; at most `N` are used.
        num_neighbours: Landmarks a point is written with.
        seed: Decides which points the search starts from.

    Returns:
        int64 labels, `N`.

    Raises:
        ShapeError: not a table.
        DataError: a value is not finite.
        ConfigError: fewer than 2 clusters, or more than points; no landmark or neighbour.

    Source: Chen and Cai 2011, "Large scale spectral clustering with landmark-based
    representation", algorithm 1, with the local scale of Zelnik-Manor and Perona 2005,
    "Self-tuning spectral clustering", section 2, for the weights.

    >>> angle = torch.linspace(0, 6, 200)
    >>> ring = torch.stack([angle.cos(), angle.sin()], 1)
    >>> labels = spectral_clusters(torch.cat([ring, 9 * ring]), 2)  # one ring around the other
    >>> [len(part.unique()) for part in labels.split(200)]
    [1, 1]
    """
    points = _at_origin(matrix("points", points))
    if not 2 <= num_clusters <= len(points):
        raise ConfigError(
            f"Between 2 and {len(points)} clusters (the number of points), got {num_clusters}."
        )
    for name, count in (("num_landmarks", num_landmarks), ("num_neighbours", num_neighbours)):
        if count < 1:
            raise ConfigError(f"'{name}' is at least 1, got {count}.")
    order = rng.permutation(len(points), seed, "clusters", 0).to(points.device)
    sample = points[order[:SAMPLE]]
    landmarks = _k_means(sample, sample[:num_landmarks], LANDMARK_ROUNDS)
    nearest, weights = _mixtures(points, landmarks, min(num_neighbours, len(landmarks)))
    embedded = _embedded(nearest, weights, len(landmarks), num_clusters)
    sample = embedded[order[:SAMPLE]]
    centres = _k_means(sample, _spread(sample, num_clusters, seed), CENTRE_ROUNDS)
    return torch.cat([_distances(block, centres).argmin(1) for block in embedded.split(BLOCK)])


def _at_origin(points: Tensor) -> Tensor:
    """The float64 points around their mean, at a size whose squares neither vanish nor overflow.

    Products resolve distances to about 1e-14 of the spread of all points, so groups may lie far
    apart or far from 0 and still be told from one another.
    """
    scaled = points * binary_scale(points)
    moved = scaled - scaled.mean(0)
    return moved * binary_scale(moved)


def _mixtures(points: Tensor, landmarks: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The nearest landmarks of each point and their weights, both `N count`."""
    distances, nearest = (
        torch.cat(parts)
        for parts in zip(
            *(
                _distances(block, landmarks).topk(count, largest=False)
                for block in points.split(BLOCK)
            ),
            strict=True,
        )
    )
    first, last = distances[:, :1], distances[:, -1:]
    tiny = torch.finfo(distances.dtype).tiny
    weights = torch.exp(-2 * (distances - first) / (last - first).clamp(min=tiny)).float()
    return nearest, weights / weights.sum(1, keepdim=True)


def _embedded(nearest: Tensor, weights: Tensor, num_landmarks: int, width: int) -> Tensor:
    """The leading left singular vectors of the weighted matrix, rows of unit length, `N width`."""
    mass = weights.new_zeros(num_landmarks).index_add_(0, nearest.flatten(), weights.flatten())
    # A landmark that nobody is near to stands for nothing.
    weights = weights * torch.where(mass > 0, mass, 1).rsqrt()[nearest]
    gram = weights.new_zeros(num_landmarks * num_landmarks)
    for row, row_weight in zip(nearest.T, weights.T, strict=True):
        for column, column_weight in zip(nearest.T, weights.T, strict=True):
            gram.index_add_(0, row * num_landmarks + column, row_weight * column_weight)
    _, vectors = torch.linalg.eigh(gram.view(num_landmarks, num_landmarks).double())
    leading = vectors[:, -width:].to(weights)
    values = (leading[nearest] * weights[..., None]).sum(1)
    values = values / values.norm(dim=0).clamp(min=torch.finfo(values.dtype).tiny)
    return functional.normalize(values, dim=1)


def _k_means(points: Tensor, centres: Tensor, rounds: int) -> Tensor:
    """The centres after some rounds of Lloyd's algorithm; one that lost its points stays."""
    for _ in range(rounds):
        labels = _distances(points, centres).argmin(1)
        count = torch.bincount(labels, minlength=len(centres))[:, None]
        total = torch.zeros_like(centres).index_add_(0, labels, points)
        centres = torch.where(count > 0, total / count.clamp(min=1), centres)
    return centres


def _spread(points: Tensor, count: int, seed: int) -> Tensor:
    """Points far from each other to start from: k-means++ (Arthur and Vassilvitskii 2007)."""
    draws = rng.stream(seed, "clusters-spread").random(count)
    chosen = [0]
    left = torch.full_like(points[:, 0], torch.inf, dtype=torch.float64)
    for draw in draws[1:]:
        left = left.minimum((points - points[chosen[-1]]).double().square().sum(1))
        reached = left.cumsum(0)
        chosen.append(min(int((reached < draw * reached[-1]).sum()), len(points) - 1))
    return points[chosen]


def _distances(points: Tensor, centres: Tensor) -> Tensor:
    """Squared distances, less the squared length of the point."""
    return torch.addmm(centres.square().sum(1)[None], points, centres.T, alpha=-2)
