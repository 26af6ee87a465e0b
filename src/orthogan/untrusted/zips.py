"""Zip archives whose directory and members may be damaged or made to do harm."""

from __future__ import annotations

import bz2
import copy
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

from orthogan.errors import DataError, OrthoganError

# What `zipfile` raises on damaged directories and members, as seen by fuzzing: wrong checksums and
# sizes, unknown or encrypted methods, offsets before the file, names that are no text. An OSError
# is bz2's word for a damaged stream, if it has no number.
MEMBER_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    struct.error,
)
FIRST_BYTES = 64 * 2**20  # set aside at once: nothing is moved while MNIST is read
CHUNK_BYTES = 16 * 2**20
SMALL_CHUNK_BYTES = 2**16
MAX_DICTIONARY_BYTES = 2**27  # of lzma; its strongest preset takes half


@contextmanager
def open_zip(path: Path, kind: str) -> Iterator[zipfile.ZipFile]:
    """An open zip archive.

    Args:
        path: The file.
        kind: What it should be, such as "a zip archive", for the message.

    Raises:
        DataError: not such an archive, or its directory is damaged.
    """
    with damage_told(path, kind):
        archive = zipfile.ZipFile(path)
    with archive:
        yield archive


@contextmanager
def damage_told(path: Path, kind: str) -> Iterator[None]:
    """What `zipfile` raises within the block on a damaged archive becomes one sentence.

    Raises:
        DataError: it raised something.
    """
    try:
        yield
    except OrthoganError:
        raise
    except MEMBER_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, not of the archive
        raise DataError(f"{path}: not {kind}, or a damaged one ({_why(error)}).") from None


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> BufferedIOBase:
    """A stream of the uncompressed bytes of a member, which takes memory as they are asked for.

    Raises:
        Exception: one of `MEMBER_ERRORS`, if the member is damaged.
    """
    if member.compress_type not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        return cast("BufferedIOBase", archive.open(member))
    # `zipfile` expands at least 4096 bytes at once with these, which may become gigabytes.
    return io.BufferedReader(_Expanded(archive, member), SMALL_CHUNK_BYTES)


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, num_bytes: int) -> bytearray:
    """The first bytes of a member; memory grows only as they arrive.

    Args:
        archive: An open archive.
        member: One of its members.
        num_bytes: How many are wanted; fewer come back where the member ends before.

    Raises:
        Exception: one of `MEMBER_ERRORS`, if the member is damaged.
    """
    with open_member(archive, member) as stream:
        return read_up_to(stream, min(num_bytes, member.file_size))


def read_up_to(stream: BufferedIOBase, num_bytes: int) -> bytearray:
    """So many bytes of a stream, or what it has; takes at most twice the memory of what arrives."""
    body = bytearray(min(num_bytes, FIRST_BYTES))
    filled = 0
    while filled < num_bytes:
        if filled == len(body):
            body += bytes(min(filled, num_bytes - filled))
        with memoryview(body) as whole, whole[filled : filled + CHUNK_BYTES] as part:
            count = stream.readinto(part)
        if not count:
            break
        filled += count
    del body[filled:]
    return body


class _Expanded(io.RawIOBase):
    """The bytes of a member compressed by bz2 or lzma, as many at a time as are asked for."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        stored = copy.copy(member)
        stored.compress_type, stored.file_size = zipfile.ZIP_STORED, member.compress_size
        stored.CRC = cast("int", None)  # of the expanded bytes, checked here
        self._stream = archive.open(stored)
        self._left, self._sum, self._expected = member.file_size, 0, member.CRC
        try:
            is_lzma = member.compress_type == zipfile.ZIP_LZMA
            self._expand = _lzma_of(self._stream.read(4 + 5)) if is_lzma else bz2.BZ2Decompressor()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._stream.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._left)
        part = b""
        while wanted and not part and not self._expand.eof:
            more = self._stream.read(SMALL_CHUNK_BYTES) if self._expand.needs_input else b""
            if self._expand.needs_input and not more:
                raise EOFError("the compressed bytes end early")
            part = self._expand.decompress(more, wanted)
        buffer[: len(part)] = part
        self._left -= len(part)
        self._sum = zlib.crc32(part, self._sum)
        if (self._left == 0 or self._expand.eof) and self._sum != self._expected:
            raise zipfile.BadZipFile("wrong checksum")
        return len(part)


def _lzma_of(head: bytes) -> lzma.LZMADecompressor:
    """What expands a member that begins so: version, length of the properties, properties.

    Source: PKWARE's APPNOTE.TXT, 5.8.8; the properties are those of the LZMA SDK.
    """
    _, length, packed, size = struct.unpack("<HHBI", head)
    if length != 5 or packed >= 9 * 5 * 5 or size > MAX_DICTIONARY_BYTES:
        raise lzma.LZMAError("unknown properties")
    rest, lc = divmod(packed, 9)
    pb, lp = divmod(rest, 5)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": lc, "lp": lp, "pb": pb}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def _why(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
