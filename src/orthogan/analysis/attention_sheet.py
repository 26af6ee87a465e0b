"""Attention maps as pictures: of single images, of the mean over many, and of every query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from orthogan.analysis.attention_statistics import Patches
from orthogan.analysis.look_result import CLASS_TOKEN, LayerLook, Look, NetworkLook, Query
from orthogan.attention import offset_kernel
from orthogan.images.ground import over_checkerboard
from orthogan.images.labelled_sheet import (
    BACKGROUND,
    CELL_PX,
    INK,
    enlarged,
    labelled_sheet,
)
from orthogan.images.overlay import COLD, WARM, framed, overlay
from orthogan.shapes import Pixels
from orthogan.terminal import printable

MARGIN_PX = 132  # left of the rows
MOST_LETTERS = 18  # of a caption, so that it stays in the margin
TITLE_PX, TITLE_FONT_PX, NOTE_FONT_PX = 28, 16, 12
FULL = 4  # a scale that trained and untrained maps share; even attention has a quarter of it
ROUNDING = 1e-3  # rows of a distribution sum to one within this
BLANK = 40  # grey of the ground where there is no image


@dataclass(frozen=True)
class Cell:
    """One picture of a row, and the same in words."""

    picture: Image.Image
    says: str
    note: str = ""


@dataclass(frozen=True)
class MapRow:
    """Pictures of one image, or of one mean, with a caption."""

    caption: str
    cells: tuple[Cell, ...]


def column_titles(layer: LayerLook) -> list[str]:
    """The heads of a layer, behind the image itself; their mean where there are several."""
    count = len(layer.heads)
    heads = [f"head {number + 1}" for number in range(count)]
    return ["image", *heads, *(["all heads"] if count > 1 else [])]


def map_rows(look: NetworkLook, number: int) -> list[MapRow]:
    """The rows that show one layer: single images, the mean, every query, each offset.

    Args:
        look: What was looked at.
        number: Which of its layers.
    """
    layer = look.layers[number]
    shown = _with_mean(layer.shown)
    rows = []
    for index, maps in enumerate(shown):
        image = _ground(look.images, index)
        caption = look.captions[index] if index < len(look.captions) else f"input {index + 1}"
        rows.append(_query_row(caption, image, maps, layer.patches, look.query))
    rows += _common_rows(look, layer, look.mean_image, "")
    if look.untrained:
        rows += _common_rows(look, look.untrained[number], look.untrained_image, "untrained: ")
    return rows


def sheet_of(looks: Sequence[Look]) -> Image.Image:
    """All layers of all networks, one below the other.

    Args:
        looks: At least one, of networks with attention.
    """
    parts = []
    for look in looks:
        for network in look.networks:
            for number, layer in enumerate(network.layers):
                rows = map_rows(network, number)
                cells = [[_noted(cell) for cell in row.cells] for row in rows]
                captions = [_wrapped(row.caption) for row in rows]
                body = labelled_sheet(cells, column_titles(layer), captions, MARGIN_PX)
                where = f"{printable(look.source)}: " if len(looks) > 1 else ""
                parts.append(_titled(body, f"{where}{network.role}, {layer.name}"))
    canvas = Image.new(
        "RGB", (max(part.width for part in parts), sum(part.height for part in parts)), BACKGROUND
    )
    top = 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height
    return canvas


def _common_rows(
    look: NetworkLook, layer: LayerLook, image: Pixels | None, before: str
) -> list[MapRow]:
    """The mean over all images for the query, for every query, and by offset."""
    maps = _with_mean(layer.mean[None])[0]
    mean = _query_row(
        f"{before}mean of {look.num_images:,}", _ground(image, 0), maps, layer.patches, look.query
    )
    first = layer.patches.num_class
    between = maps[:, first:, first:].numpy()
    nothing = Cell(Image.new("RGB", (CELL_PX, CELL_PX), BACKGROUND), "")
    every = tuple(
        Cell(_fitted(_atlas(each, layer.patches.grid)), "the mean map of every patch, at its place")
        for each in between
    )
    kernels = tuple(
        Cell(_kernel_picture(each, layer.patches.grid), "mean weight by offset from the patch")
        for each in between
    )
    return [
        mean,
        MapRow(f"{before}every patch", (nothing, *every)),
        MapRow(f"{before}by offset", (nothing, *kernels)),
    ]


def _query_row(
    caption: str, image: NDArray[np.uint8], maps: Tensor, patches: Patches, query: Query
) -> MapRow:
    token = token_of(query, patches)
    marked = token >= patches.num_class
    place = divmod(token - patches.num_class, patches.grid[1]) if marked else None
    cells = [Cell(Image.fromarray(_marked(image, patches.grid, place)), _says_query(place))]
    adds_up = bool((maps.sum(-1) - 1).abs().max() < ROUNDING)
    for each in maps[:, token, patches.num_class :].numpy():
        weights = each.reshape(patches.grid)
        drawn = _marked(overlay(image, weights), patches.grid, place)
        row, col = divmod(int(np.abs(weights).argmax()), patches.grid[1])
        top = float(weights[row, col])
        says = f"strongest weight {top:.3f}, on row {row}, column {col}"
        cells.append(Cell(Image.fromarray(drawn), says, _weight(top) if adds_up else f"{top:.2g}"))
    return MapRow(caption, tuple(cells))


def token_of(query: Query, patches: Patches) -> int:
    """The token that a query stands for; in a layer with another grid, the place in proportion."""
    if query == CLASS_TOKEN or isinstance(query, str):
        return 0
    rows, cols = patches.grid
    return patches.num_class + min(query[0], rows - 1) * cols + min(query[1], cols - 1)


def _with_mean(maps: Tensor) -> Tensor:
    """Maps `B N T S` with their mean over the heads behind them."""
    return torch.cat([maps, maps.mean(1, keepdim=True)], 1) if maps.shape[1] > 1 else maps


def _ground(images: Pixels | None, index: int) -> NDArray[np.uint8]:
    if images is None or index >= len(images):
        return np.asarray(_blank())
    return rgb(images[index])


def rgb(image: Tensor) -> NDArray[np.uint8]:
    """One image `C H W` of bytes as an RGB cell of a sheet."""
    pixels = image.permute(1, 2, 0).numpy()
    if pixels.shape[2] == 4:
        pixels = over_checkerboard(pixels[None])[0]
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return np.asarray(enlarged(Image.fromarray(pixels)))


def _blank() -> Image.Image:
    return Image.new("RGB", (CELL_PX, CELL_PX), (BLANK, BLANK, BLANK))


def _marked(
    image: NDArray[np.uint8], grid: tuple[int, int], place: tuple[int, int] | None
) -> NDArray[np.uint8]:
    return image if place is None else framed(image, grid, place)


def _says_query(place: tuple[int, int] | None) -> str:
    if place is None:
        return "the image; the class token asks"
    return f"the image; the patch in row {place[0]}, column {place[1]} asks"


def _weight(value: float) -> str:
    """A weight in per cent, with two digits.

    >>> _weight(0.3149), _weight(0.0625), _weight(-0.004)
    ('31%', '6.2%', '-0.40%')
    """
    size = abs(100 * value)
    digits = 0 if size >= 10 else 1 if size >= 1 else 2
    return f"{100 * value:.{digits}f}%"


def _atlas(weights: NDArray[np.floating], grid: tuple[int, int]) -> NDArray[np.uint8]:
    """The map of every query at the place of the query, one pixel a patch, a line between."""
    rows, cols = grid
    if rows == 1:  # tokens of a text: the map as it is, a row a query
        return _coloured(weights)
    canvas = np.full((rows * (rows + 1) - 1, cols * (cols + 1) - 1, 3), 64, np.uint8)
    coloured = _coloured(weights).reshape(rows * cols, rows, cols, 3)
    for query, each in enumerate(coloured):
        row, col = divmod(query, cols)
        top, left = row * (rows + 1), col * (cols + 1)
        canvas[top : top + rows, left : left + cols] = each
    return canvas


def _kernel_picture(weights: NDArray[np.floating], grid: tuple[int, int]) -> Image.Image:
    kernel = offset_kernel(torch.from_numpy(weights), grid).kernel.numpy()
    large = _enlarged(_coloured(kernel))
    middle = (grid[0] - 1, grid[1] - 1)
    return _fitted(framed(large, (kernel.shape[0], kernel.shape[1]), middle))


def _coloured(weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    """From black to the colour of the sign, in full from `FULL` times the mean weight on."""
    sizes = np.abs(weights)
    strength = (weights / max(FULL * float(sizes.mean()), 1e-12)).clip(-1, 1)
    colour = np.where(strength[..., None] > 0, np.array(WARM), np.array(COLD))
    shown: NDArray[np.uint8] = (np.abs(strength)[..., None] * colour).round().astype(np.uint8)
    return shown


def _fitted(pixels: NDArray[np.uint8]) -> Image.Image:
    """A picture in the middle of a cell: enlarged with square pixels, or reduced to their means."""
    large = Image.fromarray(_enlarged(pixels))
    if max(large.size) > CELL_PX:
        return large.resize((CELL_PX, CELL_PX), Image.Resampling.BOX)
    cell = Image.new("RGB", (CELL_PX, CELL_PX), BACKGROUND)
    cell.paste(large, ((CELL_PX - large.width) // 2, (CELL_PX - large.height) // 2))
    return cell


def _enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each pixel as a square, as large as a cell has room for; of a single row, as a column."""
    height, width = pixels.shape[:2]
    factor = max(1, CELL_PX // max(height, width))
    down = factor * width if height == 1 else factor
    return pixels.repeat(down, axis=0).repeat(factor, axis=1)


def _noted(cell: Cell) -> Image.Image:
    if not cell.note:
        return cell.picture
    picture = cell.picture.copy()
    pen = ImageDraw.Draw(picture)
    pen.font = ImageFont.load_default(NOTE_FONT_PX)
    pen.text((3, CELL_PX - NOTE_FONT_PX - 4), cell.note, fill=INK, stroke_width=2, stroke_fill=0)
    return picture


def _titled(body: Image.Image, title: str) -> Image.Image:
    whole = Image.new("RGB", (body.width, body.height + TITLE_PX), BACKGROUND)
    pen = ImageDraw.Draw(whole)
    pen.font = ImageFont.load_default(TITLE_FONT_PX)
    pen.text((4, 6), title, fill=INK)
    whole.paste(body, (0, TITLE_PX))
    return whole


def _wrapped(caption: str) -> str:
    """A caption of at most three lines that fit the margin."""
    lines = [""]
    for word in printable(caption).split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > MOST_LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(line[:MOST_LETTERS] for line in lines[:3])
