"""Pictures as the content of files: PNG, JPEG or WebP; no PyTorch here."""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from orthogan.errors import ConfigError
from orthogan.images.sheet import GRID_COMMENT, is_grid

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
JPEG_QUALITY = 95  # of 100, colours at full resolution: small images have no pixel to spare


def picture_of(image: np.ndarray) -> Image.Image:
    """An image H x W x C of bytes as a picture: grey, RGB or RGBA."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def encoded(picture: Image.Image, suffix: str) -> bytes:
    """The picture as the content of a file with this suffix.

    PNG and WebP lose nothing, not even colours under full transparency; JPEG has quality 95.

    Raises:
        ConfigError: the picture is transparent, and JPEG cannot be.
    """
    if suffix == ".png":
        return png(picture)
    content = io.BytesIO()
    exif = Image.Exif()
    if is_grid(picture):
        exif[ExifTags.Base.ImageDescription] = GRID_COMMENT
    if suffix == ".webp":
        picture.save(content, format="WEBP", lossless=True, exact=True, exif=exif)
        return content.getvalue()
    if picture.mode == "RGBA":
        raise ConfigError(f"{suffix} pictures cannot be transparent; choose .png or .webp.")
    picture.save(content, format="JPEG", quality=JPEG_QUALITY, subsampling=0, exif=exif)
    return content.getvalue()


def png(picture: Image.Image) -> bytes:
    """The picture as the content of a PNG file."""
    content = io.BytesIO()
    comments = PngInfo()
    if is_grid(picture):
        comments.add_text("Comment", GRID_COMMENT)
    picture.save(content, format="PNG", pnginfo=comments)
    return content.getvalue()
