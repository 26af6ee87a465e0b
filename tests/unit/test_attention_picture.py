"""The picture of what is attended to: constructed maps land where they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from orthogan import rng
from orthogan.classification import attention_picture as module
from orthogan.classification.attention_picture import draw_attention
from orthogan.classification.labels import LabelScheme
from orthogan.errors import ConfigError, ShapeError
from orthogan.images import labelled_sheet
from orthogan.images.labelled_sheet import CELL_PX, GAP_PX, HEADING_PX, MARGIN_PX
from orthogan.images.overlay import COLD, WARM, framed, overlay
from orthogan.networks.classifier import AttentionClassifier, AttentionClassifierConfig

SCHEME = LabelScheme(("cat", "dog"))
STEP = CELL_PX + GAP_PX


def network(**settings: object) -> AttentionClassifier:
    facts = {"size": 16, "classes": 2, "width": 8, "heads": 2, "blocks": 1, "channels": 4}
    with rng.initialization(0, "look"):
        return AttentionClassifierConfig(**(facts | settings)).build().eval()


def pixels(count: int = 3, colours: int = 1) -> Tensor:
    noise = rng.stream(0, "pixels").integers(0, 256, (count, colours, 16, 16))
    return torch.from_numpy(noise).to(torch.uint8)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("read_out", ["class", "mean"])
def test_a_row_an_image_and_a_column_a_map(colours: int, read_out: str) -> None:
    net = network(colours=colours, read_out=read_out, blocks=2)
    picture = draw_attention(net, pixels(3, colours), SCHEME)
    columns = 2 + 2 * 2  # the image, the mean, two heads in each of two blocks
    assert picture.size == (MARGIN_PX + columns * STEP, HEADING_PX + 3 * STEP)
    assert picture.mode == "RGB"
    shown = np.asarray(picture)
    left, top = MARGIN_PX, HEADING_PX + STEP  # the second image
    cell = shown[top : top + CELL_PX : CELL_PX // 16, left : left + CELL_PX : CELL_PX // 16]
    expected = pixels(3, colours)[1].permute(1, 2, 0).expand(16, 16, 3)
    assert np.array_equal(cell, expected.numpy())


def test_a_planted_map_colours_its_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.zeros(1, 1, 2, 4, 4)
    maps[0, 0, 0, 1, 2] = 0.5  # head 1: the second row, third column
    maps[0, 0, 1, 3, 0] = -0.1  # head 2: the last row, first column, negative
    monkeypatch.setattr(module, "attention_maps", lambda *_: maps)
    black = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    shown = np.asarray(draw_attention(network(), black, SCHEME))[HEADING_PX : HEADING_PX + CELL_PX]
    cells = [shown[:, MARGIN_PX + STEP * n : MARGIN_PX + STEP * n + CELL_PX] for n in range(4)]
    assert not cells[0].any()
    quarter = CELL_PX // 4
    for cell, row, col, colour in ((cells[2], 1, 2, WARM), (cells[3], 3, 0, COLD)):
        patch = cell[row * quarter : (row + 1) * quarter, col * quarter : (col + 1) * quarter]
        assert (patch == np.round(0.6 * np.array(colour))).all()
        assert cell.astype(int).sum() == patch.astype(int).sum()  # and nothing else
    mean = cells[1].astype(int)
    assert mean[quarter, 2 * quarter].sum() > mean[3 * quarter, 0].sum() > 0


def test_an_overlay_dims_the_image_and_keeps_it_visible() -> None:
    image = np.full((4, 4, 3), 200, np.uint8)
    shown = overlay(image, np.array([[1.0, 0.0], [0.0, -0.5]]))
    assert shown[0, 0].tolist() == [round(0.6 * c + 80) for c in WARM]
    assert shown[0, 3].tolist() == [140, 140, 140]
    half = [0.5 * 140 + 0.5 * (0.6 * c + 80) for c in COLD]
    assert shown[3, 3].tolist() == [round(c) for c in half]
    assert np.array_equal(overlay(image, np.zeros((2, 2))), np.full((4, 4, 3), 140))


def test_a_frame_goes_round_its_cell_and_nothing_else() -> None:
    image = np.full((12, 20, 3), 100, np.uint8)
    shown = framed(image, (2, 4), (1, 2))
    changed = np.argwhere((shown != image).any(axis=2))
    assert (changed.min(axis=0).tolist(), changed.max(axis=0).tolist()) == ([6, 10], [11, 14])
    assert shown[6, 10:15].tolist() == [[0, 0, 0]] * 5
    assert shown[7, 11:14].tolist() == [[255, 255, 255]] * 3
    assert shown[8, 12].tolist() == [100, 100, 100]
    assert (image == 100).all()


def test_answers_and_names_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    draw = labelled_sheet.ImageDraw.ImageDraw.multiline_text
    monkeypatch.setattr(
        labelled_sheet.ImageDraw.ImageDraw,
        "multiline_text",
        lambda pen, place, text, **o: written.append(text) or draw(pen, place, text, **o),
    )
    draw_attention(network(), pixels(2), SCHEME, ["a.png", "b.png"])
    assert [text.split("\n")[0] for text in written] == ["a.png", "b.png"]
    for text in written:
        answer, share = text.split("\n")[1].split()
        assert answer in {"cat", "dog"}
        assert 50 <= float(share.removesuffix("%")) <= 100


def test_impossible_looks_are_refused() -> None:
    with pytest.raises(ConfigError, match="Between 1 and 64 images can be shown, got 0"):
        draw_attention(network(), pixels(0), SCHEME)
    with pytest.raises(ConfigError, match="got 65"):
        draw_attention(network(), pixels(65), SCHEME)
    with pytest.raises(ConfigError, match="blocks=0 has no attention"):
        draw_attention(network(blocks=0, read_out="mean"), pixels(), SCHEME)
    with pytest.raises(ShapeError, match=r"Expected images \(1, 16, 16\)"):
        draw_attention(network(), pixels(2, 3), SCHEME)
