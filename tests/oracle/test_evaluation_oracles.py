"""Metrics against other people's implementations and against closed forms."""

import numpy as np
import pytest
import scipy.linalg
import torch
from prdc import compute_prdc

from orthogan.evaluation.frechet import Moments, frechet_distance, moments
from orthogan.evaluation.kernel import squared_discrepancy
from orthogan.evaluation.manifold import overlap
from orthogan.evaluation.neighbours import squared_radii


def cloud(n, width, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=generator) / width**0.5
    return torch.relu(torch.randn(n, width, generator=generator) @ mix + shift)


def gaussian(mean, covariance):
    return Moments(torch.tensor(mean).double(), torch.tensor(covariance).double(), 99)


def test_frechet_agrees_with_torchmetrics():
    from torchmetrics.image.fid import _compute_fid

    for seed in range(3):
        fake, real = moments(cloud(700, 64, seed, 0.1)), moments(cloud(900, 64, seed + 9))
        theirs = float(_compute_fid(fake.mean, fake.covariance, real.mean, real.covariance))
        assert frechet_distance(fake, real) == pytest.approx(theirs, rel=1e-9)


def test_frechet_agrees_with_the_general_matrix_root():
    fake, real = moments(cloud(700, 32, 0, 0.1)), moments(cloud(900, 32, 1))
    root = scipy.linalg.sqrtm((fake.covariance @ real.covariance).numpy()).real
    gap = (fake.mean - real.mean).square().sum()
    spread = (fake.covariance + real.covariance).trace()
    assert frechet_distance(fake, real) == pytest.approx(
        float(gap + spread - 2 * np.trace(root)), rel=1e-9
    )


def test_frechet_of_one_shape_at_two_places_is_the_squared_shift():
    shape = [[2.0, 0.5], [0.5, 1.0]]
    distance = frechet_distance(gaussian([0.0, 0.0], shape), gaussian([3.0, 4.0], shape))
    assert distance == pytest.approx(25, rel=1e-12)


@pytest.mark.parametrize(
    ("smallest", "error"),
    # A zero eigenvalue is rounded to about 1e-16, and its root to 1e-8.
    [(2.0, 1e-12), (0.0, 1e-8)],
)
def test_frechet_of_commuting_covariances_is_the_distance_of_their_roots(smallest, error):
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    a, b = np.array([4.0, 9.0, smallest]), np.array([1.0, 25.0, 16.0])
    first = gaussian([0.0] * 3, turn @ np.diag(a) @ turn.T)
    second = gaussian([0.0] * 3, turn @ np.diag(b) @ turn.T)
    wanted = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert frechet_distance(first, second) == pytest.approx(wanted, rel=error)
    assert frechet_distance(second, first) == pytest.approx(wanted, rel=error)


def test_kernel_distance_agrees_with_torchmetrics():
    from torchmetrics.image.kid import poly_mmd

    for seed in range(3):
        fake, real = cloud(300, 64, seed, 0.1), cloud(300, 64, seed + 9)
        theirs = float(poly_mmd(real.double(), fake.double()))
        assert squared_discrepancy(fake, real) == pytest.approx(theirs, rel=1e-9)


def test_kernel_distance_agrees_with_three_explicit_sums():
    fake, real = cloud(7, 5, 0).double(), cloud(9, 5, 1).double()

    def mean(left, right, same):
        return np.mean(
            [
                (float(x @ y) / 5 + 1) ** 3
                for i, x in enumerate(left)
                for j, y in enumerate(right)
                if not (same and i == j)
            ]
        )

    wanted = mean(fake, fake, True) + mean(real, real, True) - 2 * mean(fake, real, False)
    assert squared_discrepancy(fake, real) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_overlap_agrees_with_prdc(shift, capsys):
    fake, real = cloud(500, 16, 0, shift), cloud(600, 16, 1)
    theirs = compute_prdc(real.double().numpy(), fake.double().numpy(), nearest_k=5)
    ours = overlap(fake, real)
    found = {
        "precision": ours.precise,
        "recall": ours.recalled,
        "density": ours.density,
        "coverage": ours.covered,
    }
    for name, values in found.items():
        assert float(values.double().mean()) == pytest.approx(theirs[name], abs=1e-6), name


def test_radii_agree_with_exact_float64_distances():
    points = cloud(400, 32, 0)
    exact = torch.cdist(points.double(), points.double()).square()
    wanted = exact.sort(1).values[:, 5]
    torch.testing.assert_close(squared_radii(points, 5).double(), wanted, rtol=1e-5, atol=1e-5)
