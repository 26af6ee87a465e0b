"""Which augmentation a set of images gets where the settings leave it open."""

from __future__ import annotations

from orthogan.data import ImageSet
from orthogan.gan.augmenting import IMAGES_A_HELD_OUT, LEAST_HELD_OUT, chosen, num_held_out
from orthogan.gan.config import TrainingConfig
from orthogan.gan.symmetry import is_symmetric

# Gray sets of more are not memorized in the runs that one machine makes.
MANY = 20_000
# Where too few images would be held out to follow the overfitting, it is taken for granted.
ALWAYS = 0.6


def resolved_augmentation(config: TrainingConfig, images: ImageSet) -> TrainingConfig:
    """The configuration with its policy, probability and held-out images as for these images.

    `auto` is no augmentation for gray sets of 20,000 images and more, and for images drawn afresh;
    else translation and cutout, colour where there is colour, and flips where the set is symmetric.

    Raises:
        ConfigError: the held-out images that are asked for cannot be had.
    """
    asked = config.augmentation
    policy = _policy(images) if asked.policy == "auto" else asked.policy
    settled = asked.evolve(policy=policy)
    if not chosen(policy):  # the rest stays open, as in runs from before there was augmentation
        return config.evolve(augmentation=settled.to_dict())
    few = images.num_images < IMAGES_A_HELD_OUT * LEAST_HELD_OUT
    if asked.probability is None and asked.held_out is None and few:
        settled = settled.evolve(probability=ALWAYS)
    settled = settled.evolve(held_out=num_held_out(settled, images))
    return config.evolve(augmentation=settled.to_dict())


def said_of_augmentation(config: TrainingConfig, images: ImageSet) -> str:
    """What is done and why, in words, for a configuration that is resolved."""
    settled = config.augmentation
    kind = "color" if images.colours >= 3 else "gray"
    if not chosen(settled.policy):
        return (
            f"The {images.num_images:,} {kind} images are not augmented (augmentation.policy=none)."
        )
    how = (
        f"as often as the discriminator overfits, measured on {settled.held_out} images that are "
        "held out from training"
        if settled.probability is None
        else f"with probability {settled.probability:g}"
    )
    return (
        f"So that the discriminator does not learn {images.num_images:,} {kind} images by heart, "
        f"it sees real and generated ones under {settled.policy}, each {how} "
        f"(augmentation.policy={settled.policy})."
    )


def _policy(images: ImageSet) -> str:
    is_colourful = images.colours >= 3
    if images.draws_afresh or (images.num_images >= MANY and not is_colourful):
        return "none"
    names = ["translation", "cutout"]
    if is_colourful:
        names.append("colour")
    if is_symmetric(images):
        names.append("flip")
    return ",".join(names)
