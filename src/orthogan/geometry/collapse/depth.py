r"""How fast depth makes all tokens alike, with and without skip connections."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.collapse.readings import CollapseReading, collapse_reading
from orthogan.geometry.inputs import exact, several
from orthogan.geometry.spectra.weights import SMALL_VALUE
from orthogan.rng import check_seed, stream

Layer: TypeAlias = Callable[[Tensor], Tensor]

COLLAPSED = 1e-6  # residual at which float32 no longer tells tokens apart
ROUNDING = 1e-14  # residuals below are rounding of float64


@dataclass(frozen=True)
class DepthCurve:
    """The residual of every layer: how far its tokens are from all being alike.

    Attributes:
        residuals: Before the first layer and after each, from 0 (all tokens alike) to 1.
        skip: Whether each layer was added to its input.
    """

    residuals: tuple[float, ...]
    skip: bool

    @property
    def collapsed_at(self) -> int | None:
        """The first layer after which float32 cannot tell the tokens apart; None if there is none.

        >>> DepthCurve((0.9, 0.1, 1e-7), skip=False).collapsed_at
        2
        """
        places = (layer for layer, one in enumerate(self.residuals) if one <= COLLAPSED)
        return next(places, None)

    @property
    def orders(self) -> tuple[float, ...]:
        r"""$\ln r_{l+1} / \ln r_l$: 1 where the residual is kept, towards 3 where it is cubed.

        Residuals within rounding of 0 are left out.
        """
        pairs = zip(self.residuals, self.residuals[1:], strict=False)
        return tuple(
            math.log(after) / math.log(before)
            for before, after in pairs
            if before < 1 and ROUNDING < after < 1
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; `json.dumps` takes it."""
        return {
            "residuals": list(self.residuals),
            "skip": self.skip,
            "collapsed_at": self.collapsed_at,
        }

    def reading(self) -> CollapseReading:
        """The last residual as a reading."""
        last = self.residuals[-1]
        return collapse_reading(
            "rank collapse with depth", last, self.residuals[0], COLLAPSED, collapse_is_high=False
        )

    def __str__(self) -> str:
        kind = "with" if self.skip else "without"
        return f"{kind} skips: " + " ".join(f"{one:.2g}" for one in self.residuals)


def token_residual(states: Tensor) -> float:
    r"""How far tokens are from being alike: $\|X - \mathbf 1 \bar x^\top\|_F / \|X\|_F$.

    The mean token is the nearest one, so this is the relative distance to the nearest matrix of
    equal rows; 0 for a single token and for zeros.

    Args:
        states: Tokens x width.

    Raises:
        ShapeError: not tokens x width.
        DataError: a value is not finite.

    Source: Dong, Cordonnier, Loukas 2021 ("Attention is not all you need"), section 2, in the
        Frobenius norm.

    >>> round(token_residual(torch.tensor([[1.0, 0.0], [0.0, 1.0]])) ** 2, 12)
    0.5
    """
    rows = exact("states", states, "tokens width")
    largest = float(rows.abs().max())
    if not largest:
        return 0.0
    unit = rows / largest
    first = unit[:1]
    mean = first + (unit - first).mean(0)  # exact where all tokens are alike
    return min(float((unit - mean).norm() / unit.norm()), 1.0)


def residual_curve(states: Iterable[Tensor]) -> tuple[float, ...]:
    """The residual of each of several states, such as a model's hidden states layer by layer.

    Args:
        states: Tokens x width each.

    Raises:
        ShapeError: a state is not tokens x width.
        DataError: a value is not finite.

    >>> residual_curve([torch.zeros(2, 3), torch.ones(2, 3)])
    (0.0, 0.0)
    """
    return tuple(token_residual(state) for state in several("states", states))


