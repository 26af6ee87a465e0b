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
from orthogan.geometry.inputs import check_equal, exact
from orthogan.shapes import Form, HeadForms, HeadKeys, HeadValues

Signature: TypeAlias = Literal[
    "zero",
    "positive definite",
    "positive semi-definite",
    "negative definite",
    "negative semi-definite",
    "indefinite",
]

# Eigenvalues below this share of the largest singular value count as zero. It is far above
# float64 rounding and far below anything a float32 checkpoint can tell from zero (6e-8).
TOLERANCE = 1e-10
FLOAT32_ROUNDING = 1e-6  # asymmetry that a covariance summed in float32 may show


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


def head_forms(query: HeadKeys, key: HeadKeys) -> HeadForms:
    r"""The form of every head, $\Omega = W_q W_k^\top$; a logit is $x^\top \Omega y / \sqrt K$.

    Args:
        query: Query matrices, heads x width x key size; `x @ query` is a query.
        key: Key matrices likewise.

    Raises:
        ShapeError: not heads x width x key size, or different sizes.
        DataError: a value is not finite.

    >>> head_forms(torch.eye(2)[None], 2 * torch.eye(2)[None])[0].tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    left, right = exact("query", query, "heads width key"), exact("key", key, "heads width key")
    for axis, name in enumerate(("number of heads", "width", "key size")):
        check_equal("query", left.shape[axis], "key", right.shape[axis], name)
    forms = left @ right.transpose(1, 2)
    if not bool(forms.isfinite().all()):
        raise DataError("The product of 'query' and 'key' overflows float64; rescale the weights.")
    return forms


def analyse_heads(
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
    >>> head = analyse_heads(eye, eye, value=eye).heads[0]
    >>> head.signature, head.is_change_of_basis, head.value_defect
    ('positive definite', True, 0.0)
    """
    forms = head_forms(query, key)
    values = None if value is None else exact("value", value, "heads width value")
    if values is not None:
        check_equal("query", len(forms), "value", len(values), "number of heads")
        check_equal("query", forms.shape[1], "value", values.shape[1], "width")
    inverse = None if covariance is None else _inverse(covariance, forms.shape[1])
    heads = []
    for number, form in enumerate(forms):
        own = None if values is None else keys_from_values_defect(form, values[number])
        white = None if inverse is None else misalignment(form, inverse)
        heads.append(_analyse(number, form, own, white))
    return HeadTable(tuple(heads))


def change_of_basis(form: Form) -> Tensor | None:
    r"""T with $x^\top \Omega y = \langle Tx, Ty \rangle$ for all x and y; None where there is none.

    It exists iff $\Omega$ is symmetric positive semi-definite, $T = \Lambda^{1/2} U^\top$ from
    $\Omega = U \Lambda U^\top$, and is invertible iff $\Omega$ is positive definite.

    Args:
        form: $\Omega$, width x width.

    Raises:
        ShapeError: the form is not square.
        DataError: a value is not finite.

    >>> change_of_basis(torch.tensor([[0.0, 1.0], [-1.0, 0.0]])) is None
    True
    """
    omega = square("form", form)
    even = (omega + omega.T) / 2
    values, vectors = torch.linalg.eigh(even)
    floor = TOLERANCE * max(float(values.abs().max()), 0.0)
    if float((omega - even).norm()) > TOLERANCE * float(omega.norm()) or bool(values[0] < -floor):
        return None
    roots = torch.where(values > floor, values, 0.0).sqrt()
    basis: Tensor = roots[:, None] * vectors.T
    return basis


