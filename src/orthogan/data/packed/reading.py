"""Reads images of a packed set by their numbers, and checks each against its checksum.

Images are read by calls to the system, not through a map of the files into memory: a file that is
cut short while a run goes on is then an error with a name, where a map would end the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from orthogan.data.packed.layout import AGAIN, CHECKS, LABELS, WORD, Layout, shard_name
from orthogan.errors import DataError
from orthogan.shapes import Labels, Pixels

BLOCK_BYTES = 2**22  # read at once when a whole file is checked


class Reader:
    """The images of a packed set by their numbers.

    Args:
        path: The folder.
        layout: Its index.

    Raises:
        DataError: the checks of the images cannot be read.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self._checks = _words(path, CHECKS, layout)
        self._files: dict[int, int] = {}

    def pixels(self, index: Sequence[int]) -> Pixels:
        """The images of these numbers.

        Raises:
            DataError: a shard is missing or damaged; the sentence names it.
        """
        layout = self.layout
        self._announce(index)
        found = np.empty((len(index), layout.image_bytes), np.uint8)
        for row, number in zip(found, index, strict=True):
            shard, place = divmod(number, layout.per_shard)
            content = self._read(shard, place * layout.image_bytes)
            if zlib.crc32(content) != self._checks[number]:
                raise DataError(
                    f"{self.path}: image {number - shard * layout.per_shard:,} of its shard "
                    f"{shard_name(shard)} is damaged; {AGAIN}"
                )
            row[:] = np.frombuffer(content, np.uint8)
        shape = (len(index), layout.colours, layout.size, layout.size)
        return torch.from_numpy(found.reshape(shape))

    def labels(self) -> Labels | None:
        """The class of every image; None where there are none.

        Raises:
            DataError: they cannot be read, or are no classes of the set.
        """
        if not self.layout.class_names:
            return None
        labels = _words(self.path, LABELS, self.layout)
        if int(labels.max(initial=0)) >= len(self.layout.class_names):
            raise DataError(f"{self.path}: {LABELS} names classes that are not there; {AGAIN}")
        return torch.from_numpy(labels.astype(np.int64))

    def _announce(self, index: Sequence[int]) -> None:
        """Tells the system what is read next, so that a disk has all requests at once."""
        if not hasattr(os, "posix_fadvise"):
            return
        layout = self.layout
        for number in index:
            shard, place = divmod(number, layout.per_shard)
            start = place * layout.image_bytes
            with contextlib.suppress(OSError):  # reading tells what is wrong
                os.posix_fadvise(
                    self._file(shard), start, layout.image_bytes, os.POSIX_FADV_WILLNEED
                )

    def _read(self, shard: int, start: int) -> bytes:
        try:
            content = _read_at(self._file(shard), self.layout.image_bytes, start)
        except OSError as error:
            raise DataError(
                f"{self.path}: its shard {shard_name(shard)} cannot be read: {error.strerror}; "
                f"{AGAIN}"
            ) from None
        return content

    def _file(self, shard: int) -> int:
        if shard not in self._files:
            self._files[shard] = os.open(self.path / shard_name(shard), os.O_RDONLY)
        return self._files[shard]

    def __del__(self) -> None:
        for file in getattr(self, "_files", {}).values():
            os.close(file)


def _read_at(file: int, count: int, start: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file, count, start)
    os.lseek(file, start, os.SEEK_SET)  # Windows
    return os.read(file, count)


def verify(path: Path, layout: Layout, report: Callable[[int, int], None]) -> None:
    """Reads every byte of a packed set and holds each file to its checksum.

    Args:
        path: The folder.
        layout: Its index.
        report: Is told how many bytes of how many have been read.

    Raises:
        DataError: a file is missing or damaged; the sentence names the first.
    """
    done, total = 0, sum(layout.files().values())
    for name in layout.files():
        digest = hashlib.blake2b(digest_size=16)
        try:
            with (path / name).open("rb") as file:
                while block := file.read(BLOCK_BYTES):
                    digest.update(block)
                    done += len(block)
                    report(done, total)
        except OSError as error:
            raise DataError(f"{path}: its file {name} cannot be read: {error.strerror}.") from None
        if digest.hexdigest() != layout.digests[name]:
            raise DataError(
                f"{path}: its file {name} is damaged: its checksum is not the one of the index; "
                f"{AGAIN}"
            )


def _words(path: Path, name: str, layout: Layout) -> NDArray[np.uint32]:
    try:
        content = (path / name).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: its file {name} cannot be read: {error.strerror}.") from None
    if hashlib.blake2b(content, digest_size=16).hexdigest() != layout.digests[name]:
        raise DataError(f"{path}: its file {name} is damaged; {AGAIN}")
    return np.frombuffer(content, WORD)
