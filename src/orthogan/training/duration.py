"""Time spans for people."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A time span for people.

    >>> duration(42.3), duration(312.0), duration(7384.0)
    ('42 s', '5 min 12 s', '2 h 3 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
