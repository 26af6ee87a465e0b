"""Pure mathematics on tensors: what a table, a form, a stack of states looks like from inside."""

from orthogan.geometry import collapse, heads, identity, positions, spectra
from orthogan.geometry.collapse import calibrated_rank, collapse_ratio, depth_curve, two_collapses
from orthogan.geometry.heads import (
    analyze_heads,
    attention_entropy,
    entropy_bound,
    four_terms,
    head_forms,
    keys_from_values,
)
from orthogan.geometry.identity import (
    Flip,
    FlipCount,
    compare_corrections,
    count_flips,
    identity_margin,
    recover,
    safe_radius,
    sampled_margins,
    shorten_to,
)
from orthogan.geometry.positions import mean_code, place_positions, sinusoids, split_displacement
from orthogan.geometry.spectra import (
    dimension_usage,
    effective_rank,
    isoscore,
    mean_cosine,
    participation_ratio,
    shared_spectrum,
    stable_rank,
    whiten,
)

census = count_flips  # its first name, on which code outside relies

__all__ = [
    "Flip",
    "FlipCount",
    "analyze_heads",
    "attention_entropy",
    "calibrated_rank",
    "census",
    "collapse",
    "collapse_ratio",
    "compare_corrections",
    "count_flips",
    "depth_curve",
    "dimension_usage",
    "effective_rank",
    "entropy_bound",
    "four_terms",
    "head_forms",
    "heads",
    "identity",
    "identity_margin",
    "isoscore",
    "keys_from_values",
    "mean_code",
    "mean_cosine",
    "participation_ratio",
    "place_positions",
    "positions",
    "recover",
    "safe_radius",
    "sampled_margins",
    "shared_spectrum",
    "shorten_to",
    "sinusoids",
    "spectra",
    "split_displacement",
    "stable_rank",
    "two_collapses",
    "whiten",
]
