r"""Muon: steps of a matrix go along the nearest orthogonal matrix to its gradient.

A gradient matrix $G = U S V^\top$ is dominated by few directions; $U V^\top$ moves all of them
alike. Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", with
the step size of Liu et al. 2025, "Muon is scalable for LLM training", section 2.2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

# Thinner weights (the row of a logit) have no directions to balance.
MIN_SIDE = 8
# Quintic of Jordan et al. 2024: five rounds bring singular values from 0.01 to 1 into [0.7, 1.2].
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonalise(matrices: list[Tensor], rounds: int = ROUNDS) -> list[Tensor]:
    """Nearly orthogonal matrices: each with its singular values moved to about 1.

    Args:
        matrices: Of one number of rows, no more than columns; float32.
        rounds: More rounds reach smaller singular values.

    >>> near = orthogonalise([torch.diag(torch.tensor([3.0, 0.5]))])[0]
    >>> bool((torch.linalg.svdvals(near) - 1).abs().max() < 0.35)
    True
    """
    factors = orthogonal_factors(matrices, rounds)
    return [factor @ matrix for factor, matrix in zip(factors, matrices, strict=True)]


def orthogonal_factors(matrices: list[Tensor], rounds: int = ROUNDS) -> Tensor:
    r"""What each matrix is to be multiplied by from the left: square and symmetric.

    Newton-Schulz rounds $X \leftarrow (a I + b A + c A^2) X$ with $A = X X^\top$, carried out on
    the small Gram matrices alone: all factors are polynomials of the first Gram matrix.

    Args:
        matrices: Of one number of rows, no more than columns; float32.
        rounds: At least 1.
    """
    first, second, third = QUINTIC
    gram = torch.stack([matrix @ matrix.T for matrix in matrices])
    square_norm = gram.diagonal(dim1=1, dim2=2).sum(1)
    scale = square_norm.clamp_min(torch.finfo(gram.dtype).tiny).rsqrt()[:, None, None]
    gram *= scale.square()
    factor = scale
    for turn in range(rounds):
        # p(A) = a I + b A + c A^2. The factor p(A) F and the next Gram matrix p(A) A p(A) need
        # small square products alone; X, which may be wide, is multiplied once, by the caller.
        polynomial = torch.baddbmm(gram, gram, gram, beta=second, alpha=third)
        polynomial.diagonal(dim1=1, dim2=2).add_(first)
        factor = polynomial * factor if turn == 0 else polynomial @ factor
        if turn < rounds - 1:
            gram = polynomial @ gram @ polynomial
    return factor


class Muon(Adam):
    r"""Muon for the weights of linear and convolutional layers, Adam for everything else.

    $W \leftarrow W - \eta \sqrt{\max(m, n)} \, U V^\top$ for an $m \times n$ weight: its entries
    move by $\eta$ in root mean square, as far as Adam moves them, so one learning rate serves both.
    Kernels of convolutions are flattened to (first axis) x (rest).

    Args:
        network: Whose parameters to train.
        learning_rate: Root mean square of the step of an entry.
        betas: Decay of the mean gradient, and of its square for what Adam trains.
    """

    def __init__(
        self, network: nn.Module, learning_rate: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(network.parameters(), lr=learning_rate, betas=betas, fused=True)
        self.matrices = matrices_of(network)
        self._device = next(network.parameters()).device.type

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Moves every parameter that has a gradient."""
        # The rounds amplify rounding: never in the lower precision of the surrounding step.
        with torch.autocast(self._device, enabled=False):
            self._move_matrices()
        super().step()

    def _move_matrices(self) -> None:
        group = self.param_groups[0]
        # Set by whoever found, on the device, that this step must not be taken.
        bad: Tensor | None = getattr(self, "found_inf", None)
        alike: dict[int, list[tuple[Tensor, Tensor]]] = {}
        for weight in self.matrices:
            if weight.grad is not None:
                if bad is not None:
                    weight.grad.masked_fill_(bad > 0, 0.0)
                gradient = self._mean(weight, group["betas"][0]).flatten(1)
                alike.setdefault(min(gradient.shape), []).append((weight, gradient))
                weight.grad = None  # Adam passes over it
        for pairs in alike.values():
            factors = orthogonal_factors([_wide(gradient) for _, gradient in pairs])
            factors = factors if bad is None else factors * (1 - bad)
            for (weight, gradient), factor in zip(pairs, factors, strict=True):
                size = group["lr"] * max(gradient.shape) ** 0.5
                is_wide = gradient.shape[0] <= gradient.shape[1]
                pair = (factor, gradient) if is_wide else (gradient, factor.T)
                weight.view(gradient.shape).addmm_(*pair, alpha=-size)

    def _mean(self, weight: Tensor, beta1: float) -> Tensor:
        """The running mean of the gradient; the gradient itself without momentum."""
        gradient = weight.grad
        assert gradient is not None  # noqa: S101 - for the type checker
        if beta1 == 0:
            return gradient
        state: dict[str, Any] = self.state[weight]
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(weight)
            state["step"] = torch.zeros(())  # Adam looks for it when a state is restored
        mean: Tensor = state["exp_avg"].lerp_(gradient, 1 - beta1)
        return mean


def matrices_of(network: nn.Module) -> list[Tensor]:
    """The weights of linear and convolutional layers of at least 8 rows and columns."""
    layers = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    weights = [layer.weight for layer in network.modules() if isinstance(layer, layers)]
    return [weight for weight in weights if min(weight.flatten(1).shape) >= MIN_SIDE]


def _wide(matrix: Tensor) -> Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
