r"""Softmax heads that become a convolution as they sharpen.

With the relative code $r_\delta = (\|\delta\|^2, \delta_1, \delta_2)$ of the offset
$\delta = s - t$ and the head vector $v = -\alpha (1, -2 \Delta_1, -2 \Delta_2)$, the logit
$v^\top r_\delta = -\alpha (\|\delta - \Delta\|^2 - \|\Delta\|^2)$ is largest at the offset
$\Delta$, and the softmax tends to the head of `as_attention` that reads there. The weight lost to
other tokens is at most $1 - \theta(\alpha)^{-A}$ on $A$ axes, $\theta(\alpha) = \sum_z
e^{-\alpha z^2}$ over the integers: about $2 A e^{-\alpha}$.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orthogan.attention.convolution import ConvolutionAttention, as_attention
from orthogan.attention.taps import NOTHING
from orthogan.errors import ConfigError, DataError


def quadratic_code(offsets: Tensor) -> Tensor:
    r"""The relative code $(\|\delta\|^2, \delta)$ of each offset (last axis).

    Source: Cordonnier, Loukas and Jaggi 2020, equation 9.

    >>> quadratic_code(torch.tensor([1.0, -2.0]))
    tensor([ 5.,  1., -2.])
    """
    return torch.cat([offsets.square().sum(-1, keepdim=True), offsets], dim=-1)


def head_vector(shift: Tensor, sharpness: float) -> Tensor:
    r"""The vector $-\alpha (1, -2 \Delta)$ of a head that looks at the shift $\Delta$ (last axis).

    Source: Cordonnier, Loukas and Jaggi 2020, equation 9.

    >>> head_vector(torch.tensor([1.0, -2.0]), 3.0)
    tensor([ -3.,   6., -12.])
    """
    return -sharpness * torch.cat([torch.ones_like(shift[..., :1]), -2 * shift], dim=-1)


def sharp_weights(
    attention: ConvolutionAttention,
    size: int | Sequence[int],
    sharpness: float,
    *,
    pad: bool = True,
) -> Tensor:
    r"""Softmax weights `N T S` that tend to `attention.weights(size)` as they sharpen.

    Args:
        attention: What `as_attention` returned.
        size: Length of a sequence, or (rows, cols) of an image.
        sharpness: The $\alpha$ of every head, above 0.
        pad: Whether the heads see the padded input, as the convolution does; weight on a padded
            zero is left out, so that rows may sum to less than one. False shows them the input
            alone: a head whose shift leads outside settles on the nearest pixel, and the limit is
            the convolution with `padding_mode="replicate"`, whatever its padding mode.

    Raises:
        ConfigError: the sharpness is not a positive number.
        ShapeError: the convolution cannot take this size.

    Source: Cordonnier, Loukas and Jaggi 2020, theorem 1, lemma 2 and the remark on padding.
    """
    if not 0 < sharpness < float("inf"):
        raise ConfigError(f"sharpness must be a positive finite number, got {sharpness}.")
    taps, kind = attention.taps, attention.value
    keys = taps.padded_positions(size)
    num_tokens = torch.Size(taps.check_size(size)).numel()
    # Without padding only the positions that are tokens of the input themselves stay.
    tokens = taps.with_mode("zeros" if not pad else taps.padding_mode).tokens_at(keys, size)
    if not pad:
        keys, tokens = keys[tokens != NOTHING], tokens[tokens != NOTHING]
    offsets = (keys - taps.queries(size)[:, None]).to(kind)
    vectors = head_vector(taps.shifts().to(kind), sharpness)
    logits = torch.einsum("tsa,na->nts", quadratic_code(offsets), vectors)
    seen = logits.softmax(dim=-1)
    found = torch.zeros(*seen.shape[:2], num_tokens + 1, dtype=kind.dtype, device=kind.device)
    return found.index_add(2, tokens.remainder(num_tokens + 1).to(kind.device), seen)[..., :-1]


@dataclass(frozen=True)
class SharpnessCurve:
    """How far sharp softmax heads are from a convolution; one number a sharpness.

    Args:
        sharpness: The values of the curve.
        weight_error: Largest sum of absolute errors over a row of weights, at most 2.
        weight_bound: What theory allows it to be.
        output_error: Norm of the error of the output over the norm of the output;
            infinite where a wrong output should be zero.
    """

    sharpness: tuple[float, ...]
    weight_error: tuple[float, ...]
    weight_bound: tuple[float, ...]
    output_error: tuple[float, ...]


def sharpness_curve(
    conv: nn.Module, images: Tensor, sharpness: Sequence[float], *, pad: bool = True
) -> SharpnessCurve:
    r"""The error of $k^2$ sharp softmax heads against a convolution, for each sharpness.

    Args:
        conv: A convolution that `as_attention` takes; float64 shows errors down to 1e-16.
        images: `B` inputs.
        sharpness: Values of $\alpha$, above 0.
        pad: As in `sharp_weights`; without padding the convolution compared with is the one
            with `padding_mode="replicate"`.

    Raises:
        ConfigError: no sharpness, one that is not positive, or not a convolution.
        ShapeError: the images do not fit the convolution.
        DataError: an image is not finite.

    Source: Cordonnier, Loukas and Jaggi 2020, theorem 1. Not covered: learning such heads.

    >>> conv = nn.Conv2d(1, 1, 3, padding=1, dtype=torch.float64)
    >>> images = torch.eye(6, dtype=torch.float64)[None, None]
    >>> curve = sharpness_curve(conv, images, [1.0, 10.0])
    >>> curve.weight_error[1] < 4e-4 < curve.weight_error[0]
    True
    """
    if not sharpness:
        raise ConfigError("sharpness needs at least one value.")
    if not bool(images.isfinite().all()):
        raise DataError("images holds NaN or infinite values; check where it came from.")
    attention = as_attention(conv)
    size = images.shape[-attention.taps.num_axes :]
    limit = as_attention(conv)
    if not pad:
        limit.taps = limit.taps.with_mode("replicate")
    with torch.no_grad():
        exact, output = limit.weights(size), limit(images)
        weight_errors, output_errors = [], []
        for alpha in sharpness:
            sharp = sharp_weights(attention, size, alpha, pad=pad)
            weight_errors.append(float((sharp - exact).abs().sum(-1).max()))
            rest = (attention.mix(images, sharp) - output).norm()
            output_errors.append(float(rest / output.norm()) if rest else 0.0)
    bounds = tuple(weight_error_bound(alpha, attention.taps.num_axes) for alpha in sharpness)
    return SharpnessCurve(tuple(sharpness), tuple(weight_errors), bounds, tuple(output_errors))


def weight_error_bound(sharpness: float, axes: int) -> float:
    r"""The largest possible sum of absolute errors over a row: $2 (1 - \theta(\alpha)^{-A})$.

    Where the shift leads outside an unpadded grid the bound holds as well, because the nearest
    pixel $p$ to $c$ satisfies $\|q - c\|^2 \ge \|p - c\|^2 + \|q - p\|^2$ for every pixel $q$.

    >>> round(weight_error_bound(10.0, 2) / (8 * 2.718281828459045**-10), 3)
    1.0
    """
    # exp(-sharpness z^2) is below the rounding of 1 where sharpness z^2 > 40.
    reach = int((40 / sharpness) ** 0.5) + 1
    steps = torch.arange(1, reach + 1, dtype=torch.float64)
    tail = 2 * (-sharpness * steps.square()).exp().sum()
    return float(-2 * torch.expm1(-axes * torch.log1p(tail)))
