"""Means and tests over seeds against scipy, brute force and constructed cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orthogan.comparison import statistics
from orthogan.comparison.statistics import (
    holm,
    mean_over_seeds,
    paired_test,
    student_quantile,
    student_tail,
)
from orthogan.errors import ConfigError

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
    monkeypatch.setattr(statistics, "MAX_EXACT", 11)
    sampled = paired_test(differences)
    assert not sampled.is_exact
    error = math.sqrt(exact.sign_flip * (1 - exact.sign_flip) / statistics.NUM_SAMPLED)
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
