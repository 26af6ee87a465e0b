"""What both networks are conditioned on: the cluster of an image, its class, or nothing."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.data.balance import weights_of
from orthogan.data.clusters import image_clusters
from orthogan.errors import ConfigError, ResumeError
from orthogan.gan.config import TrainingConfig
from orthogan.shapes import Labels
from orthogan.training.checkpoint import load_checkpoint

# A class of fewer images is memorized rather than learned.
IMAGES_A_KIND = 100


def resolved_condition(config: TrainingConfig, images: ImageSet) -> TrainingConfig:
    """The configuration with `condition` as these images allow it, and the number of kinds.

    `auto` takes the classes if there are at least two, each with images enough to learn from;
    otherwise clusters; a set too small for two clusters, drawn afresh or on disk, is left whole.

    Raises:
        ConfigError: classes are asked for and there are none, or clusters of images that no run
            sees twice.
    """
    condition, most = config.condition, images.num_images // IMAGES_A_KIND
    if condition == "classes" and len(images.class_names) < 2:
        raise ConfigError(
            f"condition=classes needs images of at least 2 classes; {images.name} has "
            f"{len(images.class_names)}; use condition=clusters."
        )
    if condition == "auto":
        condition = "classes" if _has_rich_classes(images) else "clusters"
        if condition == "clusters" and (images.draws_afresh or images.is_sample):
            condition = "none"
    if condition == "clusters" and images.is_sample:
        raise ConfigError(
            f"{images.name} stays on disk, and clusters are found of images in memory; use "
            "condition=none, or condition=classes."
        )
    if condition == "clusters" and images.draws_afresh:
        raise ConfigError(
            f"{images.name} draws each image afresh, so none belongs to a cluster; "
            "use condition=none, or condition=classes."
        )
    if condition == "clusters" and most < 2:
        condition = "none"
    kinds = {"classes": len(images.class_names), "clusters": min(config.clusters, most), "none": 0}
    facts = {"classes": kinds[condition]}
    return config.evolve(
        condition=condition,
        generator=config.generator.evolve(**facts).to_dict(),
        discriminator=config.discriminator.evolve(**facts).to_dict(),
    )


def said(config: TrainingConfig) -> str:
    """What the networks are conditioned on, in words, for a configuration that is resolved.

    >>> said(TrainingConfig(condition="none"))
    'Both networks are unconditional.'
    """
    if config.condition == "none":
        return "Both networks are unconditional."
    found = ", found without labels" if config.condition == "clusters" else ""
    return (
        f"Both networks are conditioned on the {config.generator.classes} {config.condition} of "
        f"the images{found} (condition={config.condition})."
    )


def _has_rich_classes(images: ImageSet) -> bool:
    if images.labels is None or len(images.class_names) < 2:
        return False
    counts = images.class_counts()
    return counts is not None and int(counts.min()) >= IMAGES_A_KIND


def clusters_of(config: TrainingConfig, images: ImageSet) -> Labels | None:
    """The cluster of each image, for a configuration that is settled on clusters; else None.

    Source: Liu, Wang, Bau, Zhu and Torralba 2020, "Diverse image generation via self-conditioned
    GANs", section 3: clusters instead of classes. Theirs follow the discriminator's features and
    move during training; these are spectral clusters of the pixels and stay.
    """
    if config.condition != "clusters":
        return None
    return image_clusters(images, config.generator.classes, config.seed)


def kept_clusters(config: TrainingConfig, run: Path, num_images: int) -> Labels | None:
    """The cluster of each image that the run's newest checkpoint holds; None without clusters.

    Raises:
        ResumeError: there are checkpoints and every one is damaged, or its clusters are not those
            of so many images.
    """
    checkpoint = load_checkpoint(run) if config.condition == "clusters" else None
    kept = None if checkpoint is None else checkpoint.tensors.get("clusters")
    if kept is None:
        return None
    is_whole = kept.dtype == torch.int32 and kept.shape == (num_images,)
    if not is_whole or not bool(((kept >= 0) & (kept < config.generator.classes)).all()):
        raise ResumeError(
            f"{run}: its checkpoint holds no clusters of these {num_images} images; "
            "choose another --run."
        )
    return kept.long()


def class_shares(
    config: TrainingConfig, images: ImageSet, clusters: Labels | None
) -> Tensor | None:
    """The share of each kind among the images as they are seen; None without kinds."""
    labels = images.training_labels if config.condition == "classes" else clusters
    if labels is None:
        return None
    weights = None
    if config.data.balance == "classes" and images.training_labels is not None:
        weights = weights_of(images.training_labels)
    counts = torch.bincount(labels, weights, minlength=config.generator.classes).float()
    return counts / counts.sum()
