"""What augmentation a set gets by itself."""

from __future__ import annotations

import pytest
import torch

from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.gan import augmentation_rule as module
from orthogan.gan.augmentation_rule import resolved_augmentation, said_of_augmentation
from orthogan.gan.config import AugmentationConfig, TrainingConfig


def a_set(count: int, channels: int = 3, *, draws_afresh: bool = False) -> ImageSet:
    kind = type("Afresh", (ImageSet,), {"draws_afresh": True}) if draws_afresh else ImageSet
    return kind(torch.zeros(count, channels, 16, 16, dtype=torch.uint8))


def settled(images: ImageSet, *settings: str) -> AugmentationConfig:
    config = TrainingConfig().evolve("augmentation.policy=auto").evolve(*settings)
    return resolved_augmentation(config, images).augmentation


@pytest.mark.parametrize(
    ("images", "symmetric", "policy"),
    [
        (a_set(600), False, "translation,cutout,colour"),
        (a_set(600, 1), False, "translation,cutout"),
        (a_set(600), True, "translation,cutout,colour,flip"),
        (a_set(module.MANY), False, "translation,cutout,colour"),
        (a_set(module.MANY, 1), True, "none"),
        (a_set(module.MANY - 1, 1), True, "translation,cutout,flip"),
        (a_set(600, draws_afresh=True), False, "none"),
    ],
)
def test_auto_is_for_small_or_colourful_sets(monkeypatch, images, symmetric, policy) -> None:
    monkeypatch.setattr(module, "is_symmetric", lambda _images: symmetric)
    assert settled(images).policy == policy
    assert settled(images, "augmentation.policy=cutout", "augmentation.probability=.3") == (
        AugmentationConfig(policy="cutout", probability=0.3, held_out=0)
    )
    assert settled(images, "augmentation.policy=none") == AugmentationConfig()


def test_the_strength_follows_overfitting_where_enough_images_can_be_held_out() -> None:
    assert settled(a_set(640)) == AugmentationConfig(
        policy=settled(a_set(640)).policy, probability=None, held_out=40
    )
    assert settled(a_set(511)).probability == module.ALWAYS
    assert settled(a_set(511)).held_out == 0
    assert settled(a_set(511), "augmentation.held_out=64").probability is None
    with pytest.raises(ConfigError, match="held_out"):
        settled(a_set(100), "augmentation.held_out=64")


def test_a_resolved_configuration_is_resolved() -> None:
    for images in (a_set(100), a_set(640), a_set(module.MANY, 1)):
        config = TrainingConfig().evolve("augmentation.policy=auto")
        once = resolved_augmentation(config, images)
        assert resolved_augmentation(once, images) == once


def test_it_is_said() -> None:
    config = TrainingConfig().evolve("augmentation.policy=auto")

    def told_of(images: ImageSet) -> str:
        return said_of_augmentation(resolved_augmentation(config, images), images)

    told = told_of(a_set(640))
    assert "640 color images" in told
    assert "translation,cutout,colour" in told
    assert "measured on 40 images that are held out" in told
    assert "each with probability 0.6" in told_of(a_set(64))
    assert "20,000 gray images are not augmented" in told_of(a_set(module.MANY, 1))
