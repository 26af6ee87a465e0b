"""When a position code turns a token into another one: exact flip counts, margins, corrections."""

from orthogan.geometry.identity.corrections import (
    Correction,
    compare_corrections,
    projected_codes,
    scaled_codes,
)
from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.decision_rules import DECISION_RULES
from orthogan.geometry.identity.flip_count import Flip, FlipCount
from orthogan.geometry.identity.margin_sample import MarginSample, sampled_margins
from orthogan.geometry.identity.margins import (
    identity_margin,
    is_perpendicular,
    safe_radius,
    tolerance,
)
from orthogan.geometry.identity.meanings import (
    Meaning,
    analogy_hits,
    rank_correlation,
    similarity_score,
    solved_share,
)
from orthogan.geometry.identity.recovery import Recovery, linear_r2, principal_angles, recover
from orthogan.geometry.identity.scale_limit import (
    ScaleLimit,
    best_scale_limit,
    critical_factors,
    shorten_to,
)
from orthogan.geometry.identity.superposition import Coincidence

__all__ = [
    "DECISION_RULES",
    "Coincidence",
    "Correction",
    "Flip",
    "FlipCount",
    "MarginSample",
    "Meaning",
    "Recovery",
    "ScaleLimit",
    "analogy_hits",
    "best_scale_limit",
    "compare_corrections",
    "count_flips",
    "critical_factors",
    "identity_margin",
    "is_perpendicular",
    "linear_r2",
    "principal_angles",
    "projected_codes",
    "rank_correlation",
    "recover",
    "safe_radius",
    "sampled_margins",
    "scaled_codes",
    "shorten_to",
    "similarity_score",
    "solved_share",
    "tolerance",
]
