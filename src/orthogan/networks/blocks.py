"""Transformer blocks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from orthogan.attention import Attention
from orthogan.shapes import Latents, Mask, Tokens

Activation = Callable[[Tensor], Tensor]

# Slope used by DCGAN (Radford et al. 2016, section 3) and by every GAN here.
LEAK = 0.2


def leaky_relu(features: Tensor) -> Tensor:
    """LeakyReLU with slope 0.2 below zero."""
    return functional.leaky_relu(features, LEAK)


def mlp_layers(num_inputs: int, hidden: int) -> list[nn.Module]:
    """The two dense layers with ReLU that every generator puts behind its noise."""
    return [
        nn.Linear(num_inputs, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
    ]


class Dense(nn.Module):
    """Two linear layers with an activation between them, applied to each token."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.activation = activation

    def forward(self, tokens: Tokens) -> Tokens:
        """Tokens of the same shape."""
        refined: Tensor = self.contract(self.activation(self.expand(tokens)))
        return refined


class Block(nn.Module):
    """Self-attention, then dense layers, each added to its input.

    Source: Vaswani et al. 2017, section 3.1, with the norm before each part (Xiong et al. 2020).

    Args:
        width: Width of the tokens.
        attention: Attends; of the same width.
        activation: Between the dense layers.
        expansion: Hidden width of the dense layers, in widths; 0: attention alone.
        normalise: Apply RMSNorm before each part.
    """

    def __init__(
        self,
        width: int,
        attention: Attention,
        activation: Activation,
        expansion: int = 2,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.dense = Dense(width, expansion * width, activation) if expansion else None
        self.attention_norm = nn.RMSNorm(width) if normalise else nn.Identity()
        self.dense_norm = nn.RMSNorm(width) if normalise and expansion else nn.Identity()

    def forward(self, tokens: Tokens, mask: Mask | None = None) -> Tokens:
        """Tokens of the same shape; `mask` is True where a token may attend."""
        tokens = tokens + self.attention(self.attention_norm(tokens), mask=mask)
        if self.dense is None:
            return tokens
        refined: Tensor = tokens + self.dense(self.dense_norm(tokens))
        return refined


class ModulatedBlock(nn.Module):
    """A block whose norms are scaled, shifted and gated by a style vector (adaLN-zero).

    The gates start at zero, so a fresh block is the identity.

    Source: Peebles and Xie 2023, "Scalable diffusion models with transformers", section 3.2.
    """

    def __init__(
        self,
        width: int,
        attention: Attention,
        style_size: int,
        activation: Activation,
        expansion: int,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.dense = Dense(width, expansion * width, activation)
        self.norm = nn.RMSNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(style_size, 6 * width)
        # Gates at zero: the first steps pass through skip connections alone, at any depth.
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, tokens: Tokens, style: Latents) -> Tokens:
        """Tokens of the same shape, modulated by the mapped noise."""
        scale, shift, gate, dense_scale, dense_shift, dense_gate = self.modulation(style)[
            :, None
        ].chunk(6, dim=-1)
        attended = self.attention(self.norm(tokens) * (1 + scale) + shift)
        tokens = torch.addcmul(tokens, gate, attended)
        refined = self.dense(self.norm(tokens) * (1 + dense_scale) + dense_shift)
        return torch.addcmul(tokens, dense_gate, refined)
