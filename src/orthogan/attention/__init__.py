"""Attention: scores, the layer that composes them, and position codes."""

from orthogan.attention.layer import Attention
from orthogan.attention.positions import PositionCode, position_names
from orthogan.attention.scores import attend, attention_weights, score_names

__all__ = [
    "Attention",
    "PositionCode",
    "attend",
    "attention_weights",
    "position_names",
    "score_names",
]
