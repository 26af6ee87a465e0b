"""Intervals, means and tests over seeds against scipy, brute force and constructed cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orthogan.errors import ConfigError
from orthogan.statistics import (
    POSITIVE,
    REAL,
    SHARE,
    UNBIASED,
    Interval,
    Range,
    correlation_interval,
    jackknife_interval,
    mean_interval,
    share_interval,
    sign_flips,
)
from orthogan.statistics.decisions import decide
from orthogan.statistics.paired import Mean, holm, holm_levels, mean_over_seeds, paired_test
from orthogan.statistics.sign_flips import SignFlips
from orthogan.statistics.student import Z, student_quantile, student_tail

NUMBERS = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 30, 99])
def test_the_t_distribution_is_that_of_scipy(freedom: int) -> None:
    for t in (0.0, 1e-6, 0.3, 1.0, 2.5, 7.0, 40.0):
        # scipy at one degree of freedom is right to 1e-10 only.
        assert student_tail(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-10)
    for confidence in (0.5, 0.95, 0.999):
        expected = stats.t.ppf((1 + confidence) / 2, freedom)
        assert student_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("t", [1e-6, 0.3, 1.0, 7.0, 1e3])
def test_the_t_distribution_in_closed_form(t: float) -> None:
    """Cauchy's arctangent for one degree of freedom, a root for two."""
    assert student_tail(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), abs=1e-12)
    assert student_tail(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-12)


def test_an_infinite_t_leaves_nothing() -> None:
    assert student_tail(math.inf, 4) == 0.0


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_intervals_are_those_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    found = mean_over_seeds(list(values))
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), low, high))
    assert found.n == n


def test_one_seed_has_no_interval() -> None:
    found = mean_over_seeds([0.25])
    assert (found.value, found.low, found.high, found.n) == (0.25, None, None, 1)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 12])
def test_both_tests_are_those_of_scipy(n: int) -> None:
    source = np.random.default_rng(n)
    first, second = source.normal(size=n), source.normal(0.8, 1.5, size=n)
    found = paired_test(list(second - first))
    assert found.t == pytest.approx(stats.ttest_rel(second, first).pvalue, rel=1e-9)
    flipped = stats.permutation_test(
        (second, first), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=2**n
    )
    assert found.sign_flip == pytest.approx(flipped.pvalue, rel=1e-12)
    assert found.is_exact


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=8))
def test_the_sign_flip_test_counts_every_pattern(differences: list[float]) -> None:
    sums = [
        abs(math.fsum(sign * each for sign, each in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    as_large = sum(each >= abs(math.fsum(differences)) - 1e-9 for each in sums)
    found = paired_test(differences)
    assert found.sign_flip == as_large / len(sums)
    assert found.sign_flip >= found.least


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=8), st.floats(0.1, 10))
def test_the_sign_and_scale_of_differences_do_not_matter(
    differences: list[float], scale: float
) -> None:
    found = paired_test(differences)
    moved = paired_test([-scale * each for each in differences])
    assert moved.sign_flip == found.sign_flip
    assert moved.mean.value == pytest.approx(-scale * found.mean.value, abs=1e-9)
    if found.t is not None and moved.t is not None:
        assert moved.t == pytest.approx(found.t, rel=1e-6, abs=1e-12)


def test_known_cases() -> None:
    same_sign = paired_test([0.5, 1.0, 0.25, 0.75, 0.1])
    assert same_sign.sign_flip == same_sign.least == 1 / 16
    assert paired_test([1.0, -1.0]).sign_flip == 1.0
    none = paired_test([0.0, 0.0, 0.0])
    assert (none.t, none.sign_flip) == (1.0, 1.0)
    constant = paired_test([0.1, 0.1, 0.1])
    assert (constant.t, constant.sign_flip) == (None, 0.25)


def test_sums_that_differ_by_rounding_alone_are_equal() -> None:
    assert paired_test([0.1, 0.2, -0.3]).sign_flip == 1.0


def test_many_pairs_are_sampled_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = list(np.random.default_rng(3).normal(0.5, 1.0, 12))
    exact = paired_test(differences)
    monkeypatch.setattr(sign_flips, "MAX_EXACT", 11)
    sampled = paired_test(differences)
    assert not sampled.is_exact
    error = math.sqrt(exact.sign_flip * (1 - exact.sign_flip) / sign_flips.NUM_SAMPLED)
    assert abs(sampled.sign_flip - exact.sign_flip) < 5 * error
    assert paired_test(differences).sign_flip == sampled.sign_flip
    assert paired_test([1.0] * 40 + [1.5]).sign_flip == sampled.least


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=7))
def test_holm_rejects_what_its_steps_reject(p_values: list[float]) -> None:
    """The step-down procedure itself, at several levels, decides like the corrected values."""
    named = {str(index): value for index, value in enumerate(p_values)}
    corrected = holm(named)
    assert list(corrected) == list(named)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for rank, name in enumerate(sorted(named, key=lambda each: named[each])):
            if (len(named) - rank) * named[name] > level:
                break
            rejected.add(name)
        assert {name for name, value in corrected.items() if value <= level} == rejected


