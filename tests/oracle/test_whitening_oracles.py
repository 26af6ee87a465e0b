"""Whitening against scikit-learn, NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA

from orthogan.geometry import whiten
from orthogan.geometry.spectra import coefficients
from orthogan.geometry.spectra.moments import moments_of
from orthogan.rng import stream


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "whitening", counter).standard_normal(shape))


@pytest.mark.parametrize(("n", "width"), [(5, 8), (9, 8), (40, 8), (500, 3), (30, 1)])
def test_shrinkage_is_that_of_scikit_learn(n: int, width: int) -> None:
    tokens = draw(n, width) @ draw(width, width, counter=1) + 3
    expected, share = ledoit_wolf(tokens.numpy())
    white = whiten(tokens)
    assert white.shrinkage == pytest.approx(share, abs=1e-12)
    found = white.inverse_matrix.T @ white.inverse_matrix
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-12, atol=1e-12)


def test_principal_axes_are_those_of_scikit_learn() -> None:
    tokens = draw(200, 5) @ draw(5, 5, counter=1)
    rows = whiten(tokens, shrink=0.0, method="pca").apply(tokens)
    theirs = PCA(whiten=True, svd_solver="full").fit_transform(tokens.numpy())
    # Theirs divides by n - 1, and an axis has no sign of its own.
    expected = torch.from_numpy(theirs).abs() * (200 / 199) ** 0.5
    torch.testing.assert_close(rows.abs(), expected, rtol=0, atol=1e-11)


def test_distances_are_the_mahalanobis_distances_of_scipy() -> None:
    tokens = draw(60, 4) @ draw(4, 4, counter=1)
    rows = whiten(tokens, shrink=0.0, method="cholesky").apply(tokens)
    precision = torch.linalg.inv(moments_of(tokens).covariance).numpy()
    expected = cdist(tokens.numpy(), tokens.numpy(), "mahalanobis", VI=precision)
    np.testing.assert_allclose(torch.cdist(rows, rows).numpy(), expected, atol=1e-6)


def test_coefficients_are_least_squares() -> None:
    frame, vectors = draw(3, 6), draw(7, 6, counter=1)
    expected = np.linalg.lstsq(frame.numpy().T, vectors.numpy().T, rcond=None)[0].T
    np.testing.assert_allclose(coefficients(vectors, frame).numpy(), expected, atol=1e-12)
