"""Durations, counts and lists of seeds as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.cli.amounts import MOST_SEEDS, parse_count, parse_minutes, parse_numbers
from orthogan.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("5m", 5),
        ("90s", 1.5),
        ("1h30m", 90),
        ("2d", 2880),
        ("1.5h", 90),
        (" 5M ", 5),
        ("1m1s", 61 / 60),
    ],
)
def test_durations(text: str, minutes: float) -> None:
    assert parse_minutes(text) == pytest.approx(minutes)


@pytest.mark.parametrize(
    "text", ["", "0", "0m", "5", "m", "-5m", "5 minutes", "1m1h", "1e3s", "nan"]
)
def test_unusable_durations(text: str) -> None:
    with pytest.raises(ConfigError, match="duration") as caught:
        parse_minutes(text)
    assert f"'{text}'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "count"), [("10000", 10_000), ("500k", 500_000), ("2M", 2_000_000), ("1_000", 1_000)]
)
def test_counts(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0k", "-1", "1.5", "0.0001k", "many", "1G", "inf"),
        *(str(2**54), "9" * 400, "9" * 5000, "1" + "0" * 400 + "k", "10000000000000M"),
    ],
)
def test_unusable_counts(text: str) -> None:
    with pytest.raises(ConfigError, match="count"):
        parse_count(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "-1", "3-1", "1,,2", "1-", "0-9999999999", f"0-{MOST_SEEDS}", str(2**63)),
        *("9" * 5000, "0-" + "9" * 5000, "9" * 21 + "-" + "9" * 21),
    ],
)
def test_unusable_seeds(text: str) -> None:
    with pytest.raises(ConfigError, match="seeds"):
        parse_numbers(text)


def test_zeros_ahead_of_a_seed_change_nothing() -> None:
    assert parse_numbers(f"{'0' * 5000}7,00-01,{2**63 - 1}") == [7, 0, 1, 2**63 - 1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 20)), min_size=1, max_size=9))
def test_ranges_hold_both_ends_in_order(ranges: list[tuple[int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}" for first, more in ranges)
    expected = [n for first, more in ranges for n in range(first, first + more + 1)]
    assert parse_numbers(text) == expected
