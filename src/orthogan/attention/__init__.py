"""Attention: scores, the layer that composes them, position codes, convolution as attention."""

from orthogan.attention.association import (
    apply_attention,
    order_costs,
)
from orthogan.attention.convolution import (
    ConvolutionAttention,
    as_attention,
    as_convolution,
)
from orthogan.attention.fused import (
    second_derivatives,
)
from orthogan.attention.keys import (
    key_names,
)
from orthogan.attention.layer import (
    Attention,
)
from orthogan.attention.masks import (
    causal_mask,
)
from orthogan.attention.mimetic import (
    initialize_mimetic,
)
from orthogan.attention.offset_forms import (
    OffsetForm,
    fit_form,
    form_of_omega,
    fourier_form,
    grid_positions,
)
from orthogan.attention.offset_kernels import (
    OffsetKernel,
    offset_kernel,
)
from orthogan.attention.orthogonal import (
    OrthogonalEncoding,
)
from orthogan.attention.positions import (
    PositionalEncoding,
    position_names,
)
from orthogan.attention.relative import (
    RelativePositions,
)
from orthogan.attention.rotary import (
    Rotary,
    grid_coordinates,
    line_coordinates,
)
from orthogan.attention.scores import (
    SCORES,
    attend,
    attention_weights,
    score_names,
)
from orthogan.attention.sharp_heads import (
    SharpnessCurve,
    sharp_weights,
    sharpness_curve,
)
from orthogan.attention.untied import (
    UntiedPositions,
)

__all__ = [
    "SCORES",
    "Attention",
    "ConvolutionAttention",
    "OffsetForm",
    "OffsetKernel",
    "OrthogonalEncoding",
    "PositionalEncoding",
    "RelativePositions",
    "Rotary",
    "SharpnessCurve",
    "UntiedPositions",
    "apply_attention",
    "as_attention",
    "as_convolution",
    "attend",
    "attention_weights",
    "causal_mask",
    "fit_form",
    "form_of_omega",
    "fourier_form",
    "grid_coordinates",
    "grid_positions",
    "initialize_mimetic",
    "key_names",
    "line_coordinates",
    "offset_kernel",
    "order_costs",
    "position_names",
    "score_names",
    "second_derivatives",
    "sharp_weights",
    "sharpness_curve",
]
