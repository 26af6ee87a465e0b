"""What is found in a set of images, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orthogan.geometry.spectra.estimates import Estimate
from orthogan.organizing.duplicates import Duplicates
from orthogan.organizing.evenness import Part, effective_number

EVEN = 0.9  # of the parts are effectively there: that is called even
MANY_COPIES = 0.01  # of the images
PLENTY_MISSING = 0.5  # of the dimensions are hardly used


@dataclass(frozen=True)
class Outlier:
    """An image far from all others.

    Attributes:
        index: Its place.
        remoteness: Distance to its fifth nearest image, as a multiple of the median of all images.
    """

    index: int
    remoteness: float


@dataclass(frozen=True)
class Organization:
    """What a set of images holds: copies, kinds, correlations, outliers.

    Attributes:
        name: What the set is called.
        num_images: How many images.
        duplicates: Images that stand in the set more than once, and blank ones.
        classes: The classes; none where there are no labels.
        clusters: Groups of images that look alike, found without labels.
        pixels: Correlation of the brightness in two cells of an 8 x 8 grid.
        images: Correlation of two images, along their principal axes.
        rank: Effective rank of the cells of the grid, 64 at most.
        batches: How alike two images of a batch are, by the rule that fills batches.
        batch_size: Images of such a batch.
        outliers: The images furthest from all others, the furthest first.
        num_measured: Images, drawn at random, that correlations and rank are measured on.
    """

    name: str
    num_images: int
    duplicates: Duplicates
    classes: tuple[Part, ...]
    clusters: tuple[Part, ...]
    pixels: Estimate
    images: Estimate
    rank: Estimate
    batches: Mapping[str, float]
    batch_size: int
    outliers: tuple[Outlier, ...]
    num_measured: int

    def sentences(self) -> list[str]:
        """What was found, one sentence a question."""
        return [
            self.copies_said(),
            *([_evenness("classes", self.classes)] if self.classes else []),
            _evenness("groups that look alike", self.clusters),
            self.correlation_said(),
            self.batches_said(),
            *self.advice(),
        ]

    def copies_said(self) -> str:
        """How many images are there more than once, and in which way."""
        copies, blank = self.duplicates.copies, len(self.duplicates.blank)
        plain = f" {blank:,} images are of one colour." if blank else ""
        if not copies:
            return f"No image of {self.name} is there twice.{plain}"
        kinds = ", ".join(f"{count:,} {how}" for how, count in self.duplicates.kinds.items())
        return (
            f"{len(copies):,} of {self.num_images:,} images ({len(copies) / self.num_images:.1%}) "
            f"are earlier ones again: {kinds}.{plain}"
        )

    def correlation_said(self) -> str:
        """How correlated pixels and images are, and what rank that leaves."""
        return (
            f"Two cells of an image have a correlation of {self.pixels.value:.3f} (shuffled: "
            f"{self.pixels.null:.3f}), two images one of {self.images.value:.3f} (shuffled: "
            f"{self.images.null:.3f}). The 64 cells have an effective rank of "
            f"{self.rank.value:.1f} (shuffled: {self.rank.null:.1f})."
        )

    def batches_said(self) -> str:
        """How alike images of a batch are, by the rule that fills batches."""
        rules = ", ".join(f"{rule} {value:.3f}" for rule, value in self.batches.items())
        return (
            f"Two images of a batch of {self.batch_size} have a root mean square cosine of: "
            f"{rules} (data.batches)."
        )

    def advice(self) -> list[str]:
        """What to do about it; nothing where all is in order."""
        found = []
        if len(self.duplicates.copies) >= MANY_COPIES * self.num_images:
            found.append(
                "Leave the copies out with `--set data.copies=drop`: a generator learns what it "
                "sees more often, and copies between training and test make scores too good."
            )
        if self.classes and effective_number(self.classes) < EVEN * len(self.classes):
            found.append(
                "Classes differ in size: `--set data.balance=classes` shows all equally often."
            )
        if self.duplicates.blank:
            found.append("Remove blank images, or choose another --colour or ground.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        return {
            "name": self.name,
            "images": self.num_images,
            "copies": [asdict(copy) for copy in self.duplicates.copies],
            "kinds_of_copies": self.duplicates.kinds,
            "blank": list(self.duplicates.blank),
            "kept": self.duplicates.kept.tolist(),
            "classes": [asdict(part) for part in self.classes],
            "clusters": [asdict(part) for part in self.clusters],
            "pixels": self.pixels.to_dict(),
            "correlation": self.images.to_dict(),
            "rank": self.rank.to_dict(),
            "batches": dict(self.batches),
            "batch_size": self.batch_size,
            "outliers": [asdict(outlier) for outlier in self.outliers],
            "measured": self.num_measured,
            "sentences": self.sentences(),
        }


def _evenness(kind: str, parts: Sequence[Part]) -> str:
    if not parts:
        return f"There are too few images for {kind}."
    counts = sorted(part.count for part in parts)
    return (
        f"{len(parts)} {kind} of {counts[0]:,} to {counts[-1]:,} images: as varied as "
        f"{effective_number(parts):.1f} equal ones."
    )
