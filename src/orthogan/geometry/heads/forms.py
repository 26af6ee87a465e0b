r"""The form $\Omega = W_q W_k^\top$ of a head, and what else could give the same logits."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.errors import DataError
from orthogan.geometry.inputs import check_equal, exact
from orthogan.shapes import Form, HeadForms, HeadKeys

# Eigenvalues below this share of the largest singular value count as zero. It is far above
# float64 rounding and far below anything a float32 checkpoint can tell from zero (6e-8).
TOLERANCE = 1e-10
FLOAT32_ROUNDING = 1e-6  # asymmetry that a product summed in float32 may show


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
    left, right = paired_weights(query, key)
    return product(left, right)


def paired_weights(query: HeadKeys, key: HeadKeys) -> tuple[Tensor, Tensor]:
    """Both weights in float64, if they are of equal size; raises as `head_forms`."""
    left, right = exact("query", query, "heads width key"), exact("key", key, "heads width key")
    for axis, name in enumerate(("number of heads", "width", "key size")):
        check_equal("query", left.shape[axis], "key", right.shape[axis], name)
    return left, right


def product(left: Tensor, right: Tensor) -> Tensor:
    """The forms of query and key weights in float64.

    Raises:
        DataError: they overflow.
    """
    forms = left @ right.transpose(-1, -2)
    if not bool(forms.isfinite().all()):
        raise DataError("The product of 'query' and 'key' overflows float64; rescale the weights.")
    return forms


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
    return share_of(omega - omega @ basis @ basis.T, omega)


def misalignment(form: Form, target: Form) -> float:
    r"""Share of $\|\Omega\|_F^2$ that no positive multiple of the target gives.

    $\min_{c \ge 0} \|\Omega - c\, G\|_F^2 / \|\Omega\|_F^2$; the factor is free because it is only
    a temperature. 1 for a form of zeros or one that points away.

    >>> misalignment(torch.eye(2), 3 * torch.eye(2))
    0.0
    """
    left, right = square("form", form), square("target", target)
    check_equal("form", len(left), "target", len(right), "width")
    left, right = scaled(left)[0], scaled(right)[0]
    if not bool(left.any() and right.any()):
        return 1.0
    factor = max(float((left * right).sum() / right.square().sum()), 0.0)
    return share_of(left - factor * right, left)


def square(name: str, form: Form) -> Tensor:
    """The form in float64.

    Raises:
        ShapeError: it is not square.
        DataError: a value is not finite.
    """
    omega = exact(name, form, "width width")
    check_equal(f"rows of {name}", omega.shape[0], f"columns of {name}", omega.shape[1], "number")
    return omega


def share_of(part: Tensor, whole: Tensor) -> float:
    """Energy of a part over that of the whole, 0 where the whole has none."""
    unit, scale = scaled(whole)
    energy = float(unit.square().sum())
    return float((part / scale).square().sum()) / energy if energy else 0.0


def scaled(form: Tensor) -> tuple[Tensor, float]:
    """The form in units of its largest entry, so that no square under- or overflows, and that."""
    scale = float(form.abs().max()) or 1.0
    return form / scale, scale
