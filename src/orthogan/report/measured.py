"""What a geometry report measures beside the analysis: spectra, probes, correlations, margins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.analysis.result import Analysis
from orthogan.geometry.identity.margin_sample import MarginSample, sampled_margins
from orthogan.geometry.identity.recovery import linear_r2
from orthogan.geometry.positions.common_shift import mean_code
from orthogan.geometry.spectra.correlation import dimension_correlation, member_correlation
from orthogan.geometry.spectra.estimates import Estimate
from orthogan.geometry.spectra.overlap import SharedSpectrum, shared_spectrum
from orthogan.geometry.spectra.spectrum import participation_of, rank_of
from orthogan.rng import stream

NUM_PAIRS = 1000  # margins drawn: enough for a histogram, seconds for 30,000 tokens
NUM_ROWS = 1000  # of a table that are correlated; every null needs 39 permutations of them
FEWEST = 3  # rows that can be correlated


@dataclass(frozen=True)
class Measured:
    """Numbers of a report that the analysis does not hold; None or empty where there are no codes.

    Attributes:
        spectrum: Tokens and codes along the tokens' principal axes.
        token_ranks: Effective rank and participation ratio of the tokens about their mean.
        token_r2: Share of the tokens' variance that the best linear read-out of sums predicts.
        position_r2: The same for the codes.
        mean_share: Share of the codes' energy in their mean.
        correlations: (what is correlated, estimate beside its null).
        num_rows: Tokens that were correlated.
        sample: Margins of some pairs.
    """

    spectrum: SharedSpectrum
    token_ranks: tuple[float, float]
    token_r2: float
    position_r2: float
    mean_share: float
    correlations: tuple[tuple[str, Estimate], ...]
    num_rows: int
    sample: MarginSample

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, without the drawn margins."""
        return {
            "overlap": self.spectrum.overlap,
            "overlap_spread": self.spectrum.spread,
            "overlap_least": self.spectrum.least,
            "overlap_most": self.spectrum.most,
            "effective_rank": self.token_ranks[0],
            "participation_ratio": self.token_ranks[1],
            "token_r2": self.token_r2,
            "position_r2": self.position_r2,
            "mean_code_share": self.mean_share,
            "correlations": {what: estimate.to_dict() for what, estimate in self.correlations},
        }


def measure(analysis: Analysis, seed: int = 0) -> Measured | None:
    """The numbers beside an analysis; None where nothing displaces the tokens.

    Args:
        analysis: What was counted.
        seed: Of the drawn pairs and rows.

    >>> from orthogan.analysis.api import analyze
    >>> found = analyze(torch.nn.Embedding.from_pretrained(torch.eye(4)), num_positions=3)
    >>> round(measure(found).token_ranks[0], 6)
    3.0
    """
    tokens, codes = analysis.tables.tokens, analysis.codes
    if codes is None or analysis.flip_count is None:
        return None
    spectrum = shared_spectrum(tokens, codes)
    token_r2, position_r2 = linear_r2(tokens, codes)
    some = _rows(tokens, seed)
    return Measured(
        spectrum=spectrum,
        token_ranks=(rank_of(spectrum.tokens.sqrt()), participation_of(spectrum.tokens)),
        token_r2=token_r2,
        position_r2=position_r2,
        mean_share=mean_code(codes).share,
        correlations=_correlations(some, _rows(codes, seed), seed),
        num_rows=len(some),
        sample=sampled_margins(
            tokens, codes, analysis.flip_count.reader, num_pairs=NUM_PAIRS, seed=seed
        ),
    )


def _correlations(tokens: Tensor, codes: Tensor, seed: int) -> tuple[tuple[str, Estimate], ...]:
    found = []
    for name, table in (("tokens", tokens), ("codes", codes)):
        if len(table) < FEWEST:
            continue
        if table.shape[1] > 1:
            found.append((f"dimensions of the {name}", dimension_correlation(table, seed=seed)))
        found.append((f"{name} among themselves", member_correlation(table, seed=seed)))
    return tuple(found)


def _rows(table: Tensor, seed: int) -> Tensor:
    """All rows, or some drawn without replacement from a longer table."""
    if len(table) <= NUM_ROWS:
        return table
    drawn = stream(seed, "report-rows").choice(len(table), NUM_ROWS, replace=False)
    return table[torch.from_numpy(drawn).sort().values]
