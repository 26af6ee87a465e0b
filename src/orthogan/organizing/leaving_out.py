"""A set without the images that it holds more than once."""

from __future__ import annotations

from dataclasses import replace

from orthogan.data import ImageSet
from orthogan.data.catalogue import MIN_IMAGES
from orthogan.data.facts import Note
from orthogan.errors import ConfigError
from orthogan.organizing.duplicates import Report, find_duplicates

KEEP, DROP = "keep", "drop"


def without_copies(images: ImageSet, report: Report | None = None) -> ImageSet:
    """The set with the first image of every group of copies alone; a note says how many go.

    Args:
        images: The set.
        report: Is told how far the search is.

    Raises:
        ConfigError: the images are drawn afresh all the time, or too few would be left.
    """
    if images.draws_afresh:
        raise ConfigError(
            f"{images.name} draws each image afresh, so it holds no copies; leave out "
            "data.copies=drop."
        )
    if images.is_sample:
        raise ConfigError(
            f"{images.name} stays on disk, and copies are looked for in memory; leave out "
            "data.copies=drop."
        )
    found = find_duplicates(images.images.cpu(), report)
    if len(found.kept) < MIN_IMAGES:
        raise ConfigError(
            f"Without copies {images.name} would hold {len(found.kept)} images, and training "
            f"takes {MIN_IMAGES}; leave out data.copies=drop."
        )
    kept = found.kept.to(images.images.device)
    labels = None if images.labels is None else images.labels[kept.to(images.labels.device)]
    kinds = ", ".join(f"{count:,} {how}" for how, count in found.kinds.items()) or "none found"
    note = Note(
        f"{len(found.copies):,} copies are left out ({kinds}); {len(kept):,} images are kept.",
        topic="also",
    )
    # What was said of copies on loading is no longer true of the set.
    others = [each for each in images.notes if getattr(each, "topic", "") != "copies"]
    return replace(images, images=images.images[kept], labels=labels, notes=(*others, note))
