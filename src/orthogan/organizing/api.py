"""`organize`: what is in a set of images before anything learns from it."""

from __future__ import annotations

from torch import Tensor, nn

from orthogan.data import ImageSet, ImageSource, Order
from orthogan.data.api import load_data
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
from orthogan.data.clusters import image_clusters, principal_codes
from orthogan.data.image_set import to_floats
from orthogan.data.ordering import SEED, kinds_of
from orthogan.errors import ConfigError
from orthogan.geometry.spectra.correlation import dimension_correlation, member_correlation
from orthogan.geometry.spectra.spectrum import effective_rank
from orthogan.geometry.spectra.usage import beside_permutations
from orthogan.organizing.duplicates import Report, find_duplicates
from orthogan.organizing.evenness import Part, parts_of, remoteness
from orthogan.organizing.result import Organization, Outlier
from orthogan.rng import permutation
from orthogan.shapes import Pixels

NUM_CLUSTERS = 10
IMAGES_A_CLUSTER = 20
NUM_MEASURED = 1000  # images of which correlations and rank are taken
NUM_REFERENCE = 10_000  # images that others are near to, or far from
NUM_OUTLIERS = 12
NEIGHBOUR = 5
CELLS = 8
BATCH_SIZE = 32
NUM_BATCHES = 50  # whose members are compared


def organize(
    source: ImageSource | ImageSet,
    *,
    size: int | None = None,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    report: Report | None = None,
) -> Organization:
    """Copies, balance, correlation and outliers of a set of images.

    Args:
        source: The images: what `train` takes, or a set that is loaded.
        size: Side of the squares, px; by default the images' own.
        batch_size: Of the batches whose members are compared.
        seed: Of random choices: which images are measured.
        report: Is told how far it is.

    Raises:
        ConfigError: the images are drawn afresh all the time, or the batch size is below 2.
        DataError: the images cannot be loaded.
    """
    images = source if isinstance(source, ImageSet) else load_data(source, size=size)
    if images.draws_afresh:
        raise ConfigError(f"{images.name} draws each image afresh: there is no set to organize.")
    if not 2 <= batch_size <= len(images):
        raise ConfigError(
            f"A batch holds between 2 and all {len(images)} images, got batch_size={batch_size}."
        )
    duplicates = find_duplicates(images.images.cpu(), report)
    codes = principal_codes(images, SEED)
    chosen = permutation(len(images), seed, "organizing-measured", 0)[:NUM_MEASURED]
    cells = _cells(images.images[chosen])
    clusters: tuple[Part, ...] = ()
    count = min(NUM_CLUSTERS, len(images) // IMAGES_A_CLUSTER)
    if count > 1:
        names = [f"group {number + 1}" for number in range(count)]
        clusters = parts_of(image_clusters(images, count, seed), names, codes)
    classes: tuple[Part, ...] = ()
    if images.labels is not None and len(images.class_names) > 1:
        classes = parts_of(images.labels.cpu(), images.class_names, codes)
    return Organization(
        name=images.name,
        num_images=len(images),
        duplicates=duplicates,
        classes=classes,
        clusters=clusters,
        pixels=dimension_correlation(cells, seed=seed),
        images=member_correlation(codes[chosen], seed=seed),
        rank=beside_permutations("effective rank", _centred_rank, cells, seed=seed),
        batches=_likeness(images, codes, batch_size, seed),
        batch_size=batch_size,
        outliers=_outliers(codes, seed),
        num_measured=len(chosen),
    )


def _likeness(images: ImageSet, codes: Tensor, batch_size: int, seed: int) -> dict[str, float]:
    orders = {
        IID: Order(len(images), seed),
        BALANCED: Stratified(kinds_of(images), seed),
        DECORRELATED: Decorrelated(codes, seed, batch_size),
        CORRELATED: Correlated(codes, seed, batch_size),
    }
    number = min(NUM_BATCHES, len(images) // batch_size)
    return {rule: mean_likeness(codes, order, batch_size, number) for rule, order in orders.items()}


def _outliers(codes: Tensor, seed: int) -> tuple[Outlier, ...]:
    reference = permutation(len(codes), seed, "organizing-reference", 0)[:NUM_REFERENCE]
    far = remoteness(codes, reference, NEIGHBOUR)
    found = far.topk(min(NUM_OUTLIERS, len(far)))
    return tuple(
        Outlier(place, value)
        for value, place in zip(found.values.tolist(), found.indices.tolist(), strict=True)
    )


def _cells(pixels: Pixels) -> Tensor:
    """The mean brightness of each cell of an 8 x 8 grid."""
    grey = to_floats(pixels.cpu()).mean(1, keepdim=True)
    return nn.functional.adaptive_avg_pool2d(grey, CELLS).flatten(1)


def _centred_rank(table: Tensor) -> float:
    return effective_rank(table, centred=True)
