"""Pictures inside of a page, small enough for it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from orthogan.data.pictures import DECODE_ERRORS, MAX_PIXELS
from orthogan.errors import DataError
from orthogan.images.sheet import LARGEST_SCALE
from orthogan.report.markup import Html, element

QUALITY = 82  # of lossy WebP, of 100: seams of 64 small images stay sharp
LEAST_SIDE = 128  # px; a grid that is smaller shows nothing


def opened(path: Path) -> Image.Image:
    """A PNG file of a run folder, at one pixel a pixel if it was drawn enlarged.

    Raises:
        DataError: it is damaged, or too large to be one.
    """
    try:
        with Image.open(path, formats=("PNG",)) as file:
            if file.width * file.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            picture = file.convert("L" if file.mode == "L" else "RGB")
    except DECODE_ERRORS:
        raise DataError(f"{path}: cannot be shown, since it is damaged or not a PNG.") from None
    return _native(picture)


def picture_of_file(content: bytes, kind: str, alt: str, size: tuple[int, int]) -> Html:
    """The content of an image file as an element of the page.

    Args:
        content: The file.
        kind: `webp` or `png`.
        alt: Read aloud in its place.
        size: Width and height in pixels, so that the page does not jump.
    """
    data = base64.b64encode(content).decode()
    return element(
        "img", src=f"data:image/{kind};base64,{data}", alt=alt, width=size[0], height=size[1]
    )


def embedded(picture: Image.Image, alt: str, most_bytes: int | None = None) -> Html:
    """A picture as an element: without loss if it fits, else lossy, else smaller as well.

    Args:
        picture: Grey or RGB.
        alt: Read aloud in its place.
        most_bytes: Room for it; None: without loss, however large.
    """
    size, content = picture.size, _webp(picture, lossless=True)
    while most_bytes is not None and len(content) > most_bytes:
        content = _webp(picture, lossless=False)
        if len(content) <= most_bytes or min(picture.size) < 2 * LEAST_SIDE:
            break
        picture = picture.reduce(2)
    return picture_of_file(content, "webp", alt, size)


def _webp(picture: Image.Image, *, lossless: bool) -> bytes:
    content = io.BytesIO()
    picture.save(content, format="WEBP", lossless=lossless, quality=QUALITY, method=4)
    return content.getvalue()


def _native(picture: Image.Image) -> Image.Image:
    """The picture before each of its pixels was drawn as a square of several."""
    pixels = np.asarray(picture)
    for factor in range(LARGEST_SCALE, 1, -1):
        if picture.width % factor or picture.height % factor:
            continue
        small = pixels[::factor, ::factor]
        if np.array_equal(small.repeat(factor, axis=0).repeat(factor, axis=1), pixels):
            return Image.fromarray(np.ascontiguousarray(small))
    return picture
