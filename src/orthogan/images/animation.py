"""Frames as one moving picture: GIF or WebP."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from orthogan.errors import ConfigError

SUFFIXES = (".gif", ".webp")
FRAME_MS = 80
MOST_FRAMES = 2000


def animation(frames: Sequence[Image.Image], suffix: str) -> bytes:
    """The content of a file that shows the frames one after another, over and over.

    WebP loses nothing; a GIF has 256 colours, each frame its own.

    Args:
        frames: At least one, of one size.
        suffix: `.gif` or `.webp`.

    Raises:
        ConfigError: more than 2,000 frames.
    """
    if len(frames) > MOST_FRAMES:
        raise ConfigError(
            f"An animation has at most {MOST_FRAMES:,} frames, this one would have "
            f"{len(frames):,}; ask for fewer steps or seeds."
        )
    content = io.BytesIO()
    first, *others = frames
    if suffix == ".gif":
        first.save(content, format="GIF", save_all=True, append_images=others, loop=0,
                   duration=FRAME_MS)  # fmt: skip
    else:
        first.save(content, format="WEBP", save_all=True, append_images=others, loop=0,
                   duration=FRAME_MS, lossless=True)  # fmt: skip
    return content.getvalue()
