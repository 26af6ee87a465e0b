"""Any module over its inputs: what its attention layers attend to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from orthogan.analysis.attention_weights import captured_attention, patches_of
from orthogan.analysis.look_query import chosen_query
from orthogan.analysis.look_result import LayerLook, NetworkLook
from orthogan.analysis.looked_network import Request, mean_image
from orthogan.errors import ConfigError, ShapeError
from orthogan.shapes import Pixels


def look_into_module(
    module: nn.Module,
    request: Request,
    inputs: Any,
    grid: tuple[int, int] | None = None,
    projections: Mapping[str, Any] | None = None,
) -> NetworkLook:
    """The attention of every layer of a module in one forward pass.

    Args:
        module: Any that the geometry laboratory can capture.
        request: Its pixels are drawn on, its query is asked.
        inputs: What the module takes.
        grid: Rows and columns of its patches.
        projections: Names and heads, where they are not recognised.

    Raises:
        ConfigError: no inputs, no attention, or a query outside the grid.
        ShapeError: as many pixels as inputs are needed, or the grid does not fit.
    """
    if inputs is None:
        raise ConfigError(
            f"{type(module).__name__}: give what its forward pass takes with inputs=."
        )
    ground = _ground(request.images, inputs)
    records, notes = captured_attention(
        module,
        inputs,
        request.num_shown,
        partial(patches_of, grid=grid, in_image=ground is not None),
        projections,
    )
    count = records[0].tally.num_images
    if ground is not None and len(ground) != count:
        raise ShapeError(f"{count} inputs are drawn on as many images, got {len(ground)}.")
    layers = tuple(LayerLook.of(record, ground) for record in records)
    query, why = chosen_query(request.query, layers[0].patches, ground, False, "module")
    return NetworkLook(
        role="module",
        kind=type(module).__name__,
        seen="1 input" if count == 1 else f"{count:,} inputs",
        num_images=count,
        images=None if ground is None else ground[: request.num_shown],
        captions=tuple(f"input {number}" for number in range(min(count, request.num_shown))),
        mean_image=None if ground is None else mean_image(ground),
        query=query,
        layers=layers,
        notes=(*notes, why),
    )


def _ground(images: Any, inputs: Any) -> Pixels | None:
    """Pixels to draw on: those given, or the inputs themselves where they are images."""
    if isinstance(images, Tensor):
        return images
    if images is not None:
        raise ConfigError("Of a module, 'images' are pixels to draw on, not files.")
    first: Any = inputs
    if isinstance(inputs, Mapping):
        first = next((each for each in inputs.values() if _is_images(each)), None)
    elif isinstance(inputs, tuple):
        first = next((each for each in inputs if _is_images(each)), None)
    if not _is_images(first):
        return None
    floats = first.detach().float().cpu()
    low, high = floats.amin((1, 2, 3), keepdim=True), floats.amax((1, 2, 3), keepdim=True)
    scaled: Tensor = 255 * (floats - low) / (high - low).clamp_min(1e-12)
    return scaled.round().to(torch.uint8)


def _is_images(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.dim() == 4
        and value.is_floating_point()
        and value.shape[1] in (1, 3, 4)
    )
