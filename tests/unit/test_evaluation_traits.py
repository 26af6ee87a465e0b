"""What differs is named in the words and the direction of a person."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from orthogan import data
from orthogan.evaluation.traits import TRAITS, shifts, trait_values

pytestmark = pytest.mark.usefixtures("one_thread")


def as_bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


def colourful(count: int, seed: int) -> Tensor:
    """Smooth blobs in many colours on white."""
    draws = torch.Generator().manual_seed(seed)
    blobs = torch.rand(count, 1, 6, 6, generator=draws) > 0.6
    shape = interpolate(blobs.float(), size=32, mode="bilinear")
    colours = (
        torch.rand(count, 3, 1, 1, generator=draws) * torch.tensor([1.0, 0.6, 0.3])[:, None, None]
    )
    return as_bytes(255 * (1 - shape * (1 - colours)))


@pytest.fixture(scope="module")
def real() -> Tensor:
    return colourful(400, 1)


@pytest.fixture(scope="module")
def unseen() -> Tensor:
    return colourful(400, 2)


def noisy(pixels: Tensor) -> Tensor:
    return as_bytes(
        pixels + 12 * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
    )


SPOILT = {
    "noisy": noisy,
    "blurred": lambda pixels: as_bytes(
        avg_pool2d(pixels.float(), 5, 1, 2, count_include_pad=False)
    ),
    "faded": lambda pixels: as_bytes(pixels * 0.5 + 100),
    "too dark": lambda pixels: as_bytes(pixels.float() - 40),
    "too bright": lambda pixels: as_bytes(pixels.float() + 40),
    "too pale in colour": lambda pixels: as_bytes(
        0.3 * pixels + 0.7 * pixels.float().mean(1, keepdim=True)
    ),
    "too full of cyan": lambda pixels: pixels.roll(1, 1),
}


@pytest.mark.parametrize("word", SPOILT)
def test_what_was_done_is_named(real: Tensor, unseen: Tensor, word: str) -> None:
    found = shifts(trait_values(SPOILT[word](unseen)), trait_values(real))
    assert word in [shift.word for shift in found[:2]]
    assert found[0].size > 0.5


def test_unseen_images_do_not_differ(real: Tensor, unseen: Tensor) -> None:
    found = shifts(trait_values(unseen), trait_values(real))
    assert len(found) == len(TRAITS)
    assert found[0].size < 0.2
    assert found == sorted(found, key=lambda shift: -shift.size)


def test_differences_that_no_eye_sees_are_none(real: Tensor) -> None:
    nearly = as_bytes(real.float() + 1)
    assert shifts(trait_values(nearly), trait_values(real))[0].size < 0.1


def test_grey_pictures_have_no_colour() -> None:
    images = data.load("mnist", split="test").images[:100]
    values = trait_values(images)
    names = list(TRAITS)
    blind = [names[column] for column in range(len(names)) if bool(values[:, column].isnan().all())]
    assert blind == [name for name in names if TRAITS[name].needs_colour]
    found = shifts(values, values)
    assert {shift.trait for shift in found} == set(names) - set(blind)
    assert all(shift.size == 0 for shift in found)


def test_dominance_counts_pairs_and_ties_half() -> None:
    columns = torch.full((3, len(TRAITS)), torch.nan)
    ours, others = columns.clone(), columns[:2].clone()
    ours[:, 0], others[:, 0] = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 0.0])
    (found,) = shifts(ours, others)
    assert found.dominance == pytest.approx((0 + 0.5 + 1 + 3) / 6)
    assert found.word == "noisy"


def test_transparent_pictures_are_laid_over_grey(real: Tensor) -> None:
    opacity = torch.full_like(real[:, :1], 255)
    opaque = torch.cat([real, opacity], 1)
    assert torch.equal(trait_values(opaque), trait_values(real))
    clear = torch.cat([real, torch.zeros_like(opacity)], 1)
    contrast = list(TRAITS).index("contrast")
    assert float(trait_values(clear)[:, contrast].max()) == 0
