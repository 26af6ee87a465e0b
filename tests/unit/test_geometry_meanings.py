"""Analogies, similarities and shortened codes: against brute force, scipy and planted answers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry import count_flips, identity_margin, shorten_to
from orthogan.geometry.identity import (
    analogy_hits,
    best_scale_limit,
    critical_factors,
    rank_correlation,
    similarity_score,
    solved_share,
    tolerance,
)
from orthogan.rng import normal, stream

TOKENS = normal((30, 5), stream(0, "meanings-tokens"))
CODES = normal((7, 5), stream(0, "meanings-codes"))
QUESTIONS = torch.from_numpy(stream(0, "questions").permuted(
    torch.arange(30).repeat(25, 1).numpy(), axis=1
))[:, :4]  # fmt: skip


def solved_by_hand(question: list[int]) -> bool:
    first, second, third, fourth = question
    unit = TOKENS.double() / TOKENS.double().norm(dim=1, keepdim=True)
    sought = unit[second] - unit[first] + unit[third]
    ranked = sorted(range(30), key=lambda row: -float(unit[row] @ sought))
    return next(row for row in ranked if row not in (first, second, third)) == fourth


def test_analogies_are_those_of_a_loop() -> None:
    answers = torch.tensor([[solved_by_hand([a, b, c, d]) for d in range(30)] for a, b, c, _ in
                            QUESTIONS.tolist()]).int().argmax(1)  # fmt: skip
    asked = torch.cat([QUESTIONS[:, :3], answers[:, None]], 1)
    assert analogy_hits(TOKENS, asked).tolist() == [[True] * 25]
    wrong = asked.clone()
    wrong[:, 3] = (answers + 1) % 30
    assert not analogy_hits(TOKENS, wrong).any()


def test_displaced_words_are_asked_at_drawn_positions() -> None:
    still = torch.zeros(3, 5)
    plain = analogy_hits(TOKENS, QUESTIONS)
    assert torch.equal(analogy_hits(TOKENS, QUESTIONS, still, num_draws=2), plain.expand(2, -1))
    pairs, judged = QUESTIONS[:, :2], torch.arange(25.0)
    scores = {
        (draws, seed): similarity_score(
            TOKENS, pairs, judged, CODES, num_draws=draws, seed=seed
        ).value
        for draws in (1, 4)
        for seed in (0, 1)
    }
    assert len(set(scores.values())) == 4
    assert similarity_score(TOKENS, pairs, judged, still).value == pytest.approx(
        similarity_score(TOKENS, pairs, judged).value, abs=1e-12
    )


def test_one_position_displaces_every_word_alike() -> None:
    moved = TOKENS + CODES[:1]
    pairs, judged = QUESTIONS[:, :2], torch.arange(25.0)
    at_it = similarity_score(TOKENS, pairs, judged, CODES[:1])
    assert at_it.value == pytest.approx(similarity_score(moved, pairs, judged).value, abs=1e-12)
    assert at_it.spread == pytest.approx(0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    left, right = torch.tensor(pairs).double().T
    found = rank_correlation(left, right)
    if len(set(left.tolist())) == 1 or len(set(right.tolist())) == 1:
        assert found == 0
    else:
        assert found == pytest.approx(spearmanr(left, right).statistic, abs=1e-12)
        assert rank_correlation(right.exp(), left) == pytest.approx(found, abs=1e-12)


def test_intervals_hold_their_value_and_shrink() -> None:
    pairs = QUESTIONS[:, :2]
    unit = TOKENS / TOKENS.norm(dim=1, keepdim=True)
    cosines = (unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(1)
    noisy = cosines + 0.5 * normal((25,), stream(0, "noise"))
    few = similarity_score(TOKENS, pairs[:6], noisy[:6])
    many = similarity_score(TOKENS, pairs, noisy)
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    assert many.high - many.low < few.high - few.low
    assert similarity_score(TOKENS, pairs[:3], noisy[:3]).low == -1
    assert similarity_score(TOKENS, pairs, cosines).low == pytest.approx(1)
    share = solved_share(torch.tensor([[True] * 5 + [False] * 5]))
    assert (share.value, share.n, share.spread) == (0.5, 10, 0.0)
    assert 0.2 < share.low < 0.3
    assert share.high == pytest.approx(1 - share.low)


def test_wrong_questions_are_refused() -> None:
    judged = torch.ones(1)
    pair = torch.tensor([[0, 1]])
    for wrong, error, words in (
        (lambda: analogy_hits(TOKENS, QUESTIONS[:, :3]), ShapeError, "4 words"),
        (lambda: analogy_hits(TOKENS, QUESTIONS[:0]), ShapeError, "must be one"),
        (lambda: analogy_hits(TOKENS, QUESTIONS + 30), DataError, r"0\.\.29"),
        (lambda: analogy_hits(TOKENS, QUESTIONS, CODES, num_draws=0), ConfigError, "num_draws"),
        (lambda: similarity_score(0 * TOKENS, pair, judged), DataError, "no direction"),
        (lambda: similarity_score(TOKENS, pair, torch.ones(2)), ShapeError, "judged"),
        (lambda: similarity_score(TOKENS, pair, judged / 0), DataError, "judged"),
        (lambda: solved_share(torch.zeros(0, 3, dtype=torch.bool)), ShapeError, "draws"),
    ):
        with pytest.raises(error, match=words):
            wrong()


def test_critical_factors_are_the_tolerances_of_every_pair() -> None:
    wide = TOKENS.double()
    expected = torch.cat([tolerance(wide, code) for code in CODES.double()]).sort().values
    found = critical_factors(TOKENS, CODES)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=0)
    sampled = critical_factors(TOKENS, CODES, 50, seed=1)
    assert len(sampled) == 50
    assert bool(torch.isin(sampled.round(decimals=6), found.round(decimals=6)).all())
    assert not torch.equal(sampled, critical_factors(TOKENS, CODES, 50, seed=2))
    with pytest.raises(ConfigError, match="num_pairs"):
        critical_factors(TOKENS, CODES, 0)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_shortened_codes_keep_within_the_share_and_no_shorter_than_needed(share: float) -> None:
    codes = 5 * CODES
    found = shorten_to(TOKENS, codes, share)
    assert found.flip_count.flips / 210 <= share
    assert torch.equal(found.codes, (found.factor * codes.double()).float())
    by_hand = sum(int((identity_margin(TOKENS, code) < 0).sum()) for code in found.codes)
    assert by_hand == found.flip_count.flips == int(share * 210)
    assert count_flips(TOKENS, 1.5 * found.codes).flips / 210 > share


def test_short_codes_are_left_as_they_are() -> None:
    found = shorten_to(TOKENS, 1e-6 * CODES)
    assert (found.factor, found.flip_count.flips) == (1.0, 0)
    for share in (0.0, 1.0):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            shorten_to(TOKENS, CODES, share)


def test_the_best_allowance_leaves_most_of_the_positions() -> None:
    short, long = shorten_to(TOKENS, CODES, 0.01), shorten_to(TOKENS, CODES, 0.3, name="long")
    assert best_scale_limit([short, long]) is long
    assert best_scale_limit([]) is None
