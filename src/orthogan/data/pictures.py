"""One compressed picture as an array of bytes, without trusting the file."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from orthogan.data.catalogue import LARGEST_SIZE
from orthogan.data.squares import Picture

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # explicit: Pillow's other decoders stay shut
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MAX_PIXELS = 50_000_000  # a 48-megapixel photograph passes, a decompression bomb does not
MAX_FILE_BYTES = 64 * 2**20  # compressed; such a photograph takes a quarter of it
DRAFT_SIZE = 4 * LARGEST_SIZE  # a JPEG decoded at this size loses nothing at ours

# What Pillow's decoders raise on damaged files, as seen in fuzzing reports.
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class Decoded(NamedTuple):
    """A picture, its (height, width) in the file, and what was done to it in plain words."""

    picture: Picture
    shape: tuple[int, int]
    remarks: tuple[str, ...]


def decode(content: bytes) -> Decoded:
    """The picture in a PNG, JPEG, WebP, BMP or GIF file; very large JPEGs come shrunk.

    Raises:
        Exception: one of `DECODE_ERRORS`, if the file is damaged or has too many pixels.
    """
    with _quiet_pillow(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        shape = (image.height, image.width)
        remarks = []
        if getattr(image, "is_animated", False):
            remarks.append("animated, the first frame was used")
        if min(image.size) > DRAFT_SIZE:
            image.draft(None, (DRAFT_SIZE, DRAFT_SIZE))
        ImageOps.exif_transpose(image, in_place=True)
        if image.has_transparency_data:
            flat, transparent = _over_white(image)
            if transparent:
                remarks.append("transparent, laid over white")
        else:
            flat = image
        return Decoded(_as_bytes(flat), shape, tuple(remarks))


def reason(error: BaseException) -> str:
    """Why a picture could not be used, in a few words."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than {MAX_PIXELS:,} pixels"
    if isinstance(error, UnidentifiedImageError):
        return "not a readable image"
    lines = str(error).splitlines()
    return lines[0][:80] if lines else type(error).__name__


def _over_white(image: Image.Image) -> tuple[Image.Image, bool]:
    layered = image.convert("RGBA")
    lowest, _ = layered.getchannel("A").getextrema()
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB"), lowest != 255


def _as_bytes(image: Image.Image) -> Picture:
    if image.mode.startswith("I"):  # 16-bit grey: convert("L") would clip, not scale
        return (np.asarray(image).astype(np.int64) // 257).clip(0, 255).astype(np.uint8)
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on odd metadata would flood the terminal
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
