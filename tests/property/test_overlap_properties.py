"""Precision, recall, density and coverage against their definition, computed pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.evaluation.manifold import Overlap, overlap
from orthogan.evaluation.neighbours import nearest_distances, squared_radii

K = 5


def squared_distances(left: torch.Tensor, right: torch.Tensor) -> np.ndarray:
    gaps = left.double().numpy()[:, None] - right.double().numpy()[None]
    return (gaps**2).sum(2)


def defined(fake: torch.Tensor, real: torch.Tensor, k: int = K) -> Overlap:
    """The four numbers image by image, as Kynkaanniemi 2019 and Naeem 2020 define them."""

    def radii(points: torch.Tensor) -> np.ndarray:
        distances = squared_distances(points, points)
        np.fill_diagonal(distances, np.inf)
        return np.sort(distances, 1)[:, k - 1]

    distances = squared_distances(fake, real)
    inside = distances < radii(real)
    found = (
        inside.any(1),
        (distances < radii(fake)[:, None]).any(0),
        inside.sum(1) / k,
        inside.any(0),
    )
    precise, recalled, density, covered = (torch.from_numpy(part) for part in found)
    return Overlap(precise, recalled, density.float(), covered)


def assert_same(found: Overlap, wanted: Overlap) -> None:
    for name in ("precise", "recalled", "density", "covered"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name), rtol=1e-6, atol=0)


def means(found: Overlap) -> list[float]:
    parts = (found.precise, found.recalled, found.density, found.covered)
    return [float(part.double().mean()) for part in parts]


def cloud(n: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


@st.composite
def lattices(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of small whole numbers, which tie and repeat, in two clusters far apart, at any scale.

    Sums of their squares are exact, so the definition knows every tie.
    """
    width, gap = draw(st.integers(1, 4)), draw(st.sampled_from([0, 100, 2**20]))
    entry = st.integers(-2, 2)
    row = st.tuples(st.lists(entry, min_size=width, max_size=width), st.booleans())
    scale = 2.0 ** draw(st.integers(-50, 40))

    def table(rows: list[tuple[list[int], bool]]) -> torch.Tensor:
        moved = [[value + gap * far for value in values] for values, far in rows]
        return torch.tensor(moved).float() * scale

    many = st.lists(row, min_size=K + 1, max_size=24)
    return table(draw(many)), table(draw(many))


@given(lattices())
@settings(max_examples=200, deadline=None)
def test_ties_repeats_and_far_clusters_are_those_of_the_definition(
    sets: tuple[torch.Tensor, torch.Tensor],
) -> None:
    assert_same(overlap(*sets), defined(*sets))


@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.sampled_from([1e-30, 1e-3, 1.0, 1e6, 1e30]),
    st.sampled_from([0.0, 1.0, 100.0, 3e4]),
    st.sampled_from([1, 3, 10]),
)
@settings(max_examples=100, deadline=None)
def test_any_cloud_at_any_place_and_scale_is_measured_as_defined_in_any_order(
    seed: int, width: int, scale: float, gap: float, repeats: int
) -> None:
    def some(part: int) -> torch.Tensor:
        rows = cloud(150 // repeats, width, 2 * seed + part)
        rows[::2] += gap  # the other half stays where it is
        return (rows * scale).repeat(repeats, 1)

    fake, real = some(0), some(1)
    fake[:40] = real[-40:]  # pictures that both sets hold
    found = overlap(fake, real)
    assert_same(found, defined(fake, real))
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randperm(len(rows), generator=generator) for rows in (fake, real))
    moved = overlap(fake[first], real[second])
    wanted = Overlap(
        found.precise[first], found.recalled[second], found.density[first], found.covered[second]
    )
    assert_same(moved, wanted)


def test_two_tight_clusters_far_apart_are_as_one_would_find_each_alone() -> None:
    def clusters(seed: int) -> torch.Tensor:
        rows = 0.01 * cloud(1000, 64, seed)
        rows[::2] += 100.0 / 8  # a gap of 100 in 64 dimensions
        return rows

    fake, real = clusters(1), clusters(2)
    found = overlap(fake, real)
    assert_same(found, defined(fake, real))
    near, far = (overlap(fake[start::2], real[start::2]) for start in (1, 0))
    halves = (np.array(means(near)) + np.array(means(far))) / 2
    assert means(found) == pytest.approx(list(halves), abs=1e-12)
    assert max(means(found)) < 1.2


@pytest.mark.parametrize("times", [K + 1, 10])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_balls_of_radius_zero_hold_nothing_in_any_order(times: int, offset: float) -> None:
    real = torch.relu(cloud(40, 64)).repeat(times, 1) + offset
    for fake in (real, real.flip(0), real[torch.randperm(len(real))]):
        assert means(overlap(fake, real)) == [0, 0, 0, 0]


def test_a_set_where_each_picture_stands_k_times_still_overlaps_itself() -> None:
    real = cloud(40, 64).repeat(K, 1)
    precise, recalled, density, covered = means(overlap(real.flip(0), real))
    assert (precise, recalled, covered) == (1, 1, 1)
    assert density >= 1


@pytest.mark.parametrize("noise", [0.0, 2.0**-23])
def test_one_picture_all_over_is_as_defined(noise: float) -> None:
    real = cloud(200, 16)
    fake = 1 + noise * torch.randint(0, 3, (200, 16), generator=torch.Generator().manual_seed(1))
    assert_same(overlap(fake, real), defined(fake, real))
    assert_same(overlap(real, fake), defined(real, fake))


@pytest.mark.parametrize("constant", [0.0, 1e4])
def test_a_feature_that_never_changes_changes_nothing(constant: float) -> None:
    fake, real = cloud(200, 8), cloud(200, 8, 1)
    wider = [torch.cat([rows, torch.full((200, 1), constant)], 1) for rows in (fake, real)]
    assert_same(overlap(*wider), overlap(fake, real))


@pytest.mark.parametrize("k", [1, 5, 50])
@pytest.mark.parametrize("gap", [0.0, 100.0, 1e5])
def test_neighbours_are_those_of_a_sort_of_all_distances(k: int, gap: float) -> None:
    left, right = cloud(100, 16), cloud(130, 16, 1).repeat(2, 1)
    for rows in (left, right):
        rows[::2] += gap
    left[:30] = right[:30]
    wanted = np.sqrt(np.sort(squared_distances(left, right), 1))
    first, last = nearest_distances(left, right, k)
    np.testing.assert_allclose(first, wanted[:, 0], rtol=1e-14)
    np.testing.assert_allclose(last, wanted[:, k - 1], rtol=1e-14)
    assert not first[:30].any()
    own = squared_distances(right, right)
    np.fill_diagonal(own, np.inf)
    np.testing.assert_allclose(squared_radii(right, k), np.sort(own, 1)[:, k - 1], rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-150, 1e200])
def test_wide_numbers_do_not_overflow(scale: float) -> None:
    fake, real = cloud(60, 8).double(), cloud(60, 8, 1).double()
    assert_same(overlap(fake * scale, real * scale), overlap(fake, real))
