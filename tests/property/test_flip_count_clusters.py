"""Crowded tokens of small tables of integers, in small parts, against brute force in integers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogan.geometry.identity._counting import candidates, guarded, many_candidates, pairs
from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.margins import identity_margin, tolerance

pytestmark = pytest.mark.usefixtures("one_thread")


FINE = 2**22  # steps a unit: codes one step beyond a wall, which float32 cannot tell, are met


def flips_of(tokens: Tensor, steps: Tensor, reader: str, bias: Tensor) -> Tensor:
    """Which tokens flip where, in integers: rows of tokens, columns of positions."""
    places = 2 * FINE * tokens[:, None] + steps
    scores = (places @ tokens.T).numpy().astype(object)
    squares = tokens.square().sum(1).numpy().astype(object)
    own = range(len(tokens))
    if reader == "cosine":  # by signed squares, over a common denominator
        scores = scores * abs(scores)
        ahead = scores * squares[:, None, None] > scores[own, :, own][:, :, None] * squares
    else:
        scores = scores + FINE * (-squares if reader == "euclidean" else 2 * bias.numpy())
        ahead = scores > scores[own, :, own][:, :, None]
    return torch.from_numpy(ahead.any(2).astype(bool))


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Different tokens, none of them zero; codes in steps, near halves or parts of them; biases."""
    width = draw(st.integers(1, 3))
    row = st.tuples(*[st.integers(-4, 4)] * width)
    nudge = st.tuples(*[st.integers(-1, 1)] * width)
    tokens = draw(st.lists(row.filter(any), min_size=5, max_size=14, unique=True).map(torch.tensor))
    halves = draw(st.lists(row, min_size=1, max_size=9).map(torch.tensor))
    nudges = draw(st.lists(nudge, min_size=len(halves), max_size=len(halves)).map(torch.tensor))
    bias = draw(st.lists(st.integers(-9, 9), min_size=len(tokens), max_size=len(tokens)))
    shorter = draw(st.sampled_from((1, 1, 8, 64)))  # some tables without a flip
    return tokens, FINE // shorter * halves + nudges, torch.tensor(bias)


SMALL = st.integers(1, 4)


@pytest.mark.parametrize("reader", ["euclidean", "cosine", "logits"])
@given(
    table=clusters(),
    near=SMALL,
    group=SMALL,
    rows=SMALL,
    values=st.integers(1, 40),
    keep=st.integers(1, 40),
)
@settings(max_examples=25, deadline=None)
def test_crowded_tokens_flip_where_integers_say(
    reader: str, table: tuple, near: int, group: int, rows: int, values: int, keep: int
) -> None:
    tokens, steps, bias = table
    flips = flips_of(tokens, steps, reader, bias)
    numbers, codes = tokens.double(), steps.double() / (2 * FINE)
    extra = bias.double() if reader == "logits" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "MAX_CANDIDATES", 0)
        patch.setattr(many_candidates, "NEAR", near)
        patch.setattr(many_candidates, "ROWS_AT_ONCE", rows)
        patch.setattr(guarded, "GROUP", group)
        patch.setattr(pairs, "BLOCK_VALUES", values)
        found = count_flips(numbers, codes, reader, extra, keep=keep)
    assert torch.equal(found.flips_per_token, flips.sum(1))
    assert torch.equal(found.flips_per_position, flips.sum(0))
    margins = torch.stack([identity_margin(numbers, code, reader, extra) for code in codes], 1)
    deepest = margins[flips].sort().values[:keep]
    kept = torch.tensor([flip.margin for flip in found.worst_flips], dtype=torch.float64)
    torch.testing.assert_close(kept, deepest, rtol=1e-9, atol=1e-12)
    first = min(float(tolerance(numbers, code, reader, extra).min()) for code in codes)
    assert found.tolerance == pytest.approx(first if first < 1000 else math.inf, rel=1e-9)
