"""The order that a run asks for: which images it sees how often, and which share a batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from orthogan.data.arranging import (
    BALANCED,
    CORRELATED,
    DECORRELATED,
    IID,
    Correlated,
    Decorrelated,
    Stratified,
    mean_likeness,
)
from orthogan.data.balance import AS_IS, CLASSES, Balanced, labels_to_balance
from orthogan.data.clusters import image_clusters, principal_codes
from orthogan.data.image_set import ImageSet
from orthogan.data.order import Order
from orthogan.errors import ConfigError
from orthogan.shapes import Features, Indices, Labels

NUM_KINDS = 10  # clusters that stand for classes where there are none
IMAGES_A_KIND = 20
SEED = 0  # of codes and clusters: the same for every run on the images


@dataclass(frozen=True)
class Arrangement:
    """What an order has to heed.

    Attributes:
        balance: `as-is`, or `classes`: every class is seen equally often.
        batches: `iid`, `balanced`, `decorrelated` or `correlated`.
        batch_size: Images of a batch.
    """

    balance: str = AS_IS
    batches: str = IID
    batch_size: int = 1


def ordered(
    images: ImageSet, wanted: Arrangement, seed: int, members: Indices | None = None
) -> Order:
    """An endless order over a set, or over some of its images, by their place among these.

    Args:
        images: The set.
        wanted: What to heed.
        seed: Run seed.
        members: Indices of the images that are ordered; None: all.

    Raises:
        ConfigError: classes cannot be balanced, or batches not be arranged.
    """
    check_arrangement(images, wanted)
    if images.draws_afresh:
        return images.order(seed)
    if wanted.balance == CLASSES:
        labels = labels_to_balance(images.training_labels, images.draws_afresh, images.name)
        return Balanced(_of(labels.cpu(), members), seed)
    if wanted.batches == BALANCED:
        return Stratified(_of(kinds_of(images), members), seed)
    if wanted.batches in {DECORRELATED, CORRELATED}:
        rule = Decorrelated if wanted.batches == DECORRELATED else Correlated
        return rule(_of(principal_codes(images, SEED), members), seed, wanted.batch_size)
    return Order(images.num_images if members is None else len(members), seed)


def check_arrangement(images: ImageSet, wanted: Arrangement) -> None:
    """Nothing, if the images can be ordered so.

    Raises:
        ConfigError: they cannot.
    """
    if wanted.balance == CLASSES:
        labels_to_balance(images.labels, images.draws_afresh, images.name)
        if wanted.batches != IID:
            raise ConfigError(
                f"data.batches={wanted.batches} arranges images that are all seen equally often, "
                "which data.balance=classes changes; use one of them."
            )
    if wanted.batches != IID and images.draws_afresh:
        raise ConfigError(
            f"{images.name} draws each image afresh, so there is nothing to arrange; leave out "
            f"data.batches={wanted.batches}."
        )
    if wanted.batches != IID and images.is_sample:
        raise ConfigError(
            f"{images.name} stays on disk, and batches are arranged of images in memory; leave out "
            f"data.batches={wanted.batches}."
        )


def kinds_of(images: ImageSet) -> Labels:
    """The class of each image, or its cluster where there are no classes."""
    if images.labels is not None and len(images.class_names) > 1:
        return images.labels.cpu().long()
    count = max(2, min(NUM_KINDS, len(images) // IMAGES_A_KIND))
    return image_clusters(images, count, SEED)


def arrangement_note(images: ImageSet, wanted: Arrangement, seed: int) -> str:
    """How alike the members of a batch are, beside batches of any images."""
    codes: Features = principal_codes(images, SEED)
    size = min(wanted.batch_size, len(images))
    plain = mean_likeness(codes, Order(len(images), seed), size)
    found = mean_likeness(codes, ordered(images, wanted, seed), size)
    return (
        f"Batches are {wanted.batches}: two images of a batch of {size} have a root mean square "
        f"cosine of {found:.3f} (any images: {plain:.3f})."
    )


def _of(values: Tensor, members: Indices | None) -> Tensor:
    return values if members is None else values[members.cpu()]
