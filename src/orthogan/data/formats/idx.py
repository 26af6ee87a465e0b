"""IDX files, the format of MNIST: raw, gzip or xz."""

from __future__ import annotations

import gzip
import lzma
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import FORMATS, MAX_BYTES, LoadOptions
from orthogan.data.facts import Note
from orthogan.data.formats.arrays import channels_last
from orthogan.data.image_set import ImageSet
from orthogan.data.labels import classes
from orthogan.errors import DataError
from orthogan.untrusted import read_up_to

COMPRESSIONS = ("", ".gz", ".xz")
# (file of images, file of labels), as the common distributions name them
SIBLINGS = (("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1"))


def read_idx(stream: BufferedIOBase, name: str, num_axes: int) -> NDArray[np.uint8]:
    """The array of bytes in an IDX stream.

    Args:
        stream: An open stream at its start.
        name: What to call it in messages.
        num_axes: 3 for images, 1 for labels.

    Raises:
        DataError: wrong magic number, too large, or a body shorter or longer than promised.

    Source: the format's description in http://yann.lecun.com/exdb/mnist/.
    """
    magic = stream.read(4)
    if magic != bytes((0, 0, 8, num_axes)):
        raise DataError(
            f"{name}: an IDX file of {num_axes} axes starts with the bytes 00 00 08 0{num_axes}, "
            f"got {magic.hex(' ') or 'nothing'}; readable are folders, .zip, "
            ".npz, .npy, .csv, .parquet, IDX and CIFAR files."
        )
    header = stream.read(4 * num_axes)
    if len(header) < 4 * num_axes:
        raise DataError(f"{name}: the file ends within its header; download it again.")
    shape = struct.unpack(f">{num_axes}I", header)
    promised = math.prod(shape)
    if promised > MAX_BYTES:
        raise DataError(f"{name}: promises {promised:,} bytes; the limit is {MAX_BYTES:,}.")
    body = read_up_to(stream, promised)
    if len(body) != promised or stream.read(1):
        found = "more" if len(body) == promised else f"{len(body):,}"
        raise DataError(
            f"{name}: the header promises {promised:,} bytes ({' x '.join(map(str, shape))}), "
            f"the body has {found}; download it again."
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def open_compressed(path: Path) -> BufferedIOBase:
    """A stream of the uncompressed bytes of a file, by its suffix (.gz, .xz, other: raw)."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return gzip.open(path, "rb")
    return lzma.open(path, "rb") if suffix == ".xz" else path.open("rb")


@FORMATS.register("idx", suffixes=("",))  # by its first bytes: published names vary
def load_idx(path: Path, options: LoadOptions) -> ImageSet:
    """The images of an IDX file, with the labels of the IDX file beside it if there is one."""
    array = channels_last(_read_file(path, 3), str(path))
    images, notes = assemble(array, options)
    labels_path = sibling_labels(path)
    if labels_path is None:
        return ImageSet(
            images, name=path.name, notes=(*notes, Note("No labels file beside it.", "classes"))
        )
    labels, names = classes(_read_file(labels_path, 1), len(images), str(labels_path))
    return ImageSet(images, labels, names, path.name, tuple(notes))


def sibling_labels(path: Path) -> Path | None:
    """The labels file beside a file of images, in any compression, or None."""
    for images_part, labels_part in SIBLINGS:
        if images_part not in path.name:
            continue
        plain = path.name.replace(images_part, labels_part)
        plain = plain.removesuffix(".gz").removesuffix(".xz")
        for suffix in COMPRESSIONS:
            candidate = path.with_name(plain + suffix)
            if candidate.is_file():
                return candidate
    return None


def _read_file(path: Path, num_axes: int) -> NDArray[np.uint8]:
    try:
        with open_compressed(path) as stream:
            return read_idx(stream, str(path), num_axes)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: the compressed file is damaged or truncated ({error}); download it again."
        ) from None
