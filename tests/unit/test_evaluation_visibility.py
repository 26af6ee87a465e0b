"""Noise that nobody sees must not make good images unreal, and noise that anybody sees must."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageDraw

from orthogan.data import ImageSet
from orthogan.evaluation import evaluate_images
from orthogan.evaluation.components import UNSEEN_WEIGHT, principal_components
from orthogan.evaluation.extractors import load_extractor
from orthogan.evaluation.visibility import unseen_change
from orthogan.shapes import Pixels

NUM_IMAGES = 256


@pytest.fixture(scope="module")
def signs() -> Pixels:
    """Strokes on plain black, 24 px."""
    draws = torch.manual_seed(0)
    made = []
    for _ in range(2 * NUM_IMAGES):
        picture = Image.new("L", (24, 24))
        corners = torch.randint(3, 21, (3, 4), generator=draws)
        for corner in corners.tolist():
            width = int(torch.randint(1, 4, (), generator=draws))
            ImageDraw.Draw(picture).line(corner, fill=255, width=width)
        made.append(torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8))
    return torch.stack(made).reshape(-1, 1, 24, 24)


def noisy(pixels: Pixels, most: int) -> Pixels:
    """With noise of at most so many levels."""
    draws = torch.randint(-most, most + 1, pixels.shape, generator=torch.manual_seed(1))
    return (pixels.short() + draws).clamp(0, 255).to(torch.uint8)


def test_invisible_noise_costs_little_and_visible_noise_much(signs: Pixels) -> None:
    real, fake = ImageSet(signs[:NUM_IMAGES], name="signs"), signs[NUM_IMAGES:]

    def precision(images: Pixels) -> float:
        return evaluate_images(images, real, extractor="general").scores["precision"].value

    clean = precision(fake)
    assert precision(noisy(fake, 2)) > clean - 0.1
    assert precision(noisy(fake, 30)) < clean / 2


def test_the_change_is_that_of_the_features(signs: Pixels) -> None:
    net = load_extractor("general")
    features = net.describe(signs[:NUM_IMAGES])[0]
    change = unseen_change(signs[:NUM_IMAGES], features, net)
    assert change.shape == (net.num_features,)
    # About as much as other noise of that size does, and nothing like what strokes do.
    other = (net.describe(noisy(signs[:NUM_IMAGES], 4))[0] - features).square().mean(0).sqrt()
    torch.testing.assert_close(change, other, rtol=0.3, atol=1e-3)
    assert bool((change > 0).any())
    assert torch.equal(change, unseen_change(signs[:NUM_IMAGES], features, net))


def test_it_counts_as_spread() -> None:
    spreads = torch.tensor([1.0, 1.0, 0.1])
    features = torch.randn(200, 3, generator=torch.manual_seed(0)) * spreads
    unseen = torch.tensor([0.0, 0.0, 1.0])
    moved = features + torch.tensor([0.0, 0.0, 1.0])

    def shift(least: torch.Tensor | None) -> float:
        components = principal_components(features, 3, least)
        difference = components.project(moved).mean(0) - components.project(features).mean(0)
        return float(difference.norm())

    assert shift(None) == pytest.approx(10, rel=0.1)
    assert shift(unseen) == pytest.approx(1 / UNSEEN_WEIGHT, rel=0.01)
