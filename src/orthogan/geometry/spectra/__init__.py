"""Spectra and correlation of tables: ranks, isotropy, whitening, frames, and their null models."""

from orthogan.geometry.spectra.clusters import spectral_clusters
from orthogan.geometry.spectra.correlation import (
    content_position_correlation,
    dimension_correlation,
    member_correlation,
    token_correlation,
)
from orthogan.geometry.spectra.estimates import Estimate
from orthogan.geometry.spectra.frames import (
    coefficients,
    dual_basis,
    mahalanobis_products,
    placement,
)
from orthogan.geometry.spectra.mutual_information import mutual_information
from orthogan.geometry.spectra.nulls import marchenko_pastur_edges
from orthogan.geometry.spectra.overlap import SharedSpectrum, shared_spectrum
from orthogan.geometry.spectra.spectrum import (
    effective_rank,
    isoscore,
    mean_cosine,
    participation_ratio,
    stable_rank,
)
from orthogan.geometry.spectra.transforms import (
    TableTransform,
    table_transform,
    transform_names,
)
from orthogan.geometry.spectra.usage import DimensionUsage, beside_permutations, dimension_usage
from orthogan.geometry.spectra.weights import WeightSpectrum, weight_spectrum
from orthogan.geometry.spectra.whitening import Whitening, whiten

__all__ = [
    "DimensionUsage",
    "Estimate",
    "SharedSpectrum",
    "TableTransform",
    "WeightSpectrum",
    "Whitening",
    "beside_permutations",
    "coefficients",
    "content_position_correlation",
    "dimension_correlation",
    "dimension_usage",
    "dual_basis",
    "effective_rank",
    "isoscore",
    "mahalanobis_products",
    "marchenko_pastur_edges",
    "mean_cosine",
    "member_correlation",
    "mutual_information",
    "participation_ratio",
    "placement",
    "shared_spectrum",
    "spectral_clusters",
    "stable_rank",
    "table_transform",
    "token_correlation",
    "transform_names",
    "weight_spectrum",
    "whiten",
]
