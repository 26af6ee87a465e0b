"""Packs tar shards that are larger than memory: a chunk of pictures is in memory at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import torch

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import LoadOptions, colour_of
from orthogan.data.collection import NUM_LISTED, gather
from orthogan.data.entries import Entry, shown
from orthogan.data.facts import Facts, Note
from orthogan.data.labels import named_classes
from orthogan.data.packed.layout import Layout
from orthogan.data.packed.writing import CHUNK, Writer, check_place, packing
from orthogan.data.tar_shards import samples, shards_of
from orthogan.errors import DataError


@dataclass
class _Told:
    """What is to be said of the pictures, as they go by."""

    labels: list[str | None] = field(default_factory=list)
    shapes: Counter[tuple[int, int]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)

    def all_notes(self) -> list[str]:
        """The notes, and how many files were skipped, the first of them by name."""
        notes: list[str] = list(self.notes)
        if count := self.skipped.total():
            listed = ", ".join(self.named)
            notes.append(Note(f"Skipped {count:,} files, such as {listed}.", "skipped"))
        return notes


def pack_shards(
    source: str | Path, out: Path, options: LoadOptions, report: Callable[[int], None]
) -> Layout:
    """Writes the pictures of tar shards as a packed set.

    The first pictures decide the size and the colours that are not asked for.

    Args:
        source: A file, a folder of files, or a pattern with braces.
        out: The packed set.
        options: The form that is asked for.
        report: Is told how many images have been packed.

    Raises:
        ConfigError: there is no place of that name.
        DataError: a shard is missing or damaged, or there are no usable images.
        StorageError: the disk is full, or the place cannot be written.
    """
    check_place(out)
    options.only_split(str(source))
    options.only_own_labels(str(source))
    entries = samples(shards_of(source))
    first = list(islice(entries, CHUNK))
    probe = gather(first, options)
    if not probe.pictures:
        raise DataError(f"{source}: its first {len(first):,} files hold no usable images.")
    images, _ = assemble(probe.pictures, options, set(probe.shapes))
    form = replace(options, size=images.shape[-1], colour=colour_of(images.shape[1]))
    told = _Told()
    with packing(out, images.shape[-1], images.shape[1]) as writer:
        for chunk in chain([first], _chunks(entries)):
            _add(writer, told, chunk, form)
            report(writer.num_images)
        return _finish(writer, told)


def _add(writer: Writer, told: _Told, chunk: Iterable[Entry], form: LoadOptions) -> None:
    found = gather(chunk, form)
    told.labels += found.labels
    told.shapes.update(found.shapes)
    told.kinds.update(found.kinds)
    told.skipped.update(reason for _, reason in found.skipped)
    room = NUM_LISTED - len(told.named)
    told.named += [f"{shown(name)} ({why})" for name, why in found.skipped[:room]]
    if found.pictures:
        pixels, notes = assemble(found.pictures, form, set(found.shapes))
        writer.add(pixels)
        told.notes |= dict.fromkeys(notes)


def _finish(writer: Writer, told: _Told) -> Layout:
    notes = told.all_notes()
    facts = Facts(dict(told.shapes), dict(told.kinds), dict(told.skipped))
    labels = [label for label in told.labels if label is not None]
    if len(labels) < len(told.labels):
        if labels:
            missing = len(told.labels) - len(labels)
            notes.append(Note(f"{missing:,} images have no class, so none has one.", "classes"))
        return writer.finish(None, (), notes, facts)
    index, class_names = named_classes(labels)
    return writer.finish(index.to(torch.int64), class_names, notes, facts)


def _chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while chunk := list(islice(entries, CHUNK)):
        yield chunk
