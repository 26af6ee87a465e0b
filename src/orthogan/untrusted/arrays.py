"""NumPy files, `.npy` and `.npz`: never unpickled, and checked before anything is allocated."""

from __future__ import annotations

import io
import math
import os
import sys
import tokenize
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from orthogan.errors import DataError
from orthogan.untrusted.zips import damage_told, open_member, open_zip, read_up_to

MAGIC = b"\x93NUMPY"
KIND = "an .npz file"
MAX_TABLE_BYTES = 64 * 2**30  # a larger promise is a mistake before it is a table
MAX_AXES = 32  # of an array, for every version of NumPy
MAX_HEADER_BYTES = 2**16  # NumPy itself refuses to parse more than 10,000
# What NumPy raises on damaged headers, as seen by fuzzing: it evaluates them as Python literals.
_HEADER_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    SyntaxError,
    RuntimeError,
    MemoryError,
    EOFError,
    tokenize.TokenError,
)
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}  # version 3.0 is for structured arrays with other names


@dataclass(frozen=True)
class ArrayHeader:
    """What the head of a `.npy` file says of its body."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]

    @property
    def num_bytes(self) -> int:
        """Bytes of the body."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_array(path: Path, max_bytes: int) -> NDArray[Any]:
    """The array in a `.npy` file, in memory.

    Raises:
        DataError: not a NumPy array, objects, more than `max_bytes` promised, or truncated.
    """
    name = str(path)
    with path.open("rb") as stream:
        header = _read_header(stream, name, max_bytes)
        _check_body(header, os.fstat(stream.fileno()).st_size - stream.tell(), name)
        body = bytearray(header.num_bytes)
        _check_body(header, stream.readinto(body), name)
    return _array(header, body)


def map_array(path: Path, max_bytes: int = MAX_TABLE_BYTES) -> NDArray[Any]:
    """The array in a `.npy` file, mapped: only the rows that are used are read.

    Raises:
        DataError: not a NumPy array, objects, more than `max_bytes` promised, or truncated.
    """
    with path.open("rb") as stream:
        header = _read_header(stream, str(path), max_bytes)
        start = stream.tell()
        _check_body(header, os.fstat(stream.fileno()).st_size - start, str(path))
    if header.num_bytes == 0:  # nothing can be mapped
        return np.empty(header.shape, header.dtype)
    order = "F" if header.is_fortran else "C"
    return np.memmap(path, header.dtype, "r", start, header.shape, cast("Any", order))


@dataclass(frozen=True)
class ArrayArchive:
    """The arrays of an open `.npz` file by name, each read when it is asked for."""

    path: Path
    _archive: zipfile.ZipFile
    _members: dict[str, zipfile.ZipInfo]

    @property
    def names(self) -> list[str]:
        """Names of the arrays, in order of the text."""
        return sorted(self._members)

    def read(self, name: str, max_bytes: int) -> NDArray[Any]:
        """The array of that name, in memory.

        Raises:
            DataError: not a NumPy array, objects, more than `max_bytes` promised, or truncated.
        """
        member, where = self._members[name], f"{self.path}[{name}]"
        with damage_told(self.path, KIND), open_member(self._archive, member) as stream:
            header = _read_header(stream, where, max_bytes)
            body = read_up_to(stream, header.num_bytes)
        _check_body(header, len(body), where)
        return _array(header, body)


@contextmanager
def open_arrays(path: Path) -> Iterator[ArrayArchive]:
    """The arrays of an `.npz` file.

    Raises:
        DataError: not such a file, or a damaged one.
    """
    with open_zip(path, KIND) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        yield ArrayArchive(path, archive, members)


def _read_header(stream: BufferedIOBase, name: str, max_bytes: int) -> ArrayHeader:
    try:
        header = _parse(stream)
    except _HEADER_ERRORS as error:
        # A TokenError holds its place besides.
        lines = str(error.args[0] if error.args else "").splitlines()
        why = lines[0] if lines else type(error).__name__
        raise DataError(f"{name}: not a NumPy array, or a damaged one ({why}).") from None
    if header.dtype.hasobject:
        raise DataError(
            f"{name}: holds Python objects, which are never unpickled; save it as numbers or text."
        )
    # NumPy takes no shape whose axes, the empty ones left out, are too many to count.
    largest = math.prod(max(axis, 1) for axis in header.shape) * header.dtype.itemsize
    if largest > max_bytes:
        raise DataError(
            f"{name}: promises {largest:,} bytes (shape {_shown(header.shape)}); the limit is "
            f"{max_bytes:,}."
        )
    return header


def _parse(stream: BufferedIOBase) -> ArrayHeader:
    start = stream.read(len(MAGIC) + 2)
    if len(start) < len(MAGIC) + 2 or not start.startswith(MAGIC):
        raise ValueError("the magic string is missing")
    version = (start[-2], start[-1])
    if version not in _LENGTH_BYTES:
        raise ValueError(f"format version {version} is for structured arrays")
    prefix = stream.read(_LENGTH_BYTES[version])
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length:,} bytes")
    head = io.BytesIO(prefix + stream.read(length))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on headers of Python 2, and on odd types
        if version == (1, 0):
            shape, is_fortran, dtype = npy_format.read_array_header_1_0(head)
        else:
            shape, is_fortran, dtype = npy_format.read_array_header_2_0(head)
    _check_form(shape, dtype)
    return ArrayHeader(tuple(shape), is_fortran, dtype)


def _check_form(shape: Sequence[Any], dtype: np.dtype[Any]) -> None:
    if any(type(axis) is not int for axis in shape):  # True counts as a number elsewhere
        raise ValueError(f"shape {_shown(shape)} is not of whole numbers")
    if any(axis < 0 for axis in shape):
        raise ValueError("a negative axis")
    if len(shape) > MAX_AXES:
        raise ValueError(f"{len(shape)} axes")
    if dtype.itemsize == 0:
        raise ValueError(f"values of type {dtype.str} take no bytes")


def _check_body(header: ArrayHeader, held: int, name: str) -> None:
    if held < header.num_bytes:
        raise DataError(
            f"{name}: truncated: the header promises {header.num_bytes:,} bytes, the body has "
            f"{max(held, 0):,}."
        )


def _array(header: ArrayHeader, body: bytearray) -> NDArray[Any]:
    order: Any = "F" if header.is_fortran else "C"
    return np.ndarray(header.shape, header.dtype, body, order=order)


def _shown(shape: Sequence[Any]) -> str:
    return " x ".join(str(axis)[:40] for axis in shape[:10]) or "()"


def text_of(array: NDArray[Any], name: str) -> list[str]:
    r"""The words in an array of text (U) or bytes (S), which are UTF-8.

    Half of a surrogate pair, which no file or terminal takes, is written out as `\udc80`.

    Raises:
        DataError: a number in the array is no character.
    """
    if array.dtype.kind == "S":
        return [bytes(word).decode("utf-8", "replace") for word in array]
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    codes = native.view(np.uint32)
    if codes.size and int(codes.max()) > sys.maxunicode:
        raise DataError(
            f"{name}: holds the number {int(codes.max()):#x}, which is no character (the last is "
            f"{sys.maxunicode:#x}); the file is damaged."
        )
    return [str(word).encode("utf-8", "backslashreplace").decode() for word in native]
