"""Which patch is asked for its attention."""

from __future__ import annotations

import torch

from orthogan.analysis.attention_statistics import Patches
from orthogan.analysis.look_result import CLASS_TOKEN, Query
from orthogan.analysis.patch_detail import patch_variance, variance_between
from orthogan.analysis.trained import ROLES
from orthogan.errors import ConfigError
from orthogan.shapes import Pixels


def chosen_query(
    given: Query | None, patches: Patches, pixels: Pixels | None, prefers_class: bool, what: str
) -> tuple[Query, str]:
    """The patch or class token whose attention is drawn, and why it is that one.

    Args:
        given: What was asked for; None to choose.
        patches: Of the first layer.
        pixels: The images that were seen; None where there are none.
        prefers_class: Whether the class token, if there is one, says more than a patch.
        what: Whose grid it is, for the sentence of an error.

    Raises:
        ConfigError: outside the grid, or a class token where there is none.
    """
    rows, cols = patches.grid
    if given is None:
        if prefers_class and patches.num_class:
            return CLASS_TOKEN, "Asked: the class token, which is what is read in the end."
        place = liveliest_patch(pixels, patches.grid)
        why = "where the images differ most" if pixels is not None else "the middle one"
        return place, f"Asked: the patch in row {place[0]}, column {place[1]}, {why}."
    if isinstance(given, str):
        if given != CLASS_TOKEN:
            raise ConfigError(f"A query is row,column or '{CLASS_TOKEN}', got '{given}'.")
        if not patches.num_class:
            raise ConfigError(
                f"The {what} has no class token; ask a patch of its {rows} x {cols} grid."
            )
        return CLASS_TOKEN, "Asked: the class token."
    row, col = given
    if not (0 <= row < rows and 0 <= col < cols):
        raise ConfigError(
            f"The query {row},{col} lies outside of the {what}'s {rows} x {cols} grid of patches: "
            f"rows go from 0 to {rows - 1}, columns from 0 to {cols - 1}.{_one_of_two(what)}"
        )
    return (row, col), f"Asked: the patch in row {row}, column {col}."


def liveliest_patch(pixels: Pixels | None, grid: tuple[int, int]) -> tuple[int, int]:
    """The patch in which the images differ most; of several, the one nearest to the middle.

    Measured by the variance over images, summed over the pixels and channels of a patch. Of one
    image, by the variance of its pixels within the patch.

    Args:
        pixels: Images; None for the patch in the middle.
        grid: Rows and columns of patches that share the image out equally.

    >>> images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    >>> images[0, 0, 3, 1] = 255
    >>> liveliest_patch(images, (2, 2))
    (1, 0)
    """
    rows, cols = grid
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    away = ((row - (rows - 1) / 2).square() + (col - (cols - 1) / 2).square()).flatten()
    score = torch.zeros(rows * cols, dtype=torch.float64)
    if pixels is not None:
        one = len(pixels) == 1
        score = patch_variance(pixels, grid)[0] if one else variance_between(pixels, grid)
    best = (score - 1e-9 * (score.max() + 1) * away).argmax()
    row_of, col_of = divmod(int(best), cols)
    return row_of, col_of


def _one_of_two(what: str) -> str:
    """What to do where the other network of a GAN has a finer grid."""
    if what not in ROLES:
        return ""
    return " To ask one of the two networks alone, name it with --network (network= in Python)."
