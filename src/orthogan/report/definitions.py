"""The last section: how every number on the page is defined."""

from __future__ import annotations

from orthogan.analysis.result import Analysis
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import terms

# (term, definition, whether the page shows it)
Shown = tuple[str, str]
COUNTED: tuple[Shown, ...] = (
    ("Flip, identity kept", ("Token e at position t stands at e + p. It keeps its identity if no "
     "other token is strictly better under the decision rule there; for the nearest token this is "
     "\u27e8p, e\u2032 \u2212 e\u27e9 \u2264 |e\u2032 \u2212 e|\u00b2 / 2 for every other e\u2032. "
     "Ties are kept. The count is that of exact arithmetic on the given numbers.")),
    ("Proved safe by length", ("Pairs whose code is shorter than the distance from the token to "
     "its nearest cell boundary without any code, half the distance to its nearest neighbour. "
     "Enough, but far from needed: most longer codes point past the neighbours.")),
    ("Margin", ("Distance from the moved token to the nearest cell boundary between it and another "
     "token, in the units of the embedding; negative beyond the boundary.")),
    ("First flip", ("The largest factor on all codes at which every token still keeps its "
     "identity.")),
    ("Controls", ("Codes of the same size that know nothing of the tokens: the same codes turned "
     "by one random rotation; random directions, each as long as the code it replaces; sinusoids "
     "of the same total energy. Each draw is counted over all pairs; with n draws of shares with "
     "mean m and deviation s, one more lies within m \u00b1 t s \u221a(1 + 1/n) with 95 %.")),
    ("Turn", ("The angle between token and moved token, on a draw of the tokens. Its tangent is "
     "|p across e| / (|e| + p along e).")),
)  # fmt: skip
REPAIRED: tuple[Shown, ...] = (
    ("Rotation", ("All codes are turned as one, so every product among them stays. Directions of "
     "most code energy are laid on directions of least token variance (von Neumann 1937). What "
     "that does to a trained model is not part of this page.")),
    ("Readable", ("Share of the variance of tokens (of codes) that the best linear read-out of "
     "token plus code predicts, if both are drawn independently and uniformly.")),
)  # fmt: skip
MEASURED: tuple[Shown, ...] = (
    ("Overlap", ("D tr(\u03a3S) / (tr \u03a3 tr S), with \u03a3 the covariance of the tokens, S "
     "the mean outer product of the codes and D the width: 1 for codes turned at random, whose "
     "standard deviation is given in closed form.")),
    ("Effective rank, participation ratio", ("Exponential of the entropy of the singular values "
     "of the tokens about their mean (Roy and Vetterli 2007); squared sum of the variances over "
     "their sum of squares.")),
    ("Correlation", ("Root mean square of the correlations of all pairs of columns, or of rows "
     "about their mean. Unrelated tables do not score 0: hence the shuffled ones, every column on "
     "its own, whose range is a 95 % interval of chance.")),
)  # fmt: skip
HEADS: tuple[Shown, ...] = (
    ("Form of a head", ("\u03a9 = W_q W_k\u2032, from its query and key matrices: the logit of "
     "tokens x and y is "
     "x\u2032\u03a9y. Its energy is the sum of its squared entries. Without a key matrix, after a "
     "change of basis, a head can only have symmetric positive definite forms.")),
)  # fmt: skip


def definitions(analysis: Analysis, measured: Measured | None) -> Section | None:
    """How the numbers on the page are defined."""
    shown: list[Shown] = []
    if analysis.flip_count is not None:
        shown += COUNTED
    if analysis.corrections:
        shown += REPAIRED
    if measured is not None:
        shown += MEASURED
    if analysis.heads:
        shown += HEADS
    if not shown:
        return None
    return Section(
        "definitions",
        "How are the numbers defined?",
        "In the order in which they appear.",
        [terms(shown, "terms")],
        "Definitions",
    )
