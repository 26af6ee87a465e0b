"""Distortion: every amount moves what it says, and nothing else does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from orthogan import rng
from orthogan.classification.config import DistortionConfig
from orthogan.classification.distortion import affine_maps, distort

STILL = dict.fromkeys(("turn_deg", "scale", "shear", "shift", "bend"), 0.0)


def only(**amounts: float | bool) -> DistortionConfig:
    return DistortionConfig(**(STILL | amounts))


def blobs(count: int = 6, side: int = 28, colours: int = 1) -> Tensor:
    noise = rng.stream(3, "blobs").standard_normal((count, colours, side, side))
    smooth = ndimage.gaussian_filter(noise, sigma=(0, 0, 2, 2))
    return torch.from_numpy(smooth / abs(smooth).max()).float()


def source(counter: int = 0) -> np.random.Generator:
    return rng.stream(0, "distortion", counter)


@pytest.mark.parametrize("config", [only(), DistortionConfig(strength=0.0)])
def test_no_amount_is_no_change(config: DistortionConfig) -> None:
    torch.testing.assert_close(distort(blobs(), config, source()), blobs(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "amount",
    [{"turn_deg": 20.0}, {"scale": 0.2}, {"shear": 0.2}, {"shift": 0.1}, {"bend": 0.03}],
    ids=lambda amount: next(iter(amount)),
)
def test_every_amount_changes_every_image_its_own_way(amount: dict[str, float]) -> None:
    same = blobs(1).expand(5, -1, -1, -1)
    moved = distort(same, only(**amount), source())
    changes = [(moved[i] - same[i]).abs().mean() for i in range(5)]
    assert min(changes) > 1e-4
    assert all(not torch.allclose(moved[0], moved[i], atol=1e-3) for i in range(1, 5))
    assert moved.shape == same.shape
    assert float(moved.abs().max()) <= 1.0 + 1e-5
    halved = distort(same, only(**amount).evolve("strength=0.5"), source())
    assert (halved - same).abs().mean() < (moved - same).abs().mean()


def test_mirrored_images_are_about_half() -> None:
    shown = blobs(1).expand(200, -1, -1, -1)
    moved = distort(shown, only(mirror=True), source())
    flipped = [torch.allclose(image, shown[0].flip(-1), atol=1e-4) for image in moved]
    kept = [torch.allclose(image, shown[0], atol=1e-4) for image in moved]
    assert [a != b for a, b in zip(flipped, kept, strict=True)] == [True] * 200
    assert 70 < sum(flipped) < 130
    alone = distort(shown, DistortionConfig(strength=0.0, mirror=True), source())
    torch.testing.assert_close(alone, moved, atol=1e-4, rtol=0)


def test_a_shift_moves_by_a_share_of_the_side() -> None:
    config = only(shift=0.25)
    maps = affine_maps(500, config, source())
    # Coordinates of the sampling grid run over two units a side.
    assert float(maps[:, :, 2].abs().max()) == pytest.approx(2 * 0.25, rel=0.02)
    torch.testing.assert_close(maps[:, :, :2], torch.eye(2).expand(500, 2, 2))


def test_a_turn_is_a_rotation() -> None:
    maps = affine_maps(500, only(turn_deg=30.0), source())[:, :, :2]
    torch.testing.assert_close(maps @ maps.transpose(1, 2), torch.eye(2).expand(500, 2, 2))
    angles = torch.atan2(maps[:, 1, 0], maps[:, 0, 0])
    assert math.degrees(float(angles.abs().max())) == pytest.approx(30.0, rel=0.02)


def test_scales_and_shears_are_those_of_the_linear_map() -> None:
    scaled = affine_maps(500, only(scale=0.3), source())
    assert float((scaled[:, 0, 0] - 1).abs().max()) == pytest.approx(0.3, rel=0.02)
    assert not torch.allclose(scaled[:, 0, 0], scaled[:, 1, 1])
    sheared = affine_maps(500, only(shear=0.4), source())
    assert float(sheared[:, 0, 1].abs().max()) == pytest.approx(0.4, rel=0.02)
    assert not sheared[:, 1, 0].any()


def test_a_distortion_agrees_with_scipy() -> None:
    config = DistortionConfig(bend=0.0)
    shown = blobs(3)
    ours = distort(shown, config, source())
    matrices = affine_maps(3, config, _after_mirrors(3)).double()
    side, centre = 28, 13.5
    for image, result, matrix in zip(shown, ours, matrices, strict=True):
        # From (x, y) in [-1, 1] to (row, col) in pixels.
        linear = matrix[:, :2].flip(0).flip(1).numpy()
        offset = matrix[:, 2].flip(0).numpy() * side / 2 + centre - linear @ [centre, centre]
        theirs = ndimage.affine_transform(
            image[0].double().numpy(), linear, offset, order=1, mode="nearest"
        )
        np.testing.assert_allclose(result[0].numpy(), theirs, atol=1e-4)


def _after_mirrors(count: int) -> np.random.Generator:
    draws = source()
    draws.random(count)
    return draws


def test_a_bend_moves_by_a_share_of_the_side() -> None:
    """Its standard deviation at a point of the grid, here the middle of a ramp of columns."""
    side, bend = 17, 0.02
    ramp = torch.arange(float(side)).expand(4000, 1, side, side)
    moved = distort(ramp, only(bend=bend), source())[:, 0, side // 2, side // 2] - side // 2
    assert float(moved.std()) == pytest.approx(bend * side, rel=0.05)
    assert abs(float(moved.mean())) < 0.02


def test_all_colours_move_alike() -> None:
    grey = blobs()
    moved = distort(grey.repeat(1, 3, 1, 1), DistortionConfig(), source())
    for colour in range(3):
        assert torch.equal(
            moved[:, colour : colour + 1], distort(grey, DistortionConfig(), source())
        )


def test_the_counter_decides_the_draws() -> None:
    first, again, later = (distort(blobs(), DistortionConfig(), source(n)) for n in (0, 0, 128))
    assert torch.equal(first, again)
    assert not torch.allclose(first, later)


@given(st.floats(-1, 1), st.integers(0, 50))
def test_a_blank_image_stays_blank(value: float, counter: int) -> None:
    blank = torch.full((2, 1, 16, 16), value)
    torch.testing.assert_close(distort(blank, DistortionConfig(), source(counter)), blank)


def test_distorting_is_differentiable_in_the_images() -> None:
    shown = blobs(2, side=16).double().requires_grad_()
    distort(shown, DistortionConfig(), source()).square().sum().backward()
    assert shown.grad is not None
    assert float(shown.grad.abs().min(dim=0).values.max()) > 0