def test_holm_by_hand() -> None:
    """4 x 0.01; 3 x 0.02; 2 x 0.03 ties with it; 1 x 0.9."""
    found = holm({"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.9})
    assert list(found.values()) == pytest.approx([0.04, 0.06, 0.06, 0.9])
    assert holm({}) == {}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mean_over_seeds([]), "At least one number is needed in values"),
        (lambda: mean_over_seeds([1.0, math.nan]), "values must be finite, got nan"),
        (lambda: paired_test([1.0]), "at least 2 differences, got 1"),
        (lambda: paired_test([1.0, math.inf]), "differences must be finite, got inf"),
        (lambda: holm({"x": 1.5}), r"lies in \[0, 1\], got 1.5 for 'x'"),
        (lambda: holm({"x": math.nan}), "got nan for 'x'"),
    ],
)
def test_impossible_numbers_are_refused(call, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        call()


# ---- intervals


@pytest.mark.parametrize("freedom", [400, 401, 1000, 59_999])
def test_points_of_many_degrees_of_freedom_are_those_of_scipy(freedom: int) -> None:
    for confidence in (0.95, 0.999):
        expected = stats.t.ppf((1 + confidence) / 2, freedom)
        assert student_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-11)
    assert pytest.approx(stats.norm.ppf(0.975), rel=1e-15) == Z


@pytest.mark.parametrize(("count", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (399, 400)])
def test_intervals_of_shares_are_those_of_scipy(count: int, n: int) -> None:
    expected = stats.binomtest(count, n).proportion_ci(0.95, "wilson")
    assert tuple(share_interval(count / n, n)) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 20, 500])
def test_intervals_of_means_are_those_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).exponential(size=n)
    expected = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert tuple(mean_interval(torch.from_numpy(values))) == pytest.approx(expected, rel=1e-10)


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    values = np.random.default_rng(0).exponential(size=20)
    expected = stats.t.interval(0.95, 19, values.mean(), stats.sem(values))
    rows = torch.from_numpy(values)
    found = jackknife_interval(lambda kept: float(kept.mean()), rows)
    assert tuple(found) == pytest.approx(expected, rel=1e-10)
    cut = jackknife_interval(lambda kept: float(kept.mean()), rows, bounds=(0.9, 1.0))
    assert tuple(cut) == (max(found.low, 0.9), min(found.high, 1.0))


@pytest.mark.parametrize(("value", "n"), [(0.0, 10), (0.6, 50), (-0.9, 7)])
def test_intervals_of_correlations_turn_back_to_their_errors(value: float, n: int) -> None:
    """On Fisher's scale they are normal with the error of Bonett and Wright."""
    low, high = correlation_interval(value, n)
    error = math.sqrt((1 + value**2 / 2) / (n - 3))
    z = stats.norm.ppf(0.975)
    assert math.atanh(low) == pytest.approx(math.atanh(value) - z * error, rel=1e-9)
    assert math.atanh(high) == pytest.approx(math.atanh(value) + z * error, rel=1e-9)
    assert correlation_interval(value, 3) == (-1, 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=7), st.sampled_from([0.03, 0.05, 0.25, 0.6]))
def test_the_sign_flip_interval_holds_what_the_test_keeps(
    differences: list[float], level: float
) -> None:
    """Each shift of a grid, tested by itself: kept inside, refused outside."""
    low, high = SignFlips(tuple(differences)).interval(level)
    spread = max(differences) - min(differences) + 1
    for shift in np.linspace(min(differences) - spread, max(differences) + spread, 41):
        if min(abs(shift - low), abs(shift - high)) < 1e-6 * spread:
            continue
        share = SignFlips(tuple(each - shift for each in differences)).share
        assert (low < shift < high) == (share >= level)


def test_a_sign_flip_interval_by_hand() -> None:
    """Means of 1, 2, 4 and of pairs: the second smallest of 1, 4/3 with all, 3/2, 2."""
    flips = SignFlips((1.0, 2.0, 4.0))
    assert flips.interval(0.3) == (1.0, 4.0)
    assert flips.interval(0.51) == pytest.approx((1.5, 3.0))
    assert flips.interval(0.25) == (-math.inf, math.inf)


