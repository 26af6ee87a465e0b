"""Attention: scores, the layer that composes them, position codes, convolution as attention."""

from orthogan.attention.convolution import ConvolutionAttention, as_attention, as_convolution
from orthogan.attention.layer import Attention
from orthogan.attention.offset_forms import (
    OffsetForm,
    fit_form,
    form_of_omega,
    fourier_form,
    grid_positions,
)
from orthogan.attention.offset_kernels import OffsetKernel, offset_kernel
from orthogan.attention.positions import PositionCode, position_names
from orthogan.attention.scores import attend, attention_weights, score_names
from orthogan.attention.sharp_heads import SharpnessCurve, sharp_weights, sharpness_curve

__all__ = [
    "Attention",
    "ConvolutionAttention",
    "OffsetForm",
    "OffsetKernel",
    "PositionCode",
    "SharpnessCurve",
    "as_attention",
    "as_convolution",
    "attend",
    "attention_weights",
    "fit_form",
    "form_of_omega",
    "fourier_form",
    "grid_positions",
    "offset_kernel",
    "position_names",
    "score_names",
    "sharp_weights",
    "sharpness_curve",
]
