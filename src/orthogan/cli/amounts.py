"""What people write for times, counts and lists of seeds."""

from __future__ import annotations

import re

from orthogan.errors import ConfigError

LARGEST_SEED = 2**63 - 1
MOST_SEEDS = 1_000_000  # 28 x 28 grey images of them take 0.8 GB
LARGEST_COUNT = 2**53  # above, the numbers with a point or a unit are not exact

_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?"
    r"(?:(\d+(?:\.\d+)?)s)?"
)
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kM]?)", re.IGNORECASE)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def parse_minutes(text: str) -> float:
    """Minutes in a duration such as `5m`, `90s`, `1h30m` or `2d`.

    Raises:
        ConfigError: not a duration, or not above zero.

    >>> parse_minutes("1h30m")
    90.0
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise ConfigError(f"Expected a duration such as 5m, 90s or 1h30m, got '{text}'.")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    total = days * 1440 + hours * 60 + minutes + seconds / 60
    if total <= 0:
        raise ConfigError(f"A duration is above zero, got '{text}'.")
    return total


def parse_count(text: str) -> int:
    """The number in a count such as `500k`, `2M` or `10000`.

    Raises:
        ConfigError: not a count, or not a whole number above zero.

    >>> parse_count("1.5k")
    1500
    """
    match = _COUNT.fullmatch(text.strip().replace("_", ""))
    if match is None:
        raise ConfigError(f"Expected a count such as 10000, 500k or 2M, got '{text}'.")
    count = float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()]
    if count > LARGEST_COUNT:
        raise ConfigError(f"A count is at most {LARGEST_COUNT}, got '{text}'.")
    if count < 1 or count != int(count):
        raise ConfigError(f"A count is a whole number above zero, got '{text}'.")
    return int(count)


def parse_numbers(text: str, what: str = "seeds") -> list[int]:
    """The numbers in a list of numbers and ranges, both ends included, in the order written.

    Raises:
        ConfigError: not such a list, a backward range, or too many or too large numbers.

    >>> parse_numbers("0-3,70,5-6")
    [0, 1, 2, 3, 70, 5, 6]
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ConfigError(f"Expected {what} such as 0-63 or 3,7,10-12, got '{text}'.")
        first, last = _whole(match[1]), _whole(match[2] or match[1])
        if last < first:
            raise ConfigError(f"A range of {what} goes upward, got '{part.strip()}'.")
        if last > LARGEST_SEED:
            raise ConfigError(f"The largest of {what} can be {LARGEST_SEED}, got '{part.strip()}'.")
        if len(numbers) + last - first + 1 > MOST_SEEDS:
            raise ConfigError(f"At most {MOST_SEEDS} {what} at a time, got '{text}'.")
        numbers += range(first, last + 1)
    return numbers


def _whole(digits: str) -> int:
    """The number; of one with more digits than `LARGEST_SEED` the first 20, which exceed it too."""
    return int(digits.lstrip("0")[:20] or "0")  # Python refuses to read thousands of digits