def test_a_sampled_sign_flip_interval_is_close_to_the_exact_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    differences = tuple(np.random.default_rng(3).normal(0.5, 1.0, 14))
    exact = SignFlips(differences).interval(0.05)
    monkeypatch.setattr(sign_flips, "MAX_EXACT", 13)
    sampled = SignFlips(differences)
    assert tuple(sampled.interval(0.05)) == pytest.approx(tuple(exact), abs=0.02)
    assert not sampled.is_exact


# ---- ranges


RANGES = (REAL, POSITIVE, SHARE, UNBIASED, Range(1.0), Range(0.0, 1000.0))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RANGES), st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_intervals_of_means_stay_where_scores_can_lie(within: Range, shares: list[float]) -> None:
    if math.isfinite(within.highest):
        values = [within.lowest + (within.highest - within.lowest) * share for share in shares]
    else:
        start = within.lowest if math.isfinite(within.lowest) else -0.5
        values = [start + 10 * share for share in shares]
    mean = mean_over_seeds(values, within)
    assert within.lowest <= mean.low <= mean.value <= mean.high <= within.highest
    if max(values) - min(values) > 1e-6 * within.highest:
        assert mean.low < mean.high


def test_known_means_that_left_their_range() -> None:
    """A distance of -7.7, 157 of 100 modes, an accuracy above 1: none of them is possible."""
    distance = mean_over_seeds([2.0, 5.0], POSITIVE)
    t = student_quantile(0.95, 1)
    assert (distance.low, distance.high) == pytest.approx(
        (3.5 * math.exp(-t * 1.5 / 3.5), 3.5 * math.exp(t * 1.5 / 3.5))
    )
    modes = mean_over_seeds([60.0, 90.0, 99.0], Range(0.0, 100.0))
    assert 0 < modes.low < 83 < modes.high < 100
    slope = 4.302652729911275 * stats.sem([60.0, 90.0, 99.0]) * 100 / (83 * 17)
    assert modes.high == pytest.approx(100 / (1 + math.exp(-math.log(83 / 17) - slope)))
    accuracy = mean_over_seeds([0.99, 0.97], SHARE)
    assert 0 < accuracy.low < 0.98 < accuracy.high < 1
    assert mean_over_seeds([1.0, 1.0], SHARE) == Mean(1.0, 1.0, 1.0, 2)
    by_chance = mean_over_seeds([-0.2, 0.1], UNBIASED)
    assert by_chance.low == by_chance.value == pytest.approx(-0.05)


def test_far_from_its_ends_an_interval_is_that_of_student() -> None:
    values = [1000.0, 1000.5, 1001.0]
    plain = mean_over_seeds(values)
    for within in (POSITIVE, Range(0.0, 1e6)):
        found = mean_over_seeds(values, within)
        assert (found.low, found.high) == pytest.approx((plain.low, plain.high), rel=1e-5)


@pytest.mark.parametrize("n", [3, 5, 8])
@pytest.mark.parametrize(
    ("draw", "truth", "within"),
    [
        (lambda source, shape: source.lognormal(0, 0.5, shape), math.exp(0.125), POSITIVE),
        (lambda source, shape: source.gamma(2, 1, shape), 2.0, POSITIVE),
        (lambda source, shape: source.beta(50, 2, shape), 50 / 52, SHARE),
        (lambda source, shape: source.beta(2, 2, shape), 0.5, SHARE),
    ],
    ids=["lognormal", "gamma", "near one", "middle"],
)
def test_intervals_hold_the_truth_as_often_as_they_say(draw, truth, within, n: int) -> None:
    """And no less often than the plain interval of Student, cut at the ends."""
    values = draw(np.random.default_rng(n), (2000, n))
    found = [mean_over_seeds(list(row), within) for row in values]
    plain = [mean_over_seeds(list(row)) for row in values]
    ours = np.mean([each.low <= truth <= each.high for each in found])
    theirs = np.mean([each.low <= truth <= each.high for each in plain])
    assert 0.92 < ours < 0.975
    assert ours > theirs - 0.005


def test_cut_intervals_hold_their_value() -> None:
    assert SHARE.cut(Interval(-0.1, 1.2), 0.5) == (0.0, 1.0)
    assert SHARE.cut(Interval(0.2, 0.3), 0.25) == (0.2, 0.3)
    assert UNBIASED.cut(Interval(-0.3, 0.2), 0.1) == (0.0, 0.2)
    assert UNBIASED.cut(Interval(-0.3, -0.1), -0.2) == (-0.2, -0.1)
    assert Range(0.0, 3.0).differences.cut(Interval(-9.0, 9.0), 1.0) == (-3.0, 3.0)
    assert POSITIVE.differences.cut(Interval(-9.0, 9.0), 1.0) == (-9.0, 9.0)


