"""Judged images as one picture, each above its probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from orthogan.images.ground import over_checkerboard
from orthogan.shapes import Pixels

COLUMNS = 8
CELL_PX, GAP_PX, FONT_PX, LINE_PX = 96, 8, 14, 20
MOST = 400  # images; a longer picture cannot be looked at
BACKGROUND, INK = (24, 24, 24), (230, 230, 230)


def judged_sheet(pixels: Pixels, probabilities: Sequence[float]) -> Image.Image:
    """A picture of the images in their order, at most the first 400.

    Args:
        pixels: At least one image.
        probabilities: Of each, in 0..1.
    """
    images = pixels[:MOST].permute(0, 2, 3, 1).numpy()
    if images.shape[-1] == 4:
        images = over_checkerboard(images)
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    across, down = CELL_PX + GAP_PX, CELL_PX + LINE_PX + GAP_PX
    canvas = Image.new("RGB", (GAP_PX + columns * across, GAP_PX + rows * down), BACKGROUND)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(FONT_PX)
    for place, (image, probability) in enumerate(zip(images, probabilities, strict=False)):
        left = GAP_PX + place % columns * across
        top = GAP_PX + place // columns * down
        canvas.paste(_cell(image), (left, top))
        text = f"{probability:.1%}"
        width = draw.textlength(text, font=font)
        at = (left + (CELL_PX - width) / 2, top + CELL_PX + 2)
        draw.text(at, text, fill=INK, font=font)
    return canvas


def _cell(image: np.ndarray) -> Image.Image:
    grey = image.shape[2] == 1
    picture = Image.fromarray(image[:, :, 0] if grey else image).convert("RGB")
    return picture.resize((CELL_PX, CELL_PX), Image.Resampling.NEAREST)
