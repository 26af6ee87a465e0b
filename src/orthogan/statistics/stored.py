"""A score with its interval as files hold it."""

from __future__ import annotations

from pydantic import BaseModel


class ScoreShape(BaseModel):
    """Value, both ends of its interval, floor, sample size."""

    value: float
    low: float
    high: float
    floor: float
    n: int
