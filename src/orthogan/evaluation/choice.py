"""Which extractors describe a data set: one that knows its images, and a second judge."""

from __future__ import annotations

from orthogan.data import ImageSet
from orthogan.evaluation.description import Report, is_stacked
from orthogan.evaluation.extractors import Extractor, load_extractor
from orthogan.evaluation.own import LEAST_IMAGES, OWN, own_extractor

AUTO = "auto"  # one that knows the images
DEFAULT_EXTRACTOR = AUTO
GENERAL, DIGITS = "general", "digits-cls"


def extractor_for(
    images: ImageSet, wanted: str | Extractor = AUTO, report: Report | None = None
) -> Extractor:
    """The extractor that is asked for, or of those that know the images the most specialised one.

    Specialised is one that knows few kinds of images: digits are read by the digits extractor, and
    everything else by the general one.

    Args:
        images: The real images.
        wanted: A registered name, an extractor, "own" for one that is trained on these images, or
            "auto".
        report: Is told how far the training is, if there is one.

    Raises:
        UnknownNameError: no such extractor.
        BundleError: its weights are missing or damaged.
        ConfigError: it does not state all that an `Extractor` states, or is to be trained on too
            few images.
    """
    if wanted == OWN:
        return own_extractor(images, report)
    if wanted != AUTO:
        return load_extractor(wanted)
    special = load_extractor(DIGITS)
    return special if special.knows(images) else load_extractor(GENERAL)


def second_for(
    images: ImageSet, first: Extractor, wanted: str | Extractor = AUTO, report: Report | None = None
) -> Extractor | None:
    """The second judge that is asked for, or one of another architecture and other training.

    By itself that is the images' own extractor, and the general one where the images are too few,
    or the first judge is their own; none for stacked digits, whose classes are counted instead.

    Args:
        images: The real images.
        first: What has described them already.
        wanted: As for `extractor_for`.
        report: Is told how far the training is, if there is one.

    Raises:
        UnknownNameError: no such extractor.
        BundleError: its weights are missing or damaged.
        ConfigError: it does not state all that an `Extractor` states, or is to be trained on too
            few images.
    """
    if wanted != AUTO:
        return extractor_for(images, wanted, report)
    if is_stacked(images):
        return None
    is_own = first.name.partition("@")[0] == OWN
    if not is_own and len(images) >= LEAST_IMAGES and not images.draws_afresh:
        return own_extractor(images, report)
    general = load_extractor(GENERAL)
    return None if general.name == first.name else general
