"""What a look at the geometry says of a collapse: one number a kind, 0 healthy and 1 complete."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def geometry_signs(look: Mapping[str, Any]) -> dict[str, float]:
    """The signs of one look of `gan.signals`; some networks lack some of them.

    >>> geometry_signs({"mode_collapse": 0.25})
    {'mode_collapse': 0.25}
    """
    named = ("mode_collapse", "generator_rank_collapse", "discriminator_rank_collapse")
    found = {name: look.get(name) for name in named}
    for player in ("generator", "discriminator"):
        found[f"{player}_entropy_collapse"] = _sharpest(look.get(player, {}))
    ranks = look.get("discriminator", {}).get("features", {})
    real = ranks.get("real_rank")
    if real:
        found["dimension_collapse"] = max(1 - ranks["fake_rank"] / real, 0.0)
    return {name: value for name, value in found.items() if value is not None}


def _sharpest(player: Mapping[str, Any]) -> float | None:
    """How far the mean head of the sharpest layer is from reading all tokens alike."""
    sharp = [
        1 - sum(layer["entropy"]) / len(layer["entropy"]) / math.log(layer["tokens"])
        for layer in player.get("attention", {}).values()
        if layer.get("tokens", 0) > 1
    ]
    return max(sharp, default=None)
