r"""A convolution as softmax-free attention, and back, with the same numbers.

One head a tap of the kernel. Head $n$ attends from output $t$ to the one token that its tap reads,

$W_n(t, s) = 1$ if $s = \mathrm{stride} \cdot t + \mathrm{dilation} \cdot n - \mathrm{padding}$,
else 0,

so its weights depend on the offset between output and token only, never on the content. Its values
are the tokens through that tap's slice of the kernel, and the output is
$\sum_n W_n X V_n^\top + b$: the definition of the convolution with its sum over taps written as a
sum over heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils import skip_init

from orthogan.attention.scores import attend
from orthogan.attention.taps import NOTHING, Taps
from orthogan.errors import ConfigError, ShapeError

Convolution: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d
_KINDS: tuple[type[Convolution], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class ConvolutionAttention(nn.Module):
    """Softmax-free attention with one head a kernel tap; made by `as_attention`.

    `value` holds the value projection of each head, `N` x channels out x channels in a group.
    Nothing is kept between calls: inputs of any size may follow one another.
    """

    bias: Tensor | None

    def __init__(self, conv: Convolution) -> None:
        super().__init__()
        self.taps, self.groups, self.padding = Taps.of(conv), conv.groups, conv.padding
        weight, bias = conv.weight, conv.bias
        by_tap = weight.detach().flatten(2).permute(2, 0, 1)
        self.value = nn.Parameter(
            by_tap.clone(memory_format=torch.contiguous_format), weight.requires_grad
        )
        self.register_parameter(
            "bias",
            None if bias is None else nn.Parameter(bias.detach().clone(), bias.requires_grad),
        )
        self.train(conv.training)

    @property
    def heads(self) -> int:
        """Number of heads: the taps of the kernel."""
        return self.value.shape[0]

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self.value.shape[2] * self.groups

    def weights(self, size: int | Sequence[int]) -> Tensor:
        """The attention weights `N T S` for an input of this size.

        A row holds a single one, or only zeros where the tap reads a padded zero.

        Args:
            size: Length of a sequence, or (rows, cols) of an image; tokens go row by row.

        Raises:
            ShapeError: the convolution cannot take this size.
        """
        tokens = torch.arange(torch.Size(self.taps.check_size(size)).numel())
        is_read = self.taps.sources(size)[..., None] == tokens
        return is_read.to(self.value)

    def value_matrices(self) -> Tensor:
        """What each head does to a token, `N` x channels out x channels in.

        With groups the matrices are block-diagonal, one block a group.
        """
        blocks = self.value.unflatten(1, (self.groups, -1))
        own = torch.eye(self.groups, dtype=blocks.dtype, device=blocks.device)
        return torch.einsum("ngoc,gh->ngohc", blocks, own).flatten(3).flatten(1, 2)

    def values(self, images: Tensor) -> Tensor:
        """The values `B N S V` of the tokens; `V` is the number of channels out."""
        tokens = self._batch(images).flatten(2).unflatten(1, (self.groups, -1))
        blocks = self.value.unflatten(1, (self.groups, -1))
        return torch.einsum("ngoc,bgcs->bnsgo", blocks, tokens).flatten(3)

    def forward(self, images: Tensor) -> Tensor:
        """What the convolution returns, batched or not.

        Reads each head's one token by its index instead of multiplying by zeros.

        Raises:
            ShapeError: the wrong number of axes or channels, or too small for the kernel.
        """
        batch = self._batch(images)
        size = self.taps.output_size(batch.shape[2:])
        # A product with one-hot weights only copies; an index does the same without the zeros.
        read = self._read(batch).unflatten(1, (self.groups, -1))
        blocks = self.value.unflatten(1, (self.groups, -1))
        mixed = torch.einsum("ngoc,bgcnt->bgot", blocks, read).flatten(1, 2)
        return self._finish(mixed, size, images)

    def mix(self, images: Tensor, weights: Tensor) -> Tensor:
        """The output when the heads attend by `weights`, `N T S`, instead of their own.

        With `weights(size)` it equals `forward`; dense, so slower by a factor of `S / N`.

        Raises:
            ShapeError: the weights do not fit the heads, the outputs or the tokens.
        """
        batch = self._batch(images)
        size = self.taps.output_size(batch.shape[2:])
        fitting = (self.heads, torch.Size(size).numel(), batch.shape[2:].numel())
        if weights.shape != fitting:
            raise ShapeError(
                f"The weights must be (heads, outputs, tokens) = {fitting}, "
                f"got {tuple(weights.shape)}."
            )
        mixed = attend(weights[None], self.values(batch)).sum(1).transpose(1, 2)
        return self._finish(mixed, size, images)

    def extra_repr(self) -> str:
        """Sizes, as printed inside a network."""
        taps = self.taps
        return (
            f"{self.in_channels}, {self.value.shape[1]}, heads={self.heads}, "
            f"kernel_size={taps.kernel_size}, stride={taps.stride}, dilation={taps.dilation}, "
            f"padding={self.padding!r}, padding_mode={taps.padding_mode!r}, groups={self.groups}"
        )

    def _read(self, batch: Tensor) -> Tensor:
        """What each head reads for each output: `B C N T`."""
        sources = self.taps.sources(batch.shape[2:])
        tokens = batch.flatten(2)
        if self.taps.padding_mode == "zeros" and any(map(any, self.taps.padding)):
            tokens = functional.pad(tokens, (0, 1))  # the last token is the padded zero
            sources = sources.masked_fill(sources == NOTHING, tokens.shape[2] - 1)
        read = tokens.index_select(2, sources.flatten().to(batch.device))
        by_head: Tensor = read.unflatten(2, sources.shape)
        return by_head

    def _batch(self, images: Tensor) -> Tensor:
        axes = self.taps.num_axes
        batch = images[None] if images.dim() == axes + 1 else images
        if batch.dim() != axes + 2 or batch.shape[1] != self.in_channels:
            grid = ("length", "rows, cols", "depth, rows, cols")[axes - 1]
            raise ShapeError(
                f"This {axes}-D convolution expects (batch, {self.in_channels}, {grid}), "
                f"got {tuple(images.shape)}."
            )
        return batch

    def _finish(self, mixed: Tensor, size: tuple[int, ...], images: Tensor) -> Tensor:
        if self.bias is not None:
            mixed = mixed + self.bias[:, None]
        output: Tensor = mixed.unflatten(2, size)
        return output[0] if images.dim() == self.taps.num_axes + 1 else output


def as_attention(conv: nn.Module) -> ConvolutionAttention:
    r"""A softmax-free attention module with the same output as a torch convolution.

    $y_t = b + \sum_n \sum_s W_n(t, s)\, V_n x_s$, one head $n$ a tap, $V_n$ its slice of the kernel

    Args:
        conv: `nn.Conv1d`, `nn.Conv2d` or `nn.Conv3d` with any stride, dilation, groups, bias,
            padding and padding mode. It is copied, never changed.

    Returns:
        A module with its own parameters, trainable like the convolution's. `weights(size)` are
        its attention weights, `values(images)` its values, `as_convolution` the way back.

    Raises:
        ConfigError: not a plain convolution (transposed, lazy, hooked or with its own forward).

    Source: definition of the convolution; Cordonnier, Loukas and Jaggi 2020, equation 17.
    Not covered: content; the weights are a fixed pattern, as a convolution's are.

    >>> _ = torch.manual_seed(0)
    >>> conv = nn.Conv2d(3, 8, 3, padding=1)
    >>> attention = as_attention(conv)
    >>> images = torch.randn(2, 3, 28, 28)
    >>> torch.allclose(attention(images), conv(images), atol=1e-5)
    True
    >>> attention.weights((28, 28)).shape  # heads, outputs, tokens
    torch.Size([9, 784, 784])
    """
    return ConvolutionAttention(_plain(conv))


def as_convolution(attention: nn.Module) -> Convolution:
    """The torch convolution with the same output, its weights bit for bit.

    Args:
        attention: What `as_attention` returned, trained further or not. It is copied.

    Raises:
        ConfigError: any other module; content-based attention is no convolution.

    >>> conv = nn.Conv1d(4, 6, 3, stride=2, groups=2, padding_mode="circular", padding=1)
    >>> torch.equal(as_convolution(as_attention(conv)).weight, conv.weight)
    True
    """
    if not isinstance(attention, ConvolutionAttention):
        raise ConfigError(
            f"Only attention made by as_attention is a convolution, got {type(attention).__name__}."
        )
    taps, value, bias = attention.taps, attention.value, attention.bias
    # skip_init: drawing weights would move the global random generator for nothing.
    conv: Convolution = skip_init(
        _KINDS[taps.num_axes - 1],
        attention.in_channels,
        value.shape[1],
        taps.kernel_size,
        stride=taps.stride,
        padding=attention.padding,
        dilation=taps.dilation,
        groups=attention.groups,
        bias=bias is not None,
        padding_mode=taps.padding_mode,
        device=value.device,
        dtype=value.dtype,
    )
    with torch.no_grad():
        conv.weight.copy_(value.permute(1, 2, 0).unflatten(2, taps.kernel_size))
        conv.weight.requires_grad_(value.requires_grad)
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(bias)
            conv.bias.requires_grad_(bias.requires_grad)
    return conv.train(attention.training)


def _plain(conv: nn.Module) -> Convolution:
    """The module itself, once it is known to compute what its settings say."""
    name = type(conv).__name__
    if not isinstance(conv, _KINDS):
        hint = " A transposed convolution reads the other way." if "Transpose" in name else ""
        raise ConfigError(f"as_attention takes nn.Conv1d, Conv2d or Conv3d, got {name}.{hint}")
    if isinstance(conv, LazyModuleMixin):
        raise ConfigError(f"{name} has no weights yet; pass one batch through it first.")
    kind = next(kind for kind in _KINDS if isinstance(conv, kind))
    own = (type(conv).forward, type(conv)._conv_forward)  # noqa: SLF001
    if own != (kind.forward, kind._conv_forward):  # noqa: SLF001
        raise ConfigError(f"{name} has a forward of its own, which attention would leave out.")
    if conv._forward_hooks or conv._forward_pre_hooks:  # noqa: SLF001
        raise ConfigError(
            f"{name} has forward hooks, which attention would leave out; remove them first."
        )
    return conv
