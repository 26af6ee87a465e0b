"""Rank collapse and mode collapse: decompositions, readings, thresholds."""

from orthogan.geometry.collapse.decomposition import (
    CollapseSums,
    TwoCollapses,
    two_collapses,
    two_collapses_of_batches,
)
from orthogan.geometry.collapse.depth import (
    DepthCurve,
    depth_curve,
    random_attention,
    residual_curve,
    small_value_share,
    token_residual,
)
from orthogan.geometry.collapse.fake_to_real import CollapseRatio, collapse_ratio
from orthogan.geometry.collapse.readings import (
    CollapseReading,
    LearnedThreshold,
    collapse_reading,
    learn_threshold,
)
from orthogan.geometry.collapse.signs import (
    calibrated_rank,
    dimension_reading,
    spectral_reading,
    spread_reading,
)
from orthogan.geometry.collapse.uniformity import rank_collapse_share, token_uniformity

__all__ = [
    "CollapseRatio",
    "CollapseReading",
    "CollapseSums",
    "DepthCurve",
    "LearnedThreshold",
    "TwoCollapses",
    "calibrated_rank",
    "collapse_ratio",
    "collapse_reading",
    "depth_curve",
    "dimension_reading",
    "learn_threshold",
    "random_attention",
    "rank_collapse_share",
    "residual_curve",
    "small_value_share",
    "spectral_reading",
    "spread_reading",
    "token_residual",
    "token_uniformity",
    "two_collapses",
    "two_collapses_of_batches",
]
