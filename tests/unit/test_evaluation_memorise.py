"""Copies are found in every disguise, and honest images are not called copies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from orthogan import data
from orthogan.errors import ConfigError
from orthogan.evaluation.alignment import SCALE_RANK, AlignedNeighbours
from orthogan.evaluation.excess import excess
from orthogan.evaluation.memorise import memorisation, nearness
from orthogan.evaluation.neighbour_panel import NUM_PAIRS, nearest_pairs, neighbour_panel

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def split() -> dict[str, Tensor]:
    images = data.load("mnist").images
    return {"train": images[:800], "unseen": images[6000:6300], "others": images[8000:8300]}


def noisy(pixels: Tensor, spread: float = 12) -> Tensor:
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0)) * spread
    return as_bytes(pixels.float() + noise)


def as_bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


def moved(pixels: Tensor, rows: int, columns: int) -> Tensor:
    wide = torch.nn.functional.pad(pixels.float(), (3, 3, 3, 3), mode="replicate")
    height, width = pixels.shape[2:]
    return wide[..., 3 + rows : 3 + rows + height, 3 + columns : 3 + columns + width].byte()


def cropped(pixels: Tensor) -> Tensor:
    inner = pixels[..., 1:-1, 1:-1].float()
    return as_bytes(torch.nn.functional.interpolate(inner, size=pixels.shape[2:], mode="bilinear"))


DISGUISES: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda pixels: pixels,
    "moved by 2": lambda pixels: moved(pixels, 2, -2),
    "moved by 3": lambda pixels: moved(pixels, -3, 3),
    "mirrored": lambda pixels: pixels.flip(-1),
    "mirrored and moved": lambda pixels: moved(pixels.flip(-1), 1, 2),
    "noised": noisy,
    "brightened": lambda pixels: as_bytes(pixels.float() * 1.2),
    "inverted in contrast by a third": lambda pixels: as_bytes(pixels.float() * 0.66 + 40),
    "cropped": cropped,
    "blended": lambda pixels: as_bytes(0.8 * pixels.float() + 0.2 * pixels.roll(1, 0).float()),
}


@pytest.fixture(scope="module")
def among(split: dict[str, Tensor]) -> AlignedNeighbours:
    return AlignedNeighbours(split["train"])


@pytest.fixture(scope="module")
def honest(split: dict[str, Tensor], among: AlignedNeighbours) -> Tensor:
    return among.find(split["unseen"]).relative


@pytest.mark.parametrize("disguise", DISGUISES)
def test_copies_are_caught_in_every_disguise(split, among, honest, disguise: str) -> None:
    found = among.find(DISGUISES[disguise](split["train"][:100]))
    share, interval = excess(found.relative, honest)
    assert share > 0.95
    assert interval.low > 0.8
    if disguise != "blended":
        named = (found.nearest == torch.arange(100)).double().mean()
        assert float(named) >= 0.9


@pytest.mark.parametrize("held_out", [True, False])
def test_a_copycat_is_caught_with_and_without_held_out_images(split, held_out: bool) -> None:
    fakes = moved(split["train"][:200], 1, 1)
    found = memorisation(fakes, split["train"], split["unseen"] if held_out else None)
    assert found.share > 0.95
    assert found.n == len(found.neighbours.nearest) == 200


@pytest.mark.parametrize("held_out", [True, False])
def test_unseen_real_images_are_honest(split, held_out: bool) -> None:
    found = memorisation(split["others"], split["train"], split["unseen"] if held_out else None)
    assert found.share < 0.07
    assert found.interval.low < 0.02
    assert found.n == 300


def test_half_a_copycat_scores_half(split) -> None:
    mixed = torch.cat([moved(split["train"][:300], 1, 1), split["others"]])
    found = memorisation(mixed, split["train"], split["unseen"])
    assert found.share == pytest.approx(0.5, abs=0.08)
    assert found.interval.low < 0.5 < found.interval.high


def test_blurred_unseen_images_are_not_taken_for_copies(split) -> None:
    blurred = torch.nn.functional.avg_pool2d(split["others"].float(), 3, 1, 1).to(torch.uint8)
    assert memorisation(blurred, split["train"], split["unseen"]).interval.low < 0.05


def test_one_picture_repeated_is_not_a_division_by_zero() -> None:
    same = torch.full((200, 1, 28, 28), 9, dtype=torch.uint8)
    found = memorisation(same, same, same)
    assert found.share == 0  # nothing to tell apart, so nothing is claimed
    assert found.interval == (0, 1)


def test_one_more_of_fifty_equal_pictures_shows_no_memory(split) -> None:
    train = torch.cat([split["train"][:1].repeat(50, 1, 1, 1), split["train"][1:20]])
    found = AlignedNeighbours(train).find(split["train"][:2])
    assert found.relative.tolist() == [1, 0]
    assert found.distance.tolist() == [0, 0]


@pytest.mark.parametrize("short", ["fake", "train", "unseen"])
def test_too_few_images_are_refused(split, short: str) -> None:
    sets = {"fake": split["others"], "train": split["train"], "unseen": split["unseen"]}
    sets[short] = sets[short][:15]
    with pytest.raises(ConfigError, match=r"at least 16 \w+ images, got 15"):
        memorisation(**sets)


def test_sixty_pictures_are_enough_to_see_a_copy(split) -> None:
    train = split["train"][:60]
    assert memorisation(moved(train, 1, -2), train).interval.low > 0.5
    assert memorisation(split["others"], train).interval.low < 0.05


def test_images_that_come_again_are_near_one_another(split) -> None:
    few = split["others"][:20].repeat(10, 1, 1, 1)
    assert float(nearness(few).max()) == 0
    assert float(nearness(split["others"]).min()) > 0.05


def brute_force(picture: Tensor, other: Tensor) -> float:
    """The least distance of standardised windows over displacements and mirroring, no zoom."""
    centre = other[0, 3:-3, 3:-3].double().flatten()
    best = 2.0
    for image in (picture[0].double(), picture[0].flip(-1).double()):
        for top in range(7):
            for left in range(7):
                window = image[top : top + 22, left : left + 22].flatten()
                correlation = torch.corrcoef(torch.stack([window, centre]))[0, 1]
                best = min(best, float((2 - 2 * correlation).clamp_min(0).sqrt()))
    return best


def test_distances_are_those_of_brute_force(split) -> None:
    train, pictures = split["train"][:SCALE_RANK], split["others"][:4]
    found = AlignedNeighbours(train).find(pictures)
    for row, picture in enumerate(pictures):
        wanted = sorted(brute_force(picture, other) for other in train)
        # Zoomed windows, which brute force leaves out, may come nearer still.
        assert float(found.distance[row]) <= wanted[0] + 1e-5
        assert float(found.distance[row]) > 0.8 * wanted[0]
        scale = float(found.distance[row] / found.relative[row])
        assert 0.8 * wanted[-1] < scale <= wanted[-1] + 1e-5


@pytest.mark.parametrize("shape", [(3, 16, 16), (3, 64, 48), (1, 128, 128)])
def test_pictures_of_any_form_are_compared(shape: tuple[int, ...]) -> None:
    draws = torch.Generator().manual_seed(1)
    small = torch.rand(40, shape[0], 8, 8, generator=draws)
    images = torch.nn.functional.interpolate(small, size=shape[1:], mode="bilinear")
    pixels = as_bytes(images * 255)
    found = AlignedNeighbours(pixels).find(pixels.flip(-1))
    assert found.nearest.tolist() == list(range(40))
    own = AlignedNeighbours(pixels).find(pixels, torch.arange(40))
    assert bool((own.nearest != torch.arange(40)).all())


def test_the_panel_shows_copies_first_beside_what_they_copy(split) -> None:
    train = split["train"][:60]
    fakes = torch.cat([split["others"][:40], moved(train[7:9], 1, 1)])
    pairs = nearest_pairs(fakes, train)
    assert len(pairs) == 2 * NUM_PAIRS
    first = pairs[:4].reshape(2, 2, *pairs.shape[1:])
    order = [0, 1] if torch.equal(first[0, 0], fakes[-2]) else [1, 0]
    assert torch.equal(first[order, 0], fakes[-2:])
    assert torch.equal(first[order, 1], train[7:9])
    assert len(pairs[::2].unique(dim=0)) == NUM_PAIRS
    assert neighbour_panel(fakes, train).size[0] > 400
