"""Pure mathematics on tensors: what a table, a form, a stack of states looks like from inside."""

from orthogan.geometry.collapse import (
    CollapseSums,
    TwoCollapses,
    two_collapses,
    two_collapses_of_batches,
)
from orthogan.geometry.correlation import (
    content_position_correlation,
    dimension_correlation,
    member_correlation,
    token_correlation,
)
from orthogan.geometry.entropy import (
    EntropyState,
    attention_entropy,
    entropy_bound,
    entropy_reading,
    entropy_state,
    extremal_logits,
    largest_share,
)
from orthogan.geometry.estimates import Estimate
from orthogan.geometry.fake_to_real import CollapseRatio, collapse_ratio
from orthogan.geometry.forms import (
    change_of_basis,
    head_forms,
    keys_from_values,
    keys_from_values_defect,
)
from orthogan.geometry.keys import HeadForm, HeadTable, analyse_heads
from orthogan.geometry.logits import FourTerms, cross_terms_vanish, four_terms
from orthogan.geometry.nulls import marchenko_pastur_edges
from orthogan.geometry.rank_collapse import (
    DepthCurve,
    depth_curve,
    random_attention,
    residual_curve,
    small_value_share,
    token_residual,
)
from orthogan.geometry.readings import (
    CollapseReading,
    LearnedThreshold,
    collapse_reading,
    learn_threshold,
)
from orthogan.geometry.signs import (
    calibrated_rank,
    dimension_reading,
    spectral_reading,
    spread_reading,
)
from orthogan.geometry.spectrum import (
    effective_rank,
    isoscore,
    mean_cosine,
    participation_ratio,
    stable_rank,
)
from orthogan.geometry.tied import Chain, PreviousToken, previous_token, reversible_chain
from orthogan.geometry.usage import DimensionUsage, beside_permutations, dimension_usage

__all__ = [
    "Chain",
    "CollapseRatio",
    "CollapseReading",
    "CollapseSums",
    "DepthCurve",
    "DimensionUsage",
    "EntropyState",
    "Estimate",
    "FourTerms",
    "HeadForm",
    "HeadTable",
    "LearnedThreshold",
    "PreviousToken",
    "TwoCollapses",
    "analyse_heads",
    "attention_entropy",
    "beside_permutations",
    "calibrated_rank",
    "change_of_basis",
    "collapse_ratio",
    "collapse_reading",
    "content_position_correlation",
    "cross_terms_vanish",
    "depth_curve",
    "dimension_correlation",
    "dimension_reading",
    "dimension_usage",
    "effective_rank",
    "entropy_bound",
    "entropy_reading",
    "entropy_state",
    "extremal_logits",
    "four_terms",
    "head_forms",
    "isoscore",
    "keys_from_values",
    "keys_from_values_defect",
    "largest_share",
    "learn_threshold",
    "marchenko_pastur_edges",
    "mean_cosine",
    "member_correlation",
    "participation_ratio",
    "previous_token",
    "random_attention",
    "residual_curve",
    "reversible_chain",
    "small_value_share",
    "spectral_reading",
    "spread_reading",
    "stable_rank",
    "token_correlation",
    "token_residual",
    "two_collapses",
    "two_collapses_of_batches",
]
