r"""When an attention head needs its key matrix: what its form $\Omega = W_q W_k^\top$ holds.

A head compares tokens by $x^\top \Omega y$. A change of basis can only give forms that are
symmetric and positive; direction, repulsion and selection need queries and keys of their own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from orthogan.errors import DataError
from orthogan.geometry.heads.forms import (
    FLOAT32_ROUNDING,
    TOLERANCE,
    keys_from_values_defect,
    misalignment,
    paired_weights,
    product,
    scaled,
    share_of,
    square,
)
from orthogan.geometry.inputs import check_equal, exact
from orthogan.shapes import Form, HeadKeys, HeadValues

Signature: TypeAlias = Literal[
    "zero",
    "positive definite",
    "positive semi-definite",
    "negative definite",
    "negative semi-definite",
    "indefinite",
]


@dataclass(frozen=True)
class HeadForm:
    r"""One head's form.

    Attributes:
        head: Number of the head.
        norm: $\|\Omega\|_F$; shares are of its square, the energy.
        symmetric: Share of the energy in $(\Omega + \Omega^\top) / 2$.
        antisymmetric: Share in $(\Omega - \Omega^\top) / 2$: direction, x to y unlike y to x.
        positive: Positive eigenvalues of the symmetric part: attraction.
        negative: Negative ones: repulsion.
        signature: Definiteness of the symmetric part.
        rank: Of $\Omega$, at most the key size: selection.
        is_change_of_basis: Whether $x^\top \Omega y = \langle Tx, Ty \rangle$ for an invertible T.
        tied_defect: Share of the energy that queries tied to keys cannot give: the squared
            distance to the nearest symmetric positive semi-definite form.
        value_defect: Share that keys made from the values cannot give; None without values.
        whitening_defect: Share that no positive multiple of $\Sigma^{-1}$ gives; None without
            a covariance.
    """

    head: int
    norm: float
    symmetric: float
    antisymmetric: float
    positive: int
    negative: int
    signature: Signature
    rank: int
    is_change_of_basis: bool
    tied_defect: float
    value_defect: float | None = None
    whitening_defect: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings; `json.dumps` takes it."""
        return asdict(self)

    def __str__(self) -> str:
        value = "-" if self.value_defect is None else f"{self.value_defect:.3f}"
        white = "-" if self.whitening_defect is None else f"{self.whitening_defect:.3f}"
        return (
            f"{self.head:>4} {self.symmetric:>9.3f} {self.antisymmetric:>9.3f} "
            f"{self.positive:>5} {self.negative:>5} {self.rank:>5} {self.tied_defect:>7.3f} "
            f"{value:>7} {white:>9}  {self.signature}"
        )


@dataclass(frozen=True)
class HeadTable:
    """The forms of all heads of a layer."""

    heads: tuple[HeadForm, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        return {"heads": [head.to_dict() for head in self.heads]}

    def __str__(self) -> str:
        head = (
            f"{'head':>4} {'symmetric':>9} {'antisym.':>9} {'pos':>5} {'neg':>5} {'rank':>5} "
            f"{'tied':>7} {'values':>7} {'whitening':>9}  signature"
        )
        return "\n".join([head, *map(str, self.heads)])


def analyze_heads(
    query: HeadKeys,
    key: HeadKeys,
    value: HeadValues | None = None,
    covariance: Form | None = None,
) -> HeadTable:
    r"""What each head of a layer uses its own key matrix for.

    Args:
        query: Query matrices, heads x width x key size; `x @ query` is a query. PyTorch stores
            the transpose.
        key: Key matrices likewise.
        value: Value matrices, heads x width x value size, for `value_defect`.
        covariance: $\Sigma$ of the layer's inputs, for `whitening_defect`; positive definite.

    Raises:
        ShapeError: sizes do not fit.
        DataError: a value is not finite, or the covariance is not symmetric positive definite.

    Source: $x^\top \Omega y = \langle Tx, Ty \rangle$ says $\Omega = T^\top T$, which is symmetric
        positive definite for an invertible T and has such a T if it is (Cholesky). Nearest
        positive semi-definite form: Higham 1988, theorem 2.1.

    >>> eye = torch.eye(3)[None]
    >>> head = analyze_heads(eye, eye, value=eye).heads[0]
    >>> head.signature, head.is_change_of_basis, head.value_defect
    ('positive definite', True, 0.0)
    """
    left, right = paired_weights(query, key)
    values = None if value is None else exact("value", value, "heads width value")
    if values is not None:
        check_equal("query", len(left), "value", len(values), "number of heads")
        check_equal("query", left.shape[1], "value", values.shape[1], "width")
    inverse = None if covariance is None else _inverse(covariance, left.shape[1])
    heads = []
    for number, weights in enumerate(zip(left, right, strict=True)):
        form = product(*weights)  # one head at a time: a wide layer's forms fill the memory
        own = None if values is None else keys_from_values_defect(form, values[number])
        white = None if inverse is None else misalignment(form, inverse)
        heads.append(_analyse(number, *weights, own, white))
    return HeadTable(tuple(heads))


def _analyse(
    number: int,
    query: Tensor,
    key: Tensor,
    value_defect: float | None,
    whitening_defect: float | None,
) -> HeadForm:
    # In a basis of all queries and keys the form is small; outside it there is nothing.
    basis, _ = torch.linalg.qr(torch.cat([scaled(query)[0], scaled(key)[0]], 1))
    unit, scale = scaled(product(basis.T @ query, basis.T @ key))
    even, odd = (unit + unit.T) / 2, (unit - unit.T) / 2
    values, sizes = torch.linalg.eigvalsh(even), torch.linalg.svdvals(unit)
    floor = TOLERANCE * float(sizes[0])
    positive, negative = int((values > floor).sum()), int((values < -floor).sum())
    signature = _signature(positive, negative, len(query))
    antisymmetric = share_of(odd, unit)
    repulsion = share_of(values.clamp_max(0), unit)
    return HeadForm(
        head=number,
        norm=scale * float(unit.norm()),
        symmetric=share_of(even, unit),
        antisymmetric=antisymmetric,
        positive=positive,
        negative=negative,
        signature=signature,
        rank=int((sizes > floor).sum()),
        is_change_of_basis=signature == "positive definite" and antisymmetric < TOLERANCE**2,
        tied_defect=antisymmetric + repulsion,
        value_defect=value_defect,
        whitening_defect=whitening_defect,
    )


def _signature(positive: int, negative: int, width: int) -> Signature:
    if positive and negative:
        return "indefinite"
    if not positive and not negative:
        return "zero"
    if positive:
        return "positive definite" if positive == width else "positive semi-definite"
    return "negative definite" if negative == width else "negative semi-definite"


def _inverse(covariance: Form, width: int) -> Tensor:
    sigma = square("covariance", covariance)
    check_equal("covariance", len(sigma), "query", width, "width")
    if float((sigma - sigma.T).norm()) > FLOAT32_ROUNDING * float(sigma.norm()):
        raise DataError("'covariance' is not symmetric; pass a covariance matrix.")
    sigma = (sigma + sigma.T) / 2
    values, vectors = torch.linalg.eigh(sigma)
    if bool(values[0] <= TOLERANCE * values[-1]):
        raise DataError(
            f"'covariance' is not positive definite (eigenvalues {float(values[0]):.3g} to "
            f"{float(values[-1]):.3g}), so it has no inverse; shrink it or use more samples."
        )
    inverse: Tensor = (vectors / values) @ vectors.T
    return inverse
