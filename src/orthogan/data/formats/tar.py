"""Tar shards of pictures, read into memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from orthogan.data.catalogue import FORMATS, LoadOptions
from orthogan.data.collection import from_tree, gather, image_set
from orthogan.data.entries import Entry, Listing
from orthogan.data.image_set import ImageSet
from orthogan.data.tar_shards import SUFFIX, samples, shards_of
from orthogan.errors import DataError

MAX_BYTES = 2 * 2**30  # of compressed pictures, which are kept until all are known


def write_example(path: Path) -> None:
    """Twenty pictures with a `.cls` each."""
    with tarfile.open(path, "w") as archive:
        for number in range(20):
            picture = io.BytesIO()
            pixels = np.random.default_rng(number).integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(picture, "PNG")
            for end, content in (("png", picture.getvalue()), ("cls", b"%d" % (number % 4))):
                member = tarfile.TarInfo(f"{number:06d}.{end}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def has_shards(files: Sequence[Path]) -> bool:
    """Whether tar shards are among the files of a folder."""
    return any(file.suffix == SUFFIX for file in files)


@FORMATS.register("tar", suffixes=(SUFFIX,), claims=has_shards, example=write_example)
def load_tar(path: Path, options: LoadOptions) -> ImageSet:
    """Tar shards in the layout of WebDataset, or a tar of folders of pictures.

    Raises:
        DataError: a shard is missing or damaged, there are no images, or more than fit in memory.
    """
    entries: list[Entry] = []
    held = 0
    for entry in samples(shards_of(path)):
        held += len(entry.read())
        if held > MAX_BYTES:
            raise DataError(
                f"{path}: holds more than {MAX_BYTES:,} bytes of pictures; pack it, and train on "
                "what that writes: orthogan pack."
            )
        entries.append(entry)
    if any(entry.label is not None for entry in entries):
        return image_set(gather(entries, options), str(path), options)
    return from_tree(Listing(pictures=entries), str(path), options)
