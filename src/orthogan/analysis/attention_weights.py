"""The attention weights of a network while it works: of our layers, or of any module's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from orthogan.analysis.attention_statistics import MapTally, Patches
from orthogan.attention import Attention, attention_weights
from orthogan.embeddings.capture import Activations, capture, listening, run_module
from orthogan.errors import ConfigError, ShapeError
from orthogan.shapes import Weights

NOT_IN_CAPTURED = (
    "The weights are softmax(q k / sqrt K) of the captured queries and keys; masks, biases and "
    "rotations of the model are not in them."
)
MOST_CLASS = 2  # class tokens that a square of patches is looked for behind


class LayerRecord:
    """What is kept of one layer: the tally of all images and the maps of the first few.

    Args:
        name: What a person calls it.
        patches: Which of its tokens lie in a grid.
        num_shown: Of how many images the maps are kept as they are.
        num_images: How many images there are; what batches hold beyond them is padding. None:
            all of them count.
    """

    def __init__(
        self, name: str, patches: Patches, num_shown: int, num_images: int | None = None
    ) -> None:
        self.name, self.tally = name, MapTally(patches)
        self._num_shown, self._num_images = num_shown, num_images
        self._kept: list[Tensor] = []
        self._received: list[Tensor] = []

    @property
    def shown(self) -> Weights:
        """The maps of the first images."""
        return torch.cat(self._kept)

    @property
    def received(self) -> Tensor:
        """The attention, without sign, that each patch of each image gets from all: `B N S`."""
        return torch.cat(self._received)

    def add(self, weights: Weights) -> None:
        """Adds the maps of a batch.

        Raises:
            DataError: a weight is not finite.
        """
        seen = self.tally.num_images
        real = weights if self._num_images is None else weights[: self._num_images - seen]
        if seen < self._num_shown:
            self._kept.append(real[: self._num_shown - seen].detach().float().cpu().clone())
        first = self.tally.patches.num_class
        between = real[:, :, first:, first:].detach().float().cpu().abs()
        self._received.append(between.mean(2).double())
        self.tally.add(real)


def record_attention(
    network: nn.Module,
    work: Callable[[], object],
    num_shown: int,
    patches: Callable[[int], Patches],
    num_images: int | None = None,
) -> list[LayerRecord]:
    """What every `Attention` layer of a network attends to while `work` is done, in their order.

    Args:
        network: Holds the layers; in evaluation mode while it works.
        work: Runs the network, on as many batches as it likes; the first images come first.
        num_shown: Of how many the maps are kept.
        patches: From a number of tokens to those that lie in a grid, such as `patches_of`.
        num_images: How many images count; None: all.

    Raises:
        ShapeError: the tokens do not fit the grid.
        DataError: a weight is not finite.
    """
    records: dict[str, LayerRecord] = {}

    def see(name: str, title: str, layer: nn.Module, args: Any, kwargs: Any) -> None:
        weights = layer.weights(*args, **kwargs)  # type: ignore[operator]
        if name not in records:
            placed = patches(weights.shape[-1])
            records[name] = LayerRecord(title, placed, num_shown, num_images)
        records[name].add(weights)

    with listening(network) as listen, torch.inference_mode():
        for number, (name, layer) in enumerate(_layers(network).items(), 1):
            hook = partial(see, name, f"block {number}")
            listen(layer.register_forward_pre_hook(hook, with_kwargs=True))
        work()
    return list(records.values())


def captured_attention(
    module: nn.Module,
    inputs: Any,
    num_shown: int,
    patches: Callable[[int], Patches],
    names: Mapping[str, Any] | None = None,
) -> tuple[list[LayerRecord], list[str]]:
    r"""What every layer of a module attends to in one forward pass, and what has to be said.

    Layers of this package tell their weights; those of other libraries are taken to weigh by
    $\mathrm{softmax}(q k^\top / \sqrt K)$, which holds where no mask, bias or rotation acts.

    Args:
        module: Any module that the geometry laboratory can capture.
        inputs: A tensor, a tuple of positional arguments, or a dictionary of named ones.
        num_shown: Of how many images the maps are kept.
        patches: From a number of tokens to those that lie in a grid, such as `patches_of`.
        names: Of the projections and heads, as `orthogan.embeddings.capture.capture` takes them.

    Raises:
        ConfigError: no attention layer is recognised, or none attends to its own tokens.
        ShapeError: the tokens do not fit the grid.
        UnknownNameError: a pattern matches no module.
    """
    if has_attention(module) and not names:
        return record_attention(module, lambda: run_module(module, inputs), num_shown, patches), []
    records, others = [], []
    for layer in capture(module, inputs, **(names or {})):
        weights = _softmax_weights(layer)
        if weights.shape[-1] != weights.shape[-2]:
            others.append(layer.name)
            continue
        placed = patches(weights.shape[-1])
        record = LayerRecord(layer.name or type(module).__name__, placed, num_shown)
        record.add(weights)
        records.append(record)
    if not records:
        raise ConfigError(
            f"{type(module).__name__}: its attention goes from some tokens to others, and maps "
            "are drawn of tokens that attend to themselves."
        )
    notes = [NOT_IN_CAPTURED]
    if others:
        notes.append(f"Left out, as they attend to other tokens: {', '.join(others)}.")
    return records, notes


def patches_of(
    num_tokens: int, grid: tuple[int, int] | None = None, *, in_image: bool = True
) -> Patches:
    """Which of so many tokens are patches: the grid's, behind the class tokens.

    Args:
        num_tokens: Tokens of a sequence.
        grid: Rows and columns. None: the square that the tokens fill, behind at most two class
            tokens; a single row where they fill none.
        in_image: Whether to look for a square; tokens of a text lie in a row.

    Raises:
        ShapeError: the grid has more places than there are tokens.

    >>> patches_of(49), patches_of(197)
    (Patches(grid=(7, 7), num_class=0), Patches(grid=(14, 14), num_class=1))
    >>> patches_of(16, in_image=False), patches_of(12)
    (Patches(grid=(1, 16), num_class=0), Patches(grid=(1, 12), num_class=0))
    """
    if grid is not None:
        num_class = num_tokens - grid[0] * grid[1]
        if num_class < 0 or min(grid) < 1:
            raise ShapeError(
                f"A grid of {grid[0]} x {grid[1]} patches needs as many tokens, got {num_tokens}."
            )
        return Patches(grid, num_class)
    for num_class in range(MOST_CLASS + 1) if in_image else ():
        side = math.isqrt(max(num_tokens - num_class, 0))
        if side > 1 and side * side == num_tokens - num_class:
            return Patches((side, side), num_class)
    return Patches((1, num_tokens))


def has_attention(network: nn.Module) -> bool:
    """Whether a network has an `Attention` layer."""
    return bool(_layers(network))


def _layers(network: nn.Module) -> dict[str, Attention]:
    parts = network.named_modules()
    return {name: part for name, part in parts if isinstance(part, Attention)}


def _softmax_weights(layer: Activations) -> Tensor:
    groups = layer.query.shape[1] // layer.key.shape[1]
    return attention_weights(layer.query.float(), layer.key.float().repeat_interleave(groups, 1))
