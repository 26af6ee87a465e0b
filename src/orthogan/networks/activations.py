"""The tokens a network hands on while it runs, and how its attention layers weigh them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from orthogan.attention import Attention, OrthogonalEncoding, PositionalEncoding
from orthogan.networks.blocks import Block, ModulatedBlock
from orthogan.networks.conv_gan import ResidualBlock
from orthogan.networks.network import Discriminator
from orthogan.networks.stems import sequence

# Whose outputs are tokens, or a grid of them.
HOOK_POINTS = (PositionalEncoding, OrthogonalEncoding, Block, ModulatedBlock, ResidualBlock)


@dataclass(frozen=True, eq=False)
class Activations:
    """What went through a network in one run.

    Attributes:
        tokens: By the module they left, in order: after the position code and after each block
            `B T D`; without attention, the cells of a grid, after each residual block and where
            a dense layer reads it.
        weights: By attention layer, `B N T S`.
        features: One `B F`, what a discriminator's logit is a linear function of; empty in others.
    """

    tokens: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    features: list[Tensor] = field(default_factory=list)


@torch.no_grad()
def run_with_activations(network: nn.Module, *inputs: Tensor | None) -> tuple[Tensor, Activations]:
    """The output of a network, and the tokens and attention weights on the way to it.

    The network runs once, without gradients and in evaluation mode; its modes are put back and
    the hooks removed, also after an error.

    >>> from orthogan.networks import AttentionDiscriminatorConfig
    >>> network = AttentionDiscriminatorConfig(size=16).build()
    >>> _, found = run_with_activations(network, torch.zeros(2, 1, 16, 16))
    >>> {name: tuple(tokens.shape) for name, tokens in found.tokens.items()}
    {'positions': (2, 4, 96), 'blocks.0': (2, 4, 96)}
    """
    found = Activations()
    with _watched(network, found), _evaluating(network):
        output: Tensor = network(*inputs)
    return output, found


@contextmanager
def _watched(network: nn.Module, found: Activations) -> Iterator[None]:
    handles = []
    try:
        for name, module in network.named_modules():
            if isinstance(module, HOOK_POINTS):
                handles.append(module.register_forward_hook(_keep_output(name, found)))
            elif isinstance(module, nn.Flatten):
                handles.append(module.register_forward_pre_hook(_keep_grid(name, found)))
            elif isinstance(module, Attention):
                hook = _keep_weights(name, found)
                handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))
        if isinstance(network, Discriminator):
            handles.append(network.logit.register_forward_pre_hook(_keep_features(found)))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _keep_output(name: str, found: Activations) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        found.tokens[name] = sequence(output) if output.dim() == 4 else output

    return hook


def _keep_grid(name: str, found: Activations) -> Callable[..., None]:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].dim() == 4:  # tokens were kept where they left their block
            found.tokens[name] = sequence(inputs[0])

    return hook


def _keep_weights(name: str, found: Activations) -> Callable[..., None]:
    def hook(layer: Attention, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.weights[name] = layer.weights(*inputs, **named)

    return hook


def _keep_features(found: Activations) -> Callable[..., None]:
    def hook(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.features.append(inputs[0])

    return hook