def keys_from_values(form: Form, value: Tensor) -> Tensor | None:
    r"""A with $X A W_v^\top X^\top = X \Omega X^\top$ for all X; None where there is none.

    Keys are then the values themselves and A is the query matrix. It exists iff
    $\mathrm{row}(\Omega) \subseteq \mathrm{col}(W_v)$, and $A = \Omega (W_v^\top)^+$: always for a
    value matrix of full rank D, hardly ever for narrow heads.

    Args:
        form: $\Omega$, width x width.
        value: $W_v$, width x value size.

    Raises:
        ShapeError: the form is not square, or the widths differ.
        DataError: a value is not finite.

    Source: two forms that agree on all x and y are equal, so $A W_v^\top = \Omega$: every row of
        $\Omega$ is a combination of columns of $W_v$. Softmax asks for no less: on the tokens
        [x, y, 0] equal weights mean that $x^\top (A W_v^\top - \Omega) z$ is the same for z = y
        and for z = 0, hence 0.

    >>> keys_from_values(torch.eye(2), torch.tensor([[1.0], [0.0]])) is None
    True
    """
    omega, matrix = square("form", form), exact("value", value, "width value")
    check_equal("form", len(omega), "value", len(matrix), "width")
    if keys_from_values_defect(omega, matrix) > TOLERANCE**2:
        return None
    inverse: Tensor = torch.linalg.pinv(matrix, rtol=TOLERANCE)
    return omega @ inverse.T


def keys_from_values_defect(form: Form, value: Tensor) -> float:
    r"""Share of $\|\Omega\|_F^2$ outside $\mathrm{col}(W_v)$: what value-made keys cannot see.

    $\|\Omega (I - \Pi_v)\|_F^2 / \|\Omega\|_F^2$, 0 for a form of zeros.

    >>> keys_from_values_defect(torch.eye(2), torch.tensor([[1.0], [0.0]]))
    0.5
    """
    omega, matrix = square("form", form), exact("value", value, "width value")
    check_equal("form", len(omega), "value", len(matrix), "width")
    left, sizes, _ = torch.linalg.svd(matrix, full_matrices=False)
    basis = left[:, sizes > TOLERANCE * float(sizes[0])]
    return _share(omega - omega @ basis @ basis.T, omega)


def misalignment(form: Form, target: Form) -> float:
    r"""Share of $\|\Omega\|_F^2$ that no positive multiple of the target gives.

    $\min_{c \ge 0} \|\Omega - c\, G\|_F^2 / \|\Omega\|_F^2$; the factor is free because it is only
    a temperature. 1 for a form of zeros or one that points away.

    >>> misalignment(torch.eye(2), 3 * torch.eye(2))
    0.0
    """
    left, right = square("form", form), square("target", target)
    check_equal("form", len(left), "target", len(right), "width")
    left, right = _scaled(left)[0], _scaled(right)[0]
    if not bool(left.any() and right.any()):
        return 1.0
    factor = max(float((left * right).sum() / right.square().sum()), 0.0)
    return _share(left - factor * right, left)


def square(name: str, form: Form) -> Tensor:
    """The form in float64.

    Raises:
        ShapeError: it is not square.
        DataError: a value is not finite.
    """
    omega = exact(name, form, "width width")
    check_equal(f"rows of {name}", omega.shape[0], f"columns of {name}", omega.shape[1], "number")
    return omega


def _analyse(
    number: int, omega: Tensor, value_defect: float | None, whitening_defect: float | None
) -> HeadForm:
    unit, scale = _scaled(omega)
    even, odd = (unit + unit.T) / 2, (unit - unit.T) / 2
    values, sizes = torch.linalg.eigvalsh(even), torch.linalg.svdvals(unit)
    floor = TOLERANCE * float(sizes[0])
    positive, negative = int((values > floor).sum()), int((values < -floor).sum())
    signature = _signature(positive, negative, len(values))
    antisymmetric = _share(odd, unit)
    repulsion = _share(values.clamp_max(0), unit)
    return HeadForm(
        head=number,
        norm=scale * float(unit.norm()),
        symmetric=_share(even, unit),
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


def _share(part: Tensor, whole: Tensor) -> float:
    unit, scale = _scaled(whole)
    energy = float(unit.square().sum())
    return float((part / scale).square().sum()) / energy if energy else 0.0


def _scaled(form: Tensor) -> tuple[Tensor, float]:
    # In units of the largest entry, so that no square under- or overflows.
    scale = float(form.abs().max()) or 1.0
    return form / scale, scale


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