@pytest.mark.parametrize("small", [6.8e-189, 1e-300])
def test_differences_whose_squares_vanish_are_tested_all_the_same(small: float) -> None:
    found, same = paired_test([0.0, small]), paired_test([0.0, 1.0])
    assert found.t == pytest.approx(same.t, rel=1e-9)


# ---- decisions


SCORES = st.one_of(
    st.floats(-2, 2).map(lambda value: round(value, 1)),  # with many ties
    st.floats(-1e3, 1e3),
    st.floats(0.8, 1.2),  # differences that are clear
)
SAMPLES = st.lists(
    st.integers(2, 9).flatmap(lambda n: st.lists(SCORES, min_size=n, max_size=n)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(SAMPLES, st.sampled_from([REAL, Range(-1.0, 1.0)]))
def test_a_claim_is_made_just_where_its_interval_leaves_out_zero(samples, within) -> None:
    named = {str(index): sample for index, sample in enumerate(samples)}
    for name, decision in decide(named, within).items():
        if decision.interval is None:
            assert decision.t is None
            assert decision.sign_flip_level is None
            assert not decision.differs
            continue
        low, high = decision.interval
        assert decision.differs == (not low <= 0 <= high), (name, decision)
        mean = decision.test.mean.value
        assert low <= mean <= high or abs(mean) > within.highest
        p_values = [] if decision.t is None else [decision.t]
        p_values += [] if decision.sign_flip_level is None else [decision.sign_flip]
        assert decision.differs == all(p < 0.05 for p in p_values)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_a_decision_at_each_level(p_values: list[float]) -> None:
    named = {str(index): value for index, value in enumerate(p_values)}
    levels, corrected = holm_levels(named, 0.05), holm(named)
    for name, p in named.items():
        if abs(p - levels[name]) > 1e-12:
            assert (p < levels[name]) == (corrected[name] < 0.05)
        assert 0.05 / len(named) <= levels[name] * (1 + 1e-12)
        assert levels[name] <= 0.05


@pytest.mark.parametrize("seed", range(4))
def test_decisions_are_those_of_scipy_and_holm_by_hand(seed: int) -> None:
    source = np.random.default_rng(seed)
    samples = {
        name: source.normal(shift, 1, 9) for name, shift in zip("abc", (1.6, 1.0, 0.2), strict=True)
    }
    t = {name: stats.ttest_1samp(each, 0).pvalue for name, each in samples.items()}
    flip = {
        name: stats.permutation_test(
            (each,), np.mean, permutation_type="samples", n_resamples=2**9
        ).pvalue
        for name, each in samples.items()
    }
    found = decide({name: list(each) for name, each in samples.items()})
    for p_values, part in ((t, "t"), (flip, "sign_flip")):
        first, second, third = sorted(p_values, key=p_values.__getitem__)
        steps = {first: min(1, 3 * p_values[first])}
        steps[second] = max(steps[first], min(1, 2 * p_values[second]))
        steps[third] = max(steps[second], p_values[third])
        for name, expected in steps.items():
            assert getattr(found[name], part) == pytest.approx(expected, rel=1e-9), (part, name)
    for name, decision in found.items():
        both = decision.t < 0.05 and decision.sign_flip < 0.05
        assert decision.differs == both
        each = samples[name]
        low, high = stats.t.interval(1 - decision.t_level, 8, each.mean(), stats.sem(each))
        assert decision.interval.low <= low + 1e-9
        assert decision.interval.high >= high - 1e-9


def test_differences_that_differ_by_rounding_alone_have_no_spread() -> None:
    first = [0.1, 0.2, 0.3]
    (found,) = decide({"b": [(x + 0.05) - x for x in first]}).values()
    assert (found.t, found.interval, found.differs) == (None, None, False)
    (many,) = decide({"b": [(x / 10 + 0.05) - x / 10 for x in range(8)]}).values()
    assert many.t is None
    assert many.differs
    assert tuple(many.interval) == pytest.approx((0.05, 0.05))
    (none,) = decide({"b": [0.0, 0.0, 0.0]}).values()
    assert (none.t, none.interval, none.differs) == (1.0, (0, 0), False)


def test_differences_without_spread_count_among_those_looked_at() -> None:
    clear = [1.0, 1.2, 0.9, 1.1, 0.7]
    alone, among = decide({"b": clear})["b"], decide({"b": clear, "c": [2.0] * 5})["b"]
    assert among.t == pytest.approx(2 * alone.t)
    assert among.t_level == pytest.approx(0.025)
