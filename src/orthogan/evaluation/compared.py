"""What an evaluation judged, and with which real images: the first thing a reader has to know."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Which images were compared with which.

    Attributes:
        source: The run, model, folder or file that was judged, as a person names it.
        checkpoint: How many images its model was trained on; None for images from a file, and
            where nothing says so.
        num_images: How many of its images.
        data: Where the real images come from.
        split: Which of theirs: `train`, or `all` where there is one split only.
        num_real: How many of them.
        num_held_out: How many real images that no generator learned from give the floors; 0 where
            the floors are of a part of the others.
    """

    source: str
    checkpoint: int | None
    num_images: int
    data: str
    split: str
    num_real: int
    num_held_out: int

    @property
    def sentence(self) -> str:
        """All of it in words.

        >>> Compared(source="runs/x", checkpoint=64_000, num_images=10_000, data="mnist",
        ...     split="train", num_real=60_000, num_held_out=10_000).sentence
        'Compared 10,000 images of runs/x (at 64,000 images of training) with the 60,000 training \
images of mnist; floors are of 10,000 held-out images.'
        """
        trained = "" if self.checkpoint is None else f" (at {self.checkpoint:,} images of training)"
        kind = "training images" if self.split == "train" else "images"
        floors = f"{self.num_held_out:,} held-out images" if self.num_held_out else "a part of them"
        return (
            f"Compared {self.num_images:,} images of {self.source}{trained} with the "
            f"{self.num_real:,} {kind} of {self.data}; floors are of {floors}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        return asdict(self) | {"sentence": self.sentence}
