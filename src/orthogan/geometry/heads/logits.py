r"""The four terms of a logit: who asks about content, who about position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.geometry.inputs import check_equal, exact
from orthogan.shapes import HeadForms, HeadLogits, Tokens

TERMS = ("content-content", "content-position", "position-content", "position-position")


@dataclass(frozen=True, eq=False)
class FourTerms:
    r"""A layer's logits as a sum of four, images x heads x tokens x tokens each.

    Attributes:
        content_content: $c_s^\top \Omega c_t$: what this token is asks what others are.
        content_position: $c_s^\top \Omega p_t$: what this token is asks for a place.
        position_content: $p_s^\top \Omega c_t$: this place asks what others are.
        position_position: $p_s^\top \Omega p_t$: this place asks for a place.
        energies: Heads x 4, in the order of `TERMS`: mean square of the row-centred term. Softmax
            ignores what is constant along a row, so that part is left out.
        interference: One number a head: how far the energy of the sum exceeds the sum of the
            energies, relatively. 0 when the terms are orthogonal, negative where they cancel.
    """

    content_content: Tensor
    content_position: Tensor
    position_content: Tensor
    position_position: Tensor
    energies: Tensor
    interference: Tensor

    @property
    def logits(self) -> HeadLogits:
        """The sum of the four terms: the logits themselves."""
        content = self.content_content + self.content_position
        return content + self.position_content + self.position_position

    @property
    def shares(self) -> Tensor:
        """Heads x 4: energies over their sum, so each row sums to one; zeros without energy."""
        total = self.energies.sum(1, keepdim=True)
        return self.energies / torch.where(total > 0, total, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; the terms themselves are left out."""
        heads = [
            {
                "head": head,
                "energies": dict(zip(TERMS, self.energies[head].tolist(), strict=True)),
                "shares": dict(zip(TERMS, self.shares[head].tolist(), strict=True)),
                "interference": float(self.interference[head]),
            }
            for head in range(len(self.energies))
        ]
        return {"heads": heads}

    def __str__(self) -> str:
        lines = [f"{'head':>4} {'c-c':>7} {'c-p':>7} {'p-c':>7} {'p-p':>7} {'interference':>13}"]
        for head, shares in enumerate(self.shares.tolist()):
            cells = " ".join(f"{share:>7.1%}" for share in shares)
            lines.append(f"{head:>4} {cells} {float(self.interference[head]):>13.3f}")
        return "\n".join(lines)


def four_terms(
    content: Tokens, position: Tensor, forms: HeadForms, scale: float = 1.0
) -> FourTerms:
    r"""The logits of a layer, split by who asks and what is asked for.

    $(c_s + p_s)^\top \Omega (c_t + p_t) = c_s^\top \Omega c_t + c_s^\top \Omega p_t +
    p_s^\top \Omega c_t + p_s^\top \Omega p_t$, each times `scale`.

    The cross terms vanish for every token at every place iff $e^\top \Omega p = 0$ and
    $p^\top \Omega e = 0$ for all e and p; $e \perp p$ is neither enough nor needed, as $\Omega$
    decides what is orthogonal. See `cross_terms_vanish`.

    Args:
        content: Content vectors in their places, images x tokens x width.
        position: The code of each place, tokens x width.
        forms: $\Omega$ of every head; see `head_forms`.
        scale: Factor of the logits, $1 / \sqrt K$ in most models.

    Raises:
        ShapeError: axes or sizes do not fit.
        DataError: a value is not finite.
        ConfigError: the scale is not finite.

    Source: Dai et al. 2019 (Transformer-XL), section 3.3; Ke et al. 2021 (TUPE), equation 6. Not
        covered: rotary codes, which add nothing to the tokens, and biases of queries and keys.

    >>> content = torch.tensor([[[1.0, 0.0], [2.0, 0.0]]])
    >>> position = torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    >>> four_terms(content, position, torch.eye(2)[None]).shares.tolist()
    [[0.111..., 0.0, 0.0, 0.888...]]
    """
    tokens = exact("content", content, "images tokens width")
    places = exact("position", position, "tokens width")
    omegas = exact("forms", forms, "heads width width")
    check_equal("content", tokens.shape[1], "position", places.shape[0], "number of tokens")
    check_equal("content", tokens.shape[2], "position", places.shape[1], "width")
    for axis in (1, 2):
        check_equal("content", tokens.shape[2], "forms", omegas.shape[axis], "width")
    if not torch.isfinite(torch.tensor(scale)):
        raise ConfigError(f"The scale of the logits must be finite, got {scale}.")
    return _split(tokens[:, None], places.expand_as(tokens)[:, None], omegas * scale)


def cross_terms_vanish(
    tokens: Tensor, positions: Tensor, forms: HeadForms, tolerance: float = 1e-10
) -> tuple[bool, ...]:
    r"""Whether content and position never meet in a head.

    $e^\top \Omega p = 0$ and $p^\top \Omega e = 0$ for every token e and place p.

    Args:
        tokens: Token table, one row a token.
        positions: Position table, one row a place.
        forms: $\Omega$ of every head.
        tolerance: Largest cross term that counts as 0, relative to the product of the largest
            lengths of a token, of a place and of $\Omega$.

    Raises:
        ShapeError: axes or sizes do not fit.
        DataError: a value is not finite.

    Source: the two middle terms of `four_terms`, for every e and p on their own.

    >>> skew = torch.tensor([[[0.0, 1.0], [-1.0, 0.0]]])
    >>> cross_terms_vanish(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), skew)
    (False,)
    """
    e, p = exact("tokens", tokens, "rows width"), exact("positions", positions, "rows width")
    omegas = exact("forms", forms, "heads width width")
    check_equal("tokens", e.shape[1], "positions", p.shape[1], "width")
    for axis in (1, 2):
        check_equal("tokens", e.shape[1], "forms", omegas.shape[axis], "width")
    size = float(e.norm(dim=1).max() * p.norm(dim=1).max())
    found = []
    for omega in omegas:
        largest = max(float((e @ omega @ p.T).abs().max()), float((p @ omega @ e.T).abs().max()))
        found.append(largest <= tolerance * size * float(omega.norm()))
    return tuple(found)


def _split(content: Tensor, position: Tensor, omegas: Tensor) -> FourTerms:
    terms = [
        left @ omegas @ right.transpose(-1, -2)
        for left in (content, position)
        for right in (content, position)
    ]
    energies = torch.stack([_energy(term) for term in terms], 1)
    apart = energies.sum(1)
    together = _energy(terms[0] + terms[1] + terms[2] + terms[3])
    excess = (together - apart) / torch.where(apart > 0, apart, 1.0)
    return FourTerms(terms[0], terms[1], terms[2], terms[3], energies, excess)


def _energy(term: Tensor) -> Tensor:
    return (term - term.mean(-1, keepdim=True)).square().mean(dim=(0, 2, 3))
