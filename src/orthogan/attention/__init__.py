"""Attention: scores, keys, the layer that composes them, and position codes."""

from orthogan.attention.inside import PositionsInside
from orthogan.attention.keys import key_names
from orthogan.attention.layer import Attention
from orthogan.attention.masks import causal_mask
from orthogan.attention.orders import order_costs, read
from orthogan.attention.orthogonal import OrthogonalCode
from orthogan.attention.positions import PositionCode, position_names
from orthogan.attention.rotary import Rotary, grid_coordinates, line_coordinates
from orthogan.attention.scores import attend, attention_weights, register_score, score_names
from orthogan.attention.untied import UntiedPositions

__all__ = [
    "Attention",
    "OrthogonalCode",
    "PositionCode",
    "PositionsInside",
    "Rotary",
    "UntiedPositions",
    "attend",
    "attention_weights",
    "causal_mask",
    "grid_coordinates",
    "key_names",
    "line_coordinates",
    "order_costs",
    "position_names",
    "read",
    "register_score",
    "score_names",
]
