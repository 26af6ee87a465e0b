"""What a source was found to hold, before anything was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Topics of an inspection, in the order in which they are shown.
TOPICS = {
    "sizes": "",
    "pixels": "",
    "classes": "",
    "split": "",
    "copies": "They are kept, and seen as often as they are there (or data.copies=drop).",
    "blanks": "They are kept; remove them if they are not meant.",
    "dark": "",
    "skipped": "",
    "also": "",
}


class Note(str):
    """A sentence on images that knows to which topic of an inspection it belongs."""

    __slots__ = ("topic",)
    topic: str

    def __new__(cls, text: str, topic: str) -> Note:  # noqa: PYI034 - beartype refuses Self here
        """The sentence, under one of `TOPICS`."""
        note = super().__new__(cls, text)
        note.topic = topic
        return note


@dataclass(frozen=True)
class Facts:
    """Counts of what pictures were in their files.

    Attributes:
        sizes: How many have which (height, width).
        kinds: How many have which depth and channels, in words.
        skipped: How many files could not be used for which reason.
    """

    sizes: Mapping[tuple[int, int], int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
