"""Which rows of a model of images stand for its patches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from orthogan.embeddings import read_tables
from orthogan.errors import DataError

WIDTH, SIDE = 4, 3
SOURCE = torch.Generator().manual_seed(0)
KERNEL = torch.randn(WIDTH, 3, 2, 2, generator=SOURCE)


def saved(path: Path, num_rows: int, **tokens: tuple[int, ...]) -> Path:
    """A model with so many positions, and tokens of these names and shapes."""
    tensors = {name.replace("__", "."): torch.zeros(shape) for name, shape in tokens.items()}
    places = torch.arange(num_rows * WIDTH).float().view(1, num_rows, WIDTH)
    save_file(tensors | {"pos_embed": places, "patch_embed.proj.weight": KERNEL}, path)
    return path


@pytest.mark.parametrize(
    ("extra", "tokens"),
    [
        (0, {}),
        (0, {"reg_token": (1, 4, WIDTH)}),  # the registers are given no code, as in DINOv2
        (1, {"cls_token": (1, 1, WIDTH)}),
        (1, {"reg_token": (1, 1, WIDTH)}),
        (2, {"cls_token": (1, 1, WIDTH), "dist_token": (1, 1, WIDTH)}),
        (5, {"embeddings__cls_token": (1, 1, WIDTH), "register_tokens": (1, 4, WIDTH)}),
        (1, {"vision__class_embedding": (WIDTH,)}),
    ],
)
def test_rows_of_other_tokens_are_no_patches(
    tmp_path: Path, extra: int, tokens: dict[str, tuple[int, ...]]
) -> None:
    tables = read_tables(saved(tmp_path / "a.safetensors", SIDE * SIDE + extra, **tokens))
    assert tables.grid == (SIDE, SIDE)
    assert tables.num_prefix == extra


def test_a_grid_of_positions_is_read_by_rows(tmp_path: Path) -> None:
    places = torch.randn(1, SIDE, SIDE + 1, WIDTH, generator=SOURCE)
    path = tmp_path / "model.safetensors"
    save_file({"pos_embed": places, "patch_embed.proj.weight": KERNEL}, path)
    (tmp_path / "config.json").write_text('{"image_size": [6, 8], "patch_size": 2}')
    tables = read_tables(tmp_path)
    assert tables.grid == (SIDE, SIDE + 1)
    assert tables.positions is not None
    assert torch.equal(tables.positions, places.reshape(-1, WIDTH))


def test_a_grid_whose_width_comes_first_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(
        {"pos_embed": torch.zeros(1, WIDTH, SIDE, SIDE), "patch_embed.proj.weight": KERNEL}, path
    )
    tables = read_tables(path)
    assert tables.positions is None
    assert any("has width 3, the tokens 4" in note for note in tables.notes)


@pytest.mark.parametrize("tokens", [{}, {"cls_token": (1, 1, WIDTH)}])
def test_rows_that_nothing_explains_leave_the_grid_unknown(
    tmp_path: Path, tokens: dict[str, tuple[int, ...]]
) -> None:
    tables = read_tables(saved(tmp_path / "a.safetensors", SIDE * SIDE + 2, **tokens))
    assert tables.grid is None
    assert any("grid of the positions is not known" in note for note in tables.notes)


@pytest.mark.parametrize(
    ("tensor", "codes"),
    [("blocks.0.attn.relative_position_bias_table", "none"), ("blocks.0.attn.q", "unknown")],
)
def test_a_model_of_images_is_lent_no_codes(tmp_path: Path, tensor: str, codes: str) -> None:
    save_file(
        {tensor: torch.zeros(2), "patch_embed.proj.weight": KERNEL}, tmp_path / "a.safetensors"
    )
    assert read_tables(tmp_path / "a.safetensors").codes == codes


def test_what_a_network_makes_of_pixels_is_no_patch(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", 9, patch_embed__backbone__stem=(2, 2))
    with pytest.raises(DataError, match=r"'patch_embed\.backbone'.* name it with embedding="):
        read_tables(path)
    assert read_tables(path, embedding="patch_embed.proj.weight").grid == (SIDE, SIDE)
