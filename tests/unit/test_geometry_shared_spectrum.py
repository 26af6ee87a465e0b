"""Tokens and codes on shared axes, and sampled margins, against direct computation."""

from __future__ import annotations

import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError, UnknownNameError
from orthogan.geometry import identity_margin, place_positions, sampled_margins, shared_spectrum
from orthogan.rng import normal, stream

SOURCE = stream(0, "shared-spectrum-tests")
TOKENS = (normal((50, 5), SOURCE) * torch.tensor([3.0, 2.0, 1.0, 0.5, 0.1]) + 7).double()
CODES = (normal((9, 5), SOURCE) * torch.tensor([0.1, 2.0, 1.0, 0.2, 0.4])).double()


def overlap(codes: torch.Tensor) -> float:
    covariance = torch.cov(TOKENS.T, correction=0)
    moment = codes.T @ codes / len(codes)
    return float(5 * (covariance @ moment).trace() / (covariance.trace() * moment.trace()))


def test_the_overlap_is_a_trace() -> None:
    found = shared_spectrum(TOKENS, CODES)
    assert found.overlap == pytest.approx(overlap(CODES), abs=1e-12)
    spectra = found.tokens * found.codes
    direct = 5 * spectra.sum() / (found.tokens.sum() * found.codes.sum())
    assert found.overlap == pytest.approx(float(direct), abs=1e-12)
    assert torch.allclose(found.tokens.sum(), TOKENS.var(0, correction=0).sum(), atol=1e-12)
    assert torch.equal(found.tokens, found.tokens.sort(descending=True).values)
    assert torch.allclose(found.along(CODES), found.codes, atol=1e-12)


def test_rotations_stay_between_least_and_most_and_placing_reaches_the_least() -> None:
    found = shared_spectrum(TOKENS, CODES)
    turns, triangles = torch.linalg.qr(normal((2000, 5, 5), stream(0, "turns")).double())
    turns = turns * triangles.diagonal(dim1=1, dim2=2).sign()[:, None]  # uniform
    moments = turns.mT @ (CODES.T @ CODES / len(CODES)) @ turns
    covariance = torch.cov(TOKENS.T, correction=0)
    traces = (covariance * moments).sum((1, 2))
    drawn = 5 * traces / (covariance.trace() * moments[0].trace())
    assert found.least <= float(drawn.min()) < float(drawn.max()) <= found.most
    assert overlap(place_positions(CODES, TOKENS)) == pytest.approx(found.least, abs=1e-12)
    # Five standard errors of 2,000 draws.
    assert float(drawn.mean()) == pytest.approx(1, abs=5 * found.spread / 2000**0.5)
    assert float(drawn.std()) == pytest.approx(found.spread, rel=0.08)


def test_scale_does_not_matter_and_nothing_is_divided_by_nothing() -> None:
    found, huge = shared_spectrum(TOKENS, CODES), shared_spectrum(1e100 * TOKENS, 1e-100 * CODES)
    assert huge.overlap == pytest.approx(found.overlap, rel=1e-12)
    assert float(huge.tokens[0]) == pytest.approx(1e200 * float(found.tokens[0]), rel=1e-12)
    still = shared_spectrum(torch.ones(3, 2), CODES[:, :2])
    assert (still.overlap, still.spread, still.least, still.most) == (1.0, 0.0, 1.0, 1.0)
    line = shared_spectrum(TOKENS[:, :1], CODES[:, :1])
    assert (line.overlap, line.spread) == (pytest.approx(1.0), 0.0)


@pytest.mark.parametrize("reader", ["euclidean", "cosine", "logits"])
def test_sampled_margins_are_identity_margins(reader: str) -> None:
    found = sampled_margins(TOKENS, CODES, reader, num_pairs=70, seed=3)
    for k in range(0, 70, 7):
        i, t = int(found.tokens[k]), int(found.positions[k])
        moved = identity_margin(TOKENS, CODES[t], reader)[i]
        rest = identity_margin(TOKENS, 0 * CODES[t], reader)[i]
        assert float(found.margins[k]) == pytest.approx(float(moved), abs=1e-10)
        assert float(found.at_rest[k]) == pytest.approx(float(rest), abs=1e-10)
    other = sampled_margins(TOKENS, CODES, reader, num_pairs=70, seed=4)
    assert not torch.equal(found.tokens, other.tokens)


def test_a_lonely_or_doubled_token_has_no_wall() -> None:
    for tokens in (torch.ones(1, 2), torch.ones(2, 2)):
        assert sampled_margins(tokens, torch.ones(1, 2), num_pairs=2).margins.isinf().all()


def test_bad_inputs_are_refused() -> None:
    with pytest.raises(ShapeError, match="'codes' must be as wide"):
        shared_spectrum(TOKENS, CODES[:, :3])
    with pytest.raises(DataError, match="'codes' holds NaN"):
        shared_spectrum(TOKENS, CODES / 0)
    with pytest.raises(ShapeError, match="'tokens' needs the axes"):
        sampled_margins(TOKENS[:0], CODES)
    with pytest.raises(ConfigError, match="'num_pairs' must be at least 1"):
        sampled_margins(TOKENS, CODES, num_pairs=0)
    with pytest.raises(UnknownNameError, match="cosine"):
        sampled_margins(TOKENS, CODES, "cosin")
