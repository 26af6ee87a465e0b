"""Pure mathematics on tensors: what a table, a form, a stack of states looks like from inside."""

from orthogan.geometry.alignment import place_positions
from orthogan.geometry.allowance import (
    Allowance,
    best_allowance,
    critical_factors,
    shorten_to,
)
from orthogan.geometry.census import (
    census,
)
from orthogan.geometry.census_result import (
    Census,
    Flip,
)
from orthogan.geometry.clusters import spectral_clusters
from orthogan.geometry.coincide import (
    Coincidence,
)
from orthogan.geometry.collapse import (
    CollapseSums,
    TwoCollapses,
    two_collapses,
    two_collapses_of_batches,
)
from orthogan.geometry.controls import (
    CONTROLS,
    isotropic_codes,
    random_safe_length,
    rotated_codes,
    sinusoids_like,
)
from orthogan.geometry.correlation import (
    content_position_correlation,
    dimension_correlation,
    member_correlation,
    token_correlation,
)
from orthogan.geometry.displacement import (
    Displacement,
    largest_turn,
    most_turning_cosine,
    split_displacement,
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
from orthogan.geometry.estimates import (
    Estimate,
)
from orthogan.geometry.fake_to_real import (
    CollapseRatio,
    collapse_ratio,
)
from orthogan.geometry.forms import (
    change_of_basis,
    head_forms,
    keys_from_values,
    keys_from_values_defect,
)
from orthogan.geometry.frames import (
    coefficients,
    dual_basis,
    gram,
    mahalanobis_products,
    placement,
)
from orthogan.geometry.head_entropy import (
    HeadEntropies,
    head_entropies,
    largest_shares,
)
from orthogan.geometry.identity import (
    identity_margin,
    is_perpendicular,
    safe_radius,
    tolerance,
)
from orthogan.geometry.keys import (
    HeadForm,
    HeadTable,
    analyse_heads,
)
from orthogan.geometry.logits import (
    FourTerms,
    cross_terms_vanish,
    four_terms,
)
from orthogan.geometry.margin_sample import (
    MarginSample,
    sampled_margins,
)
from orthogan.geometry.mean_code import (
    MeanCode,
    mean_code,
)
from orthogan.geometry.meanings import (
    Meaning,
    analogy_hits,
    rank_correlation,
    similarity_score,
    solved_share,
)
from orthogan.geometry.nulls import (
    marchenko_pastur_edges,
)
from orthogan.geometry.prescribe import (
    Prescription,
    prescribe,
    projected_codes,
    scaled_codes,
)
from orthogan.geometry.rank_collapse import (
    DepthCurve,
    depth_curve,
    random_attention,
    residual_curve,
    small_value_share,
    token_residual,
)
from orthogan.geometry.readers import (
    READERS,
)
from orthogan.geometry.readings import (
    CollapseReading,
    LearnedThreshold,
    collapse_reading,
    learn_threshold,
)
from orthogan.geometry.recover import (
    Recovery,
    linear_r2,
    principal_angles,
    recover,
)
from orthogan.geometry.shared_spectrum import (
    SharedSpectrum,
    shared_spectrum,
)
from orthogan.geometry.signs import (
    calibrated_rank,
    dimension_reading,
    spectral_reading,
    spread_reading,
)
from orthogan.geometry.sinusoids import (
    code_product,
    first_near_return,
    frequencies,
    periods,
    shift_rotation,
    sinusoids,
)
from orthogan.geometry.spectrum import (
    effective_rank,
    isoscore,
    mean_cosine,
    participation_ratio,
    stable_rank,
)
from orthogan.geometry.tied import (
    Chain,
    PreviousToken,
    previous_token,
    reversible_chain,
)
from orthogan.geometry.uniformity import (
    rank_collapse_share,
    token_uniformity,
)
from orthogan.geometry.usage import (
    DimensionUsage,
    beside_permutations,
    dimension_usage,
)
from orthogan.geometry.weight_spectrum import (
    WeightSpectrum,
    weight_spectrum,
)
from orthogan.geometry.whitening import (
    Whitening,
    whiten,
)

__all__ = [
    "CONTROLS",
    "READERS",
    "Allowance",
    "Census",
    "Chain",
    "Coincidence",
    "CollapseRatio",
    "CollapseReading",
    "CollapseSums",
    "DepthCurve",
    "DimensionUsage",
    "Displacement",
    "EntropyState",
    "Estimate",
    "Flip",
    "FourTerms",
    "HeadEntropies",
    "HeadForm",
    "HeadTable",
    "LearnedThreshold",
    "MarginSample",
    "MeanCode",
    "Meaning",
    "Prescription",
    "PreviousToken",
    "Recovery",
    "SharedSpectrum",
    "TwoCollapses",
    "WeightSpectrum",
    "Whitening",
    "analogy_hits",
    "analyse_heads",
    "attention_entropy",
    "beside_permutations",
    "best_allowance",
    "calibrated_rank",
    "census",
    "change_of_basis",
    "code_product",
    "coefficients",
    "collapse_ratio",
    "collapse_reading",
    "content_position_correlation",
    "critical_factors",
    "cross_terms_vanish",
    "depth_curve",
    "dimension_correlation",
    "dimension_reading",
    "dimension_usage",
    "dual_basis",
    "effective_rank",
    "entropy_bound",
    "entropy_reading",
    "entropy_state",
    "extremal_logits",
    "first_near_return",
    "four_terms",
    "frequencies",
    "gram",
    "head_entropies",
    "head_forms",
    "identity_margin",
    "is_perpendicular",
    "isoscore",
    "isotropic_codes",
    "keys_from_values",
    "keys_from_values_defect",
    "largest_share",
    "largest_shares",
    "largest_turn",
    "learn_threshold",
    "linear_r2",
    "mahalanobis_products",
    "marchenko_pastur_edges",
    "mean_code",
    "mean_cosine",
    "member_correlation",
    "most_turning_cosine",
    "participation_ratio",
    "periods",
    "place_positions",
    "placement",
    "prescribe",
    "previous_token",
    "principal_angles",
    "projected_codes",
    "random_attention",
    "random_safe_length",
    "rank_collapse_share",
    "rank_correlation",
    "recover",
    "residual_curve",
    "reversible_chain",
    "rotated_codes",
    "safe_radius",
    "sampled_margins",
    "scaled_codes",
    "shared_spectrum",
    "shift_rotation",
    "shorten_to",
    "similarity_score",
    "sinusoids",
    "sinusoids_like",
    "small_value_share",
    "solved_share",
    "spectral_clusters",
    "spectral_reading",
    "split_displacement",
    "spread_reading",
    "stable_rank",
    "token_correlation",
    "token_residual",
    "token_uniformity",
    "tolerance",
    "two_collapses",
    "two_collapses_of_batches",
    "weight_spectrum",
    "whiten",
]
