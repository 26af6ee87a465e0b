"""Many compressed pictures, some of them bad, as one image set: folders, archives, hubs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orthogan.data import pictures
from orthogan.data.assembly import assemble
from orthogan.data.catalogue import DEFAULT_SIZE, LoadOptions
from orthogan.data.entries import Entry, Listing, shown
from orthogan.data.facts import Facts, Note
from orthogan.data.image_set import ImageSet
from orthogan.data.labels import named_classes
from orthogan.data.layout import part_of
from orthogan.data.listed_labels import listed_classes
from orthogan.data.prefixes import prefix_classes
from orthogan.data.rendering import (
    AS_STORED,
    FULL,
    TRANSPARENT,
    Rendering,
    Traits,
    remarks,
    rendering_of,
)
from orthogan.data.squares import Picture, is_kept_size, squared
from orthogan.errors import DataError

NUM_LISTED = 10  # skipped files named in a note; the rest are counted


@dataclass
class Gathered:
    """The usable pictures of a collection, and what is to be said about the others."""

    pictures: list[Picture] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    shapes: Counter[tuple[int, int]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    layout: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """The layout, the remarks with their counts, then the skipped files with reasons."""
        num_images = len(self.pictures)
        notes = self.layout + [
            Note(f"{count} of {num_images} images: {remark}.", "pixels")
            for remark, count in sorted(self.remarks.items())
        ]
        if self.skipped:
            listed = [f"{shown(name)} ({why})" for name, why in self.skipped[:NUM_LISTED]]
            if len(self.skipped) > NUM_LISTED:
                listed.append(f"and {len(self.skipped) - NUM_LISTED} more")
            num_files = num_images + len(self.skipped)
            said = f"Skipped {len(self.skipped)} of {num_files} files: {', '.join(listed)}."
            notes.append(Note(said, "skipped"))
        return notes


def gather(
    entries: Iterable[Entry],
    options: LoadOptions,
    skipped: Iterable[tuple[str, str]] = (),
    others: Iterable[Entry] = (),
) -> Gathered:
    """Every picture that can be decoded; bad ones are listed with the reason, never fatal.

    Args:
        entries: What to decode.
        options: The size asked for: larger pictures are shrunk at once, to save memory.
        skipped: Names and reasons of what was left out before.
        others: The rest of the set, such as its held-out part: what suits all is done to each.
    """
    found, stored = Gathered(skipped=list(skipped)), _as_stored(options)
    open_ones: list[tuple[int, Entry, Traits]] = []
    for entry in entries:
        decoded = _decoded(entry, stored, found.skipped, options.size)
        if decoded is None:
            continue
        if decoded.traits is not None:
            open_ones.append((len(found.names), entry, decoded.traits))
        found.pictures.append(_shrunk(decoded.picture, options))
        found.names.append(entry.name)
        found.labels.append(entry.label)
        found.shapes[decoded.shape] += 1
        found.kinds[decoded.kind] += 1
        found.remarks.update(decoded.remarks)
    if open_ones:
        _render(found, open_ones, options, others)
    return found


def _render(
    found: Gathered,
    open_ones: Sequence[tuple[int, Entry, Traits]],
    options: LoadOptions,
    others: Iterable[Entry],
) -> None:
    """Reads what leaves ground or white open again, in the way that suits the whole set."""
    stored = _as_stored(options)
    elsewhere = ((entry, _decoded(entry, stored, [], options.size)) for entry in others)
    traits = [(entry, traits) for _, entry, traits in open_ones]
    traits += [(entry, each.traits) for entry, each in elsewhere if each and each.traits]
    rendering = rendering_of([each for _, each in traits])
    if rendering.white != FULL:  # what is bright by now may need another ground
        scaled = Rendering(white=rendering.white)
        again = [
            _decoded(entry, scaled, [], options.size) for entry, each in traits if each.contrasts
        ]
        contrasts = [each.traits for each in again if each and each.traits]
        opaque = [each for _, each in traits if not each.contrasts]
        rendering = rendering_of([*contrasts, *opaque])
    if stored.ground is None:
        rendering = replace(rendering, ground=None)
    for place, entry, traits_here in open_ones:
        found.remarks.update(remarks(traits_here, rendering))
        if rendering == stored:
            continue
        decoded = _decoded(entry, rendering, [], options.size)
        if decoded is None:
            raise DataError(f"{entry.name}: changed while it was read; leave the data alone.")
        found.pictures[place] = _shrunk(decoded.picture, options)


def _decoded(
    entry: Entry, rendering: Rendering, skipped: list[tuple[str, str]], size: int | None
) -> pictures.Decoded | None:
    try:
        return pictures.decode(entry.read(), rendering, size)
    except pictures.DECODE_ERRORS as error:
        skipped.append((entry.name, pictures.reason(error)))
        return None


def image_set(found: Gathered, where: str, options: LoadOptions) -> ImageSet:
    """The gathered pictures as equal squares, labelled if every one of them has a label.

    Raises:
        DataError: none is usable.
    """
    if not found.pictures:
        raise DataError(f"{where}: holds no usable images. {' '.join(found.notes())}".rstrip())
    images, notes = assemble(found.pictures, options, set(found.shapes))
    notes += found.notes()
    labels = [label for label in found.labels if label is not None]
    name = Path(where).resolve().name or where
    why = Counter(reason for _, reason in found.skipped)
    facts = Facts(dict(found.shapes), dict(found.kinds), dict(why))
    if len(labels) < len(found.labels):
        return ImageSet(images, name=name, notes=tuple(notes), split=options.split, facts=facts)
    index, class_names = named_classes(labels)
    return ImageSet(images, index, class_names, name, tuple(notes), options.split, facts)


def from_tree(listing: Listing, where: str, options: LoadOptions) -> ImageSet:
    """The pictures of a tree of folders: split by `train/` and `test/`, class = sub-folder.

    A `dataset.json` or a `metadata.csv` says the classes where there is one.

    Raises:
        DataError: no picture, none usable, or the test split of a tree without one.
    """
    if not listing.pictures and not listing.skipped:
        raise DataError(f"{where}: holds no images ({', '.join(pictures.SUFFIXES)}).")
    part = part_of(listing.pictures, where, options)
    found = gather(part.entries, options, listing.skipped, part.others)
    if options.labels == "prefix":
        found.layout.extend(part.notes)
        found.labels = list(prefix_classes(found.names, where))
        return image_set(found, where, options)
    stated = listed_classes(listing.label_files, found.names, where)
    found.layout += [*part.notes, *(Note(note, "classes") for note in stated.notes)]
    classes = stated.classes if stated.applies else part.folder_classes(found.names)
    if classes is not None:
        found.labels = list(classes)
    return image_set(found, where, options)


def _as_stored(options: LoadOptions) -> Rendering:
    return TRANSPARENT if options.colour == "rgba" else AS_STORED


def _shrunk(picture: Picture, options: LoadOptions) -> Picture:
    height, width = picture.shape[:2]
    if options.size is None and is_kept_size(height, width):
        return picture  # the common size is known only at the end
    return squared(picture, options.size or DEFAULT_SIZE, options.fit)
