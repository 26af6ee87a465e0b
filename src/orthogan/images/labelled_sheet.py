"""Equal pictures in rows and columns that have names; no PyTorch here."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

CELL_PX = 112  # four pixels a pixel of MNIST: patches are easy to tell apart
GAP_PX = 4
MARGIN_PX = 96  # left of the rows, for their names
HEADING_PX = 20
FONT_PX = 14
BACKGROUND = (24, 24, 24)
INK = (230, 230, 230)


def labelled_sheet(
    rows: Sequence[Sequence[Image.Image]],
    titles: Sequence[str],
    captions: Sequence[str],
    margin: int = MARGIN_PX,
) -> Image.Image:
    """Pictures of `CELL_PX` a side under the titles of their columns, beside those of their rows.

    Args:
        rows: As many pictures in each as there are titles, or fewer.
        titles: One a column.
        captions: One a row; may have several lines.
        margin: Left of the rows, px.

    >>> cell = Image.new("RGB", (CELL_PX, CELL_PX))
    >>> labelled_sheet([[cell, cell]], ["one", "two"], ["row"]).size
    (328, 136)
    """
    step = CELL_PX + GAP_PX
    size = (margin + step * len(titles), HEADING_PX + step * len(rows))
    canvas = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    pen.font = ImageFont.load_default(FONT_PX)
    for column, title in enumerate(titles):
        pen.text((margin + step * column + GAP_PX, GAP_PX), title, fill=INK)
    for number, (cells, caption) in enumerate(zip(rows, captions, strict=True)):
        top = HEADING_PX + step * number
        pen.multiline_text((GAP_PX, top + CELL_PX // 2 - FONT_PX), caption, fill=INK)
        for column, cell in enumerate(cells):
            canvas.paste(cell, (margin + step * column, top))
    return canvas


def enlarged(picture: Image.Image) -> Image.Image:
    """The picture as a cell of a sheet, its pixels kept square."""
    return picture.resize((CELL_PX, CELL_PX), Image.Resampling.NEAREST)
