"""The class token's attention over the patches, drawn on the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from orthogan.classification.labels import LabelScheme
from orthogan.classification.passes import attention_maps, probabilities
from orthogan.errors import ConfigError
from orthogan.images.ground import over_checkerboard
from orthogan.networks.classifier import Classifier
from orthogan.shapes import Pixels

CELL_PX = 112  # four pixels a pixel of MNIST: patches are easy to tell apart
GAP_PX = 4
MARGIN_PX = 96  # left of the rows, for the answers
HEADING_PX = 20
FONT_PX = 14
WARM = (255, 96, 0)  # positive weights; scores without softmax have negative ones too
COLD = (0, 112, 255)
TINT = 0.6  # share of the colour where a weight is strongest: the strokes below still show
DIMMED = 0.7  # brightness of the image where there is no weight: colour stands out
MOST_IMAGES = 64  # a taller picture fits no screen
BACKGROUND = (24, 24, 24)
INK = (230, 230, 230)


def draw_attention(
    network: Classifier,
    pixels: Pixels,
    scheme: LabelScheme,
    names: Sequence[str] = (),
) -> Image.Image:
    """One row an image: the image, the mean over all maps, then the map of each block and head.

    Orange patches have positive weights, blue ones negative; the strongest patch of a map has the
    full colour. Left of a row stands the answer with its probability.

    Args:
        network: A classifier whose read-out attends, so one with at least one block.
        pixels: At least one image.
        scheme: What the answers are called.
        names: Shown above the answer, one an image; none if empty.

    Raises:
        ConfigError: no image, more than 64, or a network without attention.
        ShapeError: the images have another size or number of colours than the network's.

    Not covered: what the tokens already carry of each other when a later block weighs them.
    """
    if not 1 <= len(pixels) <= MOST_IMAGES:
        raise ConfigError(f"Between 1 and {MOST_IMAGES} images can be shown, got {len(pixels)}.")
    if not network.has_attention:
        raise ConfigError("A network with blocks=0 has no attention to draw.")
    maps = attention_maps(network, pixels)
    chances = probabilities(network, pixels)
    answers = scheme.decode(chances.argmax(dim=2))
    confidence = chances.amax(dim=2).prod(dim=1).tolist()
    columns = torch.cat([maps.mean(dim=(1, 2))[:, None], maps.flatten(1, 2)], dim=1)
    titles = ["image", "mean"]
    blocks, heads = range(1, maps.shape[1] + 1), range(1, maps.shape[2] + 1)
    titles += [f"block {block} head {head}" for block in blocks for head in heads]
    captions = [f"{answer}  {share:.1%}" for answer, share in zip(answers, confidence, strict=True)]
    if names:
        captions = [f"{name}\n{caption}" for name, caption in zip(names, captions, strict=True)]
    return _compose(_cells(pixels, columns), titles, captions)


def overlay(image: NDArray[np.uint8], weights: Tensor) -> NDArray[np.uint8]:
    """An RGB image, its own colours taken out, with a map of signed weights drawn over it.

    Args:
        image: Row x column x 3.
        weights: Any grid; each of its cells covers an equal share of the image.

    >>> overlay(np.zeros((1, 2, 3), np.uint8), torch.tensor([[1.0, 0.0]])).tolist()
    [[[153, 58, 0], [0, 0, 0]]]
    """
    height, width = image.shape[:2]
    rows = ((np.arange(height) + 0.5) * weights.shape[0] / height).astype(int)
    cols = ((np.arange(width) + 0.5) * weights.shape[1] / width).astype(int)
    strength = (weights / weights.abs().max().clamp_min(1e-12)).numpy()[rows][:, cols, None]
    share = np.abs(strength)
    colour = np.where(strength > 0, np.array(WARM), np.array(COLD))
    grey = image.mean(axis=2, keepdims=True)
    tinted = TINT * colour + (1 - TINT) * grey
    mixed = (1 - share) * DIMMED * grey + share * tinted
    shown: NDArray[np.uint8] = mixed.clip(0, 255).round().astype(np.uint8)
    return shown


def _compose(
    rows: list[list[Image.Image]], titles: Sequence[str], captions: Sequence[str]
) -> Image.Image:
    step = CELL_PX + GAP_PX
    size = (MARGIN_PX + step * len(titles), HEADING_PX + step * len(rows))
    canvas = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    pen.font = ImageFont.load_default(FONT_PX)
    for column, title in enumerate(titles):
        pen.text((MARGIN_PX + step * column + GAP_PX, GAP_PX), title, fill=INK)
    for number, (cells, caption) in enumerate(zip(rows, captions, strict=True)):
        top = HEADING_PX + step * number
        pen.multiline_text((GAP_PX, top + CELL_PX // 2 - FONT_PX), caption, fill=INK)
        for column, cell in enumerate(cells):
            canvas.paste(cell, (MARGIN_PX + step * column, top))
    return canvas


def _cells(pixels: Pixels, columns: Tensor) -> list[list[Image.Image]]:
    rows, images = [], pixels.permute(0, 2, 3, 1).numpy()
    if images.shape[3] == 4:
        images = over_checkerboard(images)
    for image, maps in zip(images, columns, strict=True):
        large = np.array(_enlarged(np.repeat(image, 3 // image.shape[2], axis=2)))
        rows.append([Image.fromarray(large), *(Image.fromarray(overlay(large, m)) for m in maps)])
    return rows


def _enlarged(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image).resize((CELL_PX, CELL_PX), Image.Resampling.NEAREST)
