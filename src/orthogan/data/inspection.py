"""What there is to know of images before training: one line for clean ones, else a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from orthogan.data.entries import shown
from orthogan.data.facts import TOPICS, Note
from orthogan.data.image_set import ImageSet

MOST_SHOWN = 6  # sizes, kinds and classes in a row; the others are counted
PLAIN_KINDS = ("8-bit gray", "8-bit RGB")
UNEVEN = 2.0  # the largest class is told if it has so many times the images of the smallest
CHANNELS = {1: "gray", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Row:
    """One topic: what was found, and the sentences on what is done with it."""

    topic: str
    found: str
    done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What a set of images is, and what has to be said about it.

    Attributes:
        name: What the set is called.
        headline: Count, size, channels and classes, in one line.
        rows: What is not plain; none for clean images.
        counts: The same as numbers: of images, sizes, kinds of pixels, classes, skipped files.
    """

    name: str
    headline: str
    rows: tuple[Row, ...]
    counts: Mapping[str, Any]

    def lines(self) -> list[str]:
        """As a person reads it: topics to the left, sentences below what was found."""
        width = max((len(row.topic) for row in self.rows), default=0)
        lines = [self.headline]
        for row in self.rows:
            told = [row.found] if row.found else []
            for number, text in enumerate([*told, *row.done]):
                lines.append(f"  {'' if number else row.topic:<{width}}  {text}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        rows = [{"topic": r.topic, "found": r.found, "done": list(r.done)} for r in self.rows]
        return {"name": self.name, "summary": self.headline, **self.counts, "rows": rows}


def inspect(images: ImageSet) -> Inspection:
    """The inspection of a set.

    >>> import torch
    >>> pixels = torch.arange(20 * 256).reshape(20, 1, 16, 16).to(torch.uint8)
    >>> inspect(ImageSet(pixels, name="steps")).lines()
    ['steps: 20 images of 16 x 16, gray, without classes.']
    """
    sizes = {f"{h} x {w}": count for (h, w), count in _ranked(images.facts.sizes)}
    kinds = dict(_ranked(images.facts.kinds))
    skipped = dict(_ranked(images.facts.skipped))
    classes = _class_counts(images)
    found = {
        "sizes": _listed(sizes) if len(sizes) > 1 else "",
        "pixels": _listed(kinds) if len(kinds) > 1 or not {*kinds} <= {*PLAIN_KINDS} else "",
        "classes": _uneven(classes),
        "skipped": _listed(skipped),
    }
    notes: dict[str, list[str]] = {topic: [] for topic in TOPICS}
    for note in images.notes:
        topic = note.topic if isinstance(note, Note) else "also"
        notes[topic].append(str(note))
    for topic, remedy in TOPICS.items():
        if remedy and notes[topic]:
            notes[topic].append(remedy)
    rows = [
        Row(topic, found.get(topic, ""), tuple(notes[topic]))
        for topic in TOPICS
        if found.get(topic) or notes[topic]
    ]
    counts = {
        "images": images.num_images,
        "size": images.size,
        "channels": images.colours,
        "split": images.split,
        "sizes": sizes,
        "kinds": kinds,
        "classes": classes,
        "skipped": skipped,
    }
    return Inspection(images.name, _headline(images, classes), tuple(rows), counts)


_LISTENING: ContextVar[list[Inspection] | None] = ContextVar("listening", default=None)


@contextmanager
def inspections() -> Iterator[list[Inspection]]:
    """Within the block, every source that is loaded is inspected; the list grows."""
    found: list[Inspection] = []
    token = _LISTENING.set(found)
    try:
        yield found
    finally:
        _LISTENING.reset(token)


def report(images: ImageSet) -> None:
    """Tells whoever listens what has been loaded."""
    listening = _LISTENING.get()
    if listening is not None:
        listening.append(inspect(images))


def _headline(images: ImageSet, classes: Mapping[str, int]) -> str:
    side, channels = images.size, CHANNELS[images.colours]
    held = " (held out)" if images.split == "test" else ""
    head = f"{images.name}{held}: {images.num_images:,} images of {side} x {side}, {channels}, "
    if not classes:
        return f"{head}without classes."
    low, high = min(classes.values()), max(classes.values())
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    names = [shown(name) for name in classes]
    kept = names if len(names) <= 12 else [*names[:10], f"{len(names) - 10} more"]
    plural = "" if len(names) == 1 else "es"
    return f"{head}{len(names)} class{plural} of {each} images ({', '.join(kept)})."


def _class_counts(images: ImageSet) -> dict[str, int]:
    counts = images.class_counts()
    return {} if counts is None else dict(zip(images.class_names, counts.tolist(), strict=True))


def _uneven(classes: Mapping[str, int]) -> str:
    """The classes with their counts, the largest first, where they differ much."""
    if not classes or max(classes.values()) < UNEVEN * max(min(classes.values()), 1):
        return ""
    ranked = [(shown(name), count) for name, count in _ranked(classes)]
    return _listed(dict(ranked), keep_last=True)


def _ranked(counts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    """The most frequent first; of equal ones in order of their names."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _listed(counts: Mapping[str, int], *, keep_last: bool = False) -> str:
    parts = [f"{name} ({count:,})" for name, count in counts.items()]
    if len(parts) <= MOST_SHOWN + 1:  # never "1 more", which its name says as shortly
        return ", ".join(parts)
    first = parts[: MOST_SHOWN - keep_last]
    left = list(counts.values())[len(first) : len(parts) - keep_last]
    return ", ".join([*first, f"{len(left)} more ({sum(left):,})", *parts[-1:][:keep_last]])
