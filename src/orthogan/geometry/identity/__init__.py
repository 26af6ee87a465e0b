"""When a position code turns a token into another one: exact flip counts, margins, corrections."""

from orthogan.geometry.identity.corrections import (
    Prescription,
    prescribe,
    projected_codes,
    scaled_codes,
)
from orthogan.geometry.identity.count import census
from orthogan.geometry.identity.decision_rules import READERS
from orthogan.geometry.identity.flip_count import Census, Flip
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
    Allowance,
    best_allowance,
    critical_factors,
    shorten_to,
)
from orthogan.geometry.identity.superposition import Coincidence

__all__ = [
    "READERS",
    "Allowance",
    "Census",
    "Coincidence",
    "Flip",
    "MarginSample",
    "Meaning",
    "Prescription",
    "Recovery",
    "analogy_hits",
    "best_allowance",
    "census",
    "critical_factors",
    "identity_margin",
    "is_perpendicular",
    "linear_r2",
    "prescribe",
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