def depth_curve(states: Tensor, layers: Iterable[Layer], skip: bool = False) -> DepthCurve:
    r"""The residual as tokens pass through layers, with or without skip connections.

    Pure attention without skips takes the residual to about its cube in each layer, a doubly
    exponential fall; $X + f(X)$ holds against it.

    Args:
        states: Tokens x width.
        layers: Each takes tokens x width and returns as much; see `random_attention`.
        skip: Add each layer's output to its input.

    Raises:
        ShapeError: the states are not tokens x width, or a layer returns another shape.
        DataError: a value is not finite, at the start or after a layer.

    Source: Dong et al. 2021, theorems 2.1 (without) and 2.2 (with skips).

    >>> start = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    >>> depth_curve(start, [random_attention(8, seed=0, layer=n) for n in range(5)]).collapsed_at
    3
    """
    now = exact("states", states, "tokens width")
    residuals = [token_residual(now)]
    for number, layer in enumerate(layers, 1):
        new = layer(now)
        if new.shape != now.shape:
            raise ShapeError(
                f"Layer {number} must return tokens x width {tuple(now.shape)}, got "
                f"{tuple(new.shape)}."
            )
        now = exact(f"output of layer {number}", now + new if skip else new, "tokens width")
        residuals.append(token_residual(now))
    return DepthCurve(tuple(residuals), skip)


def random_attention(
    width: int, key_size: int | None = None, heads: int = 1, seed: int = 0, layer: int = 0
) -> Layer:
    r"""A pure attention layer with Gaussian weights: no skip, no MLP, no normalisation.

    $\sum_h \mathrm{softmax}(X W_q W_k^\top X^\top / \sqrt K) X W_v / \sqrt{\text{heads}}$ with
    entries of variance 1 / width.

    Args:
        width: Of the tokens.
        key_size: K of each head; None means width over heads.
        heads: Attention heads, each with a value matrix of its own.
        seed: Of the weights.
        layer: Layers of different numbers have different weights.

    Raises:
        ConfigError: a size is not positive, or the seed is out of range.

    >>> layer = random_attention(4, seed=7)
    >>> torch.equal(layer(torch.ones(2, 4).double()), layer(torch.ones(2, 4).double()))
    True
    """
    key_size = max(1, width // heads) if key_size is None and heads > 0 else key_size
    if key_size is None or min(width, key_size, heads) < 1:
        raise ConfigError(
            f"Random attention needs positive sizes, got width={width}, key_size={key_size}, "
            f"heads={heads}."
        )
    source = stream(check_seed(seed), "random-attention", layer)
    query, key = (_gaussian(source, heads, width, key_size) for _ in range(2))
    value = _gaussian(source, heads, width, width)

    def attention(states: Tensor) -> Tensor:
        logits = (states @ query) @ (states @ key).transpose(1, 2) / math.sqrt(key_size)
        mixed: Tensor = (logits.softmax(-1) @ states @ value).sum(0) / math.sqrt(heads)
        return mixed

    return attention


def small_value_share(weight: Tensor) -> float:
    r"""Share of singular values below 1 % of the largest: spectral collapse of a weight.

    A convolution's weight is read as outputs x everything else, as spectral normalisation does.

    Args:
        weight: Two axes or more, the outputs first.

    Raises:
        ShapeError: fewer than two axes.
        DataError: a value is not finite, or all are zero.

    Source: Liu et al. 2019 ("Spectral regularization for combating mode collapse in GANs"),
        section 3.

    >>> small_value_share(torch.diag(torch.tensor([1.0, 0.5, 0.001])))
    0.333...
    """
    if weight.ndim < 2:
        raise ShapeError(f"'weight' needs two axes or more, got shape {tuple(weight.shape)}.")
    values = torch.linalg.svdvals(exact("weight", weight.flatten(1), "outputs inputs"))
    if not bool(values[0] > 0):
        raise DataError("'weight' is zero everywhere, so it has no largest singular value.")
    return float((values < SMALL_VALUE * values[0]).double().mean())


def _gaussian(source: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(source.standard_normal(shape) / math.sqrt(shape[-2]))
