"""One compressed picture as an array of bytes, without trusting the file."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from orthogan.data.catalogue import LARGEST_KEPT
from orthogan.data.rendering import AS_STORED, FULL, Rendering, Traits, contrasts_of
from orthogan.data.squares import Picture
from orthogan.data.tiff import check_tiff, of_floats, quiet_tiff
from orthogan.images.sheet import is_grid

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # Pillow's other decoders stay shut
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# Pictures too, but their decoders stay shut: they are named, not passed over in silence.
OTHER_SUFFIXES = (".heic", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".ppm", ".pgm")
MAX_PIXELS = 50_000_000  # a 48-megapixel photograph passes, a decompression bomb does not
MAX_FILE_BYTES = 64 * 2**20  # compressed; such a photograph takes a quarter of it
DRAFT_FACTOR = 4  # a JPEG decoded at so many times our size loses nothing

PNG = b"\x89PNG\r\n\x1a\n"  # how such a file begins

# What Pillow's decoders raise on damaged files, as seen in fuzzing reports.
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    AssertionError,
    AttributeError,
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
    """A picture, its (height, width) in the file, what was done to it, and what it leaves open.

    `kind` is its depth and its channels in the file, in words.
    """

    picture: Picture
    shape: tuple[int, int]
    remarks: tuple[str, ...]
    traits: Traits | None = None
    kind: str = ""


def decode(content: bytes, rendering: Rendering = AS_STORED, size: int | None = None) -> Decoded:
    """The picture in a PNG, JPEG, WebP, BMP, GIF or TIFF file; very large JPEGs come shrunk.

    Args:
        content: The file.
        rendering: What lies under transparent pixels, and which 16-bit value is white.
        size: Side in pixels that is asked for, if one is.

    Raises:
        Exception: one of `DECODE_ERRORS`, if the file is damaged or has too many pixels.
    """
    with (
        quiet_tiff(content),
        _quiet_pillow(),
        Image.open(io.BytesIO(content), formats=FORMATS) as image,
    ):
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if is_grid(image):
            raise ValueError("a grid of images that orthogan drew")
        shape = (image.height, image.width)
        remarks = []
        if image.format == "TIFF":
            remarks += check_tiff(image)
        elif getattr(image, "is_animated", False):
            remarks.append("animated, the first frame was used")
        enough = DRAFT_FACTOR * max(size or 0, LARGEST_KEPT)
        if min(image.size) > enough:
            image.draft(None, (enough, enough))
        deep = _is_deep(image)
        kind = _kind(image, deep)
        ImageOps.exif_transpose(image, in_place=True)
        flat: Image.Image = of_floats(image) if image.mode == "F" else image
        traits: Traits | None = None
        if deep:
            flat, traits = _eight_bits(image, content, rendering.white)
        if flat.has_transparency_data and rendering.ground is None:
            return Decoded(np.asarray(flat.convert("RGBA")), shape, tuple(remarks), traits, kind)
        if flat.has_transparency_data and rendering.ground is not None:
            flat, contrasts = _laid_over(flat, rendering.ground)
            if contrasts:
                traits = replace(traits or Traits(), contrasts=contrasts)
        return Decoded(_as_bytes(flat), shape, tuple(remarks), traits, kind)


def reason(error: BaseException) -> str:
    """Why a picture could not be used, in a few words."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than {MAX_PIXELS:,} pixels"
    if isinstance(error, UnidentifiedImageError):
        return "not a readable image"
    lines = str(error).splitlines()
    return lines[0][:80] if lines else type(error).__name__


def _is_deep(image: Image.Image) -> bool:
    """Whether a picture that is not yet read has 16 bits a channel."""
    return image.mode[0] == "I" or (image.format == "PNG" and "16B" in _raw_mode(image))


def _kind(image: Image.Image, deep: bool) -> str:
    """The depth and the channels of a picture that is not yet read.

    >>> _kind(Image.new("RGBA", (1, 1)), deep=False), _kind(Image.new("1", (1, 1)), deep=False)
    ('8-bit RGB with alpha', '1-bit gray')
    """
    depths = {"1": "1-bit", "F": "float", "I": "32-bit"}
    depth = "16-bit" if deep and image.mode != "I" else depths.get(image.mode, "8-bit")
    is_gray = image.mode[0] in "1LIF" and image.mode != "LAB"
    channels = {"P": "palette", "PA": "palette", "CMYK": "CMYK"}.get(image.mode)
    alpha = " with alpha" if image.has_transparency_data else ""
    return f"{depth} {channels or ('gray' if is_gray else 'RGB')}{alpha}"


def _raw_mode(image: Image.Image) -> str:
    tiles: Any = getattr(image, "tile", None)
    return str(tiles[0].args) if tiles else ""


def _eight_bits(image: Image.Image, content: bytes, white: int) -> tuple[Image.Image, Traits]:
    """A 16-bit picture with `white` as the brightest value, and how many bits it uses."""
    bits = _significant_bits(content)
    if image.mode.startswith("I"):  # convert("L") would clip, not scale
        values = np.asarray(image).astype(np.int64)
        if values.max() > FULL:
            raise ValueError(f"values above {FULL:,}, which is white in 16 bits")
        grey = Image.fromarray(_scaled(values, white))
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
        return grey, Traits(peak=max(int(values.max()), 0), bits=bits)
    # Of 16-bit colours Pillow keeps the upper bytes.
    colours = np.asarray(image)[..., :3].astype(np.int64)
    traits = Traits(peak=int(colours.max()) * 256 + 255, bits=bits)
    if white == FULL:
        return image, traits
    scaled = Image.fromarray(_scaled(colours * 256 + _lower_bytes(content), white))
    if image.mode == "RGBA":
        scaled.putalpha(image.getchannel("A"))
    return scaled, traits


def _scaled(values: NDArray[np.int64], white: int) -> Picture:
    return (values * 255 // white).clip(0, 255).astype(np.uint8)


def _lower_bytes(content: bytes) -> NDArray[np.int64] | int:
    """The lower bytes of 16-bit colours: Pillow takes them for the upper ones of the other order.

    0 for grey with transparency, which it reads in one order only.
    """
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        raw = _raw_mode(image)
        if not raw.startswith("RGB"):
            return 0
        tiles: Any = image
        tiles.tile = [tile._replace(args=raw.replace("16B", "16L")) for tile in tiles.tile]
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(image)[..., :3].astype(np.int64)


def _significant_bits(content: bytes) -> int | None:
    """The most significant bits of a channel that a PNG file states (chunk `sBIT`), or None."""
    place = 8 if content.startswith(PNG) else len(content)
    while (kind := content[place + 4 : place + 8]) not in (b"", b"IDAT", b"IEND"):
        length = int.from_bytes(content[place : place + 4], "big")
        if kind == b"sBIT":
            stated = content[place + 8 : place + 8 + length]
            return max(stated) if stated and 1 <= max(stated) <= 16 else None
        place += length + 12
    return None


def _laid_over(image: Image.Image, ground: int) -> tuple[Image.Image, tuple[float, ...]]:
    """A picture without transparency, and the contrast it has on each ground; none if opaque."""
    layered = image.convert("RGBA")
    lowest, _ = layered.getchannel("A").getextrema()
    base = Image.new("RGBA", layered.size, (ground, ground, ground, 255))
    flat = Image.alpha_composite(base, layered).convert("RGB")
    return flat, () if lowest == 255 else contrasts_of(layered)


def _as_bytes(image: Image.Image) -> Picture:
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on odd metadata would flood the terminal
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
