"""From a generator to a graph of elementary operations, by `torch.export`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from orthogan.attention import Attention
from orthogan.errors import ConfigError
from orthogan.networks import Generator
from orthogan.shapes import Latents

# Those that a page would need a kernel for, and need not: PyTorch knows how to write them out.
_WRITTEN_OUT = [
    torch.ops.aten.native_layer_norm,
    torch.ops.aten.linalg_vector_norm,
    torch.ops.aten.gelu,
    torch.ops.aten.silu,
    torch.ops.aten.elu,
    torch.ops.aten.leaky_relu,
    torch.ops.aten.hardtanh,
    torch.ops.aten.softplus,
    torch.ops.aten._log_softmax,  # noqa: SLF001 - an operation's name
    torch.ops.aten.logsumexp,
    torch.ops.aten.upsample_nearest2d,
    torch.ops.aten.upsample_bilinear2d,
    torch.ops.aten.pixel_shuffle,
    torch.ops.aten.addcmul,
    torch.ops.aten.square,
]


class _Watched(nn.Module):
    """A generator that shows its attention weights beside its images."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, noise: Latents) -> tuple[Tensor, ...]:
        """Images, then the weights of each attention layer in the order of the pass."""
        seen: list[Tensor] = []

        def watch(layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            assert isinstance(layer, Attention)  # noqa: S101 - for the type checker
            seen.append(layer.weights(*given, **named))

        layers = [part for part in self.modules() if isinstance(part, Attention)]
        hooks = [layer.register_forward_pre_hook(watch, with_kwargs=True) for layer in layers]
        try:
            images = self.generator.synthesise(noise)
        finally:
            for hook in hooks:
                hook.remove()
        return images, *seen


def captured(generator: Generator) -> ExportedProgram:
    """The graph of `synthesise` for any number of images; its further outputs: attention weights.

    Raises:
        ConfigError: the network does other things for other numbers of images, or for other noise.
    """
    noise = torch.zeros(2, generator.config.latent_size)
    noise[:, 0] = 1.0
    try:
        with torch.no_grad(), _quiet():
            program = torch.export.export(
                _Watched(generator).eval(), (noise,), dynamic_shapes=({0: Dim("batch")},)
            )
            written_out: ExportedProgram = program.run_decompositions(_decompositions())
            return written_out
    except Exception as error:
        # Its errors share no base but this, and are a page long.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"The generator '{generator.config.kind}' cannot be written as one graph for any "
            f"number of images: {reason[0][:300].rstrip('.')}."
        ) from error


def _decompositions() -> dict[Any, Any]:
    table = torch.export.default_decompositions()
    return {**table, **torch._decomp.get_decompositions(_WRITTEN_OUT)}  # noqa: SLF001


@contextmanager
def _quiet() -> Iterator[None]:
    """What the tracer says is about itself."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
