"""Clusters that hang together, and what training is told of its images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from orthogan import data
from orthogan.data import ImageSet
from orthogan.data.clusters import image_clusters
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.gan.conditions import (
    IMAGES_A_KIND,
    class_shares,
    clusters_of,
    resolved_condition,
    said,
)
from orthogan.gan.recipes import RECIPES
from orthogan.geometry.spectra import spectral_clusters


def crescents(count: int = 400) -> tuple[Tensor, Tensor]:
    """Two interlocking half rings, which no straight line separates."""
    source = torch.Generator().manual_seed(0)
    angle = torch.rand(count, generator=source) * torch.pi
    upper = torch.arange(count) % 2 == 0
    points = torch.stack(
        [
            torch.where(upper, angle.cos(), 1 - angle.cos()),
            torch.where(upper, angle.sin(), 0.5 - angle.sin()),
        ],
        dim=1,
    )
    return points + 0.04 * torch.randn(count, 2, generator=source), upper.long()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bent_clusters_are_found_whole(seed: int) -> None:
    points, truth = crescents()
    found = spectral_clusters(points, 2, num_landmarks=100, num_neighbours=8, seed=seed)
    assert adjusted_rand_score(truth, found) > 0.95


def test_every_option_matters() -> None:
    points, _ = crescents()
    plain = spectral_clusters(points, 6)
    assert torch.equal(spectral_clusters(points, 6), plain)
    for options in ({"num_landmarks": 20}, {"num_neighbours": 2}, {"seed": 1}):
        assert not torch.equal(spectral_clusters(points, 6, **options), plain), options
    assert int(spectral_clusters(points, 12).max()) > 5


@pytest.mark.parametrize("distinct", [1, 2, 5])
def test_duplicates_stay_together(distinct: int) -> None:
    points = torch.eye(5)[torch.arange(60) % distinct]
    labels = spectral_clusters(points, 5)
    for row in range(distinct):
        assert len(labels[row::distinct].unique()) == 1


def test_impossible_clusters_are_refused() -> None:
    points, _ = crescents(20)
    for count in (1, 21):
        with pytest.raises(ConfigError, match="Between 2 and 20 clusters"):
            spectral_clusters(points, count)
    with pytest.raises(ShapeError, match="points"):
        spectral_clusters(points[0], 2)
    with pytest.raises(DataError, match="points"):
        spectral_clusters(points.index_fill(0, torch.tensor([3]), torch.nan), 2)


def test_clusters_of_digits_know_the_digits() -> None:
    images = data.load("mnist")
    few = replace(images, images=images.images[:3000], labels=images.labels[:3000])
    found = image_clusters(few, 16, seed=0)
    purity = sum(
        int(torch.bincount(few.labels[found == cluster]).max()) for cluster in found.unique()
    )
    assert purity / len(few) > 0.75  # one kind of digit has 0.11
    assert torch.equal(image_clusters(replace(few, labels=None), 16, seed=0), found)
    assert not torch.equal(image_clusters(few, 16, seed=1), found)


def labelled(count: int, num_classes: int) -> ImageSet:
    source = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 1, 16, 16), dtype=torch.uint8, generator=source)
    names = tuple(str(label) for label in range(num_classes))
    return ImageSet(pixels, torch.arange(count) % num_classes if names else None, names)


@pytest.mark.parametrize(
    ("condition", "count", "num_classes", "settled", "kinds"),
    [
        ("auto", 2 * IMAGES_A_KIND, 2, "classes", 2),
        ("auto", 2 * IMAGES_A_KIND, 3, "clusters", 2),  # classes too small
        ("auto", 3 * IMAGES_A_KIND, 0, "clusters", 3),
        ("auto", 2 * IMAGES_A_KIND - 1, 2, "none", 0),
        ("clusters", 2 * IMAGES_A_KIND, 2, "clusters", 2),
        ("clusters", 100 * IMAGES_A_KIND, 2, "clusters", 32),
        ("classes", 30, 3, "classes", 3),
        ("none", 2 * IMAGES_A_KIND, 2, "none", 0),
    ],
)
def test_what_the_players_are_told(
    condition: str, count: int, num_classes: int, settled: str, kinds: int
) -> None:
    images = labelled(count, num_classes)
    config = resolved_condition(RECIPES["attention-gan"]().evolve(condition=condition), images)
    assert config.condition == settled
    assert config.generator.classes == config.discriminator.classes == kinds
    clusters = clusters_of(config, images)
    assert (clusters is None) == (settled != "clusters")
    if clusters is not None:
        assert 1 < len(clusters.unique()) <= kinds
    shares = class_shares(config, images, clusters)
    if settled == "none":
        assert shares is None
    else:
        assert shares.shape == (kinds,)
        assert float(shares.sum()) == pytest.approx(1)
    assert resolved_condition(config, images) == config
    assert (str(kinds) in said(config)) == (kinds > 0)
    assert settled in said(config) or settled == "none"


def test_the_number_of_clusters_is_a_setting() -> None:
    images = labelled(5 * IMAGES_A_KIND, 0)
    config = RECIPES["attention-gan"]().evolve(condition="clusters", clusters=4)
    assert resolved_condition(config, images).generator.classes == 4


def test_images_drawn_afresh_are_in_no_cluster() -> None:
    stacked = data.stacked.stack(labelled_digits())
    config = RECIPES["attention-gan"]()
    assert resolved_condition(config, stacked).condition == "none"
    with pytest.raises(ConfigError, match="draws each image afresh"):
        resolved_condition(config.evolve(condition="clusters"), stacked)
    assert resolved_condition(config.evolve(condition="classes"), stacked).generator.classes == 1000


def labelled_digits() -> ImageSet:
    return labelled(500, 10)


@pytest.mark.parametrize("scale", [1e-50, 1e-25, 1e25, 1e60])
def test_the_unit_of_the_points_changes_nothing(scale: float) -> None:
    points, _ = crescents()
    assert torch.equal(spectral_clusters(points.double() * scale, 2), spectral_clusters(points, 2))


@pytest.mark.parametrize("offset", [1e3, 1e5])
def test_clusters_far_from_zero_are_found_whole(offset: float) -> None:
    points, truth = crescents()
    found = spectral_clusters(points.double() + offset, 2, num_landmarks=100, num_neighbours=8)
    assert adjusted_rand_score(truth, found) > 0.95


def test_clusters_are_found_whole_beside_one_far_away() -> None:
    points, truth = crescents()
    far = points.double() + torch.tensor([1e4, 0.0])
    both = torch.cat([points.double(), far])
    found = spectral_clusters(both, 4, num_landmarks=200, num_neighbours=8)
    assert adjusted_rand_score(torch.cat([truth, truth + 2]), found) > 0.95
