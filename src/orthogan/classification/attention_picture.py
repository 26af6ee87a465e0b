"""The class token's attention over the patches, drawn on the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from orthogan.classification.labels import LabelScheme
from orthogan.classification.passes import attention_maps, probabilities
from orthogan.errors import ConfigError
from orthogan.images.ground import over_checkerboard
from orthogan.images.labelled_sheet import enlarged, labelled_sheet
from orthogan.images.overlay import overlay
from orthogan.networks.classifier import Classifier
from orthogan.shapes import Pixels

MOST_IMAGES = 64  # a taller picture fits no screen


def draw_attention(
    network: Classifier,
    pixels: Pixels,
    scheme: LabelScheme,
    names: Sequence[str] = (),
) -> Image.Image:
    """One row an image: the image, the mean over all maps, then the map of each block and head.

    Orange patches have positive weights, blue ones negative; the strongest patch of a map has the
    full colour. Left of a row stands the answer with its probability.

    Args:
        network: A classifier whose read-out attends, so one with at least one block.
        pixels: At least one image.
        scheme: What the answers are called.
        names: Shown above the answer, one an image; none if empty.

    Raises:
        ConfigError: no image, more than 64, or a network without attention.
        ShapeError: the images have another size or number of colours than the network's.

    Not covered: what the tokens already carry of each other when a later block weighs them.
    """
    if not 1 <= len(pixels) <= MOST_IMAGES:
        raise ConfigError(f"Between 1 and {MOST_IMAGES} images can be shown, got {len(pixels)}.")
    if not network.has_attention:
        raise ConfigError("A network with blocks=0 has no attention to draw.")
    maps = attention_maps(network, pixels)
    chances = probabilities(network, pixels)
    answers = scheme.decode(chances.argmax(dim=2))
    confidence = chances.amax(dim=2).prod(dim=1).tolist()
    columns = torch.cat([maps.mean(dim=(1, 2))[:, None], maps.flatten(1, 2)], dim=1)
    titles = ["image", "mean"]
    blocks, heads = range(1, maps.shape[1] + 1), range(1, maps.shape[2] + 1)
    titles += [f"block {block} head {head}" for block in blocks for head in heads]
    captions = [f"{answer}  {share:.1%}" for answer, share in zip(answers, confidence, strict=True)]
    if names:
        captions = [f"{name}\n{caption}" for name, caption in zip(names, captions, strict=True)]
    return labelled_sheet(_cells(pixels, columns), titles, captions)


def _cells(pixels: Pixels, columns: Tensor) -> list[list[Image.Image]]:
    rows, images = [], pixels.permute(0, 2, 3, 1).numpy()
    if images.shape[3] == 4:
        images = over_checkerboard(images)
    for image, maps in zip(images, columns, strict=True):
        picture = enlarged(Image.fromarray(np.repeat(image, 3 // image.shape[2], axis=2)))
        large = np.array(picture)
        rows.append([picture, *(Image.fromarray(overlay(large, m)) for m in maps.numpy())])
    return rows
