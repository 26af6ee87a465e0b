"""Between images and tokens: the quick forms give what the plain layers give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogan import rng
from orthogan.networks.patches import ImageHead, PatchStem, ToColours


def _head(colours: int) -> ImageHead:
    with rng.initialisation(0, "head"):
        return ImageHead(6, 5, colours).double()


@pytest.mark.parametrize("colours", [1, 3])
def test_drawing_without_a_record_changes_no_image(colours: int) -> None:
    head, tokens = _head(colours), torch.randn(3, 16, 6, dtype=torch.float64)
    recorded = head(tokens)
    with torch.no_grad():
        drawn = head(tokens)
    head.fine.__class__ = nn.ConvTranspose2d
    assert torch.equal(recorded, head(tokens))
    assert drawn.shape == (3, colours, 16, 16)
    torch.testing.assert_close(drawn, recorded.detach())


def test_drawing_takes_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = ToColours(4, 1, 4, stride=2, padding=1)

    def refuse(*_args: object, **_settings: object) -> None:
        raise AssertionError("the kernel library was called")

    monkeypatch.setattr(nn.ConvTranspose2d, "forward", refuse)
    with torch.no_grad():
        assert layer(torch.zeros(2, 4, 3, 3)).shape == (2, 1, 6, 6)
    with pytest.raises(AssertionError, match="kernel library"):
        layer(torch.zeros(2, 4, 3, 3))


def test_tokens_of_patches_lie_in_order() -> None:
    with rng.initialisation(0, "stem"):
        stem = PatchStem(1, 4, 8)
    tokens = stem(torch.zeros(2, 1, 28, 28))
    assert tokens.shape == (2, 16, 8)
    assert tokens.is_contiguous()
