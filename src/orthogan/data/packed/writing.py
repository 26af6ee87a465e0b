"""Writes packed sets, a chunk of images after the other."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from orthogan.data.facts import Facts
from orthogan.data.image_set import ImageSet
from orthogan.data.packed.layout import (
    CHECKS,
    INDEX,
    LABELS,
    SUFFIX,
    WORD,
    Layout,
    images_per_shard,
    shard_name,
)
from orthogan.errors import ConfigError
from orthogan.files import committed_folder
from orthogan.shapes import Labels, Pixels

CHUNK = 4096  # images written at once


@dataclass
class Writer:
    """A packed set that is being written.

    Args:
        folder: Where its files go.
        size: Side of the images, px.
        colours: Their channels.
    """

    folder: Path
    size: int
    colours: int
    num_images: int = 0
    _digests: dict[str, str] = field(default_factory=dict)
    _checks: list[NDArray[np.uint32]] = field(default_factory=list)
    _shard: BinaryIO | None = None
    _digest: hashlib.blake2b = field(default_factory=hashlib.blake2b)

    def add(self, pixels: Pixels) -> None:
        """Appends images."""
        rows = pixels.contiguous().flatten(1).numpy()
        self._checks.append(np.array([zlib.crc32(row) for row in rows], np.uint32))
        per_shard = images_per_shard(rows.shape[1])
        while len(rows):
            room = per_shard - self.num_images % per_shard
            part, rows = rows[:room], rows[room:]
            if self.num_images % per_shard == 0:
                self._next(self.num_images // per_shard)
            assert self._shard is not None  # noqa: S101 - the first image opens the first shard
            self._shard.write(part.data)
            self._digest.update(part.data)
            self.num_images += len(part)

    def finish(
        self,
        labels: Labels | None,
        class_names: Sequence[str],
        notes: Iterable[str],
        facts: Facts,
    ) -> Layout:
        """Writes the labels and the index."""
        self.close()
        self._write(CHECKS, np.concatenate(self._checks))
        if labels is not None:
            self._write(LABELS, labels.numpy())
        layout = Layout(
            size=self.size,
            colours=self.colours,
            num_images=self.num_images,
            per_shard=images_per_shard(self.colours * self.size**2),
            class_names=tuple(class_names),
            digests=self._digests,
            notes=tuple(notes),
            facts=facts,
        )
        (self.folder / INDEX).write_text(json.dumps(layout.tree(), indent=1), encoding="ascii")
        return layout

    def close(self) -> None:
        """Ends the shard that is open."""
        if self._shard is not None:
            name = Path(self._shard.name).name
            self._shard.close()
            self._digests[name], self._shard = self._digest.hexdigest(), None

    def _next(self, number: int) -> None:
        self.close()
        self._digest = hashlib.blake2b(digest_size=16)
        self._shard = (self.folder / shard_name(number)).open("xb")

    def _write(self, name: str, values: NDArray[np.generic]) -> None:
        content = values.astype(WORD).tobytes()
        (self.folder / name).write_bytes(content)
        self._digests[name] = hashlib.blake2b(content, digest_size=16).hexdigest()


@contextmanager
def packing(out: Path, size: int, colours: int) -> Iterator[Writer]:
    """A writer whose set is at `out` when the block ends without an error, and nothing else.

    Raises:
        ConfigError: the name does not end in `.orthogan`, or something is there already.
        StorageError: the disk is full, or the place cannot be written.
    """
    check_place(out)
    with committed_folder(out) as folder:
        writer = Writer(folder, size, colours)
        try:
            yield writer
        finally:
            writer.close()


def check_place(out: Path) -> None:
    """Nothing, if a packed set can be written there.

    Raises:
        ConfigError: the name does not end in `.orthogan`, or something is there already.
    """
    if out.suffix != SUFFIX:
        raise ConfigError(f"The name of a packed set ends in {SUFFIX}, got '{out}'.")
    if out.exists():
        raise ConfigError(f"'{out}' exists already; remove it, or choose another name.")


def pack_images(images: ImageSet, out: Path) -> Layout:
    """Writes a set that is in memory.

    Raises:
        ConfigError: its images are drawn afresh, or there is no place of that name.
        StorageError: the disk is full, or the place cannot be written.
    """
    if images.draws_afresh:
        raise ConfigError(f"{images.name} draws each image afresh: there is no set to pack.")
    with packing(out, images.size, images.colours) as writer:
        for start in range(0, len(images), CHUNK):
            writer.add(images.images[start : start + CHUNK])
        return writer.finish(images.labels, images.class_names, images.notes, images.facts)
