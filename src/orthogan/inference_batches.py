"""From seeds to what a generator is given; no PyTorch here.

Every pass has the same number of images, padded if need be: kernels sum in an order that depends
on the shape, so a fixed shape makes the image of a seed the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from orthogan.class_names import WITHOUT_CLASSES
from orthogan.errors import ConfigError
from orthogan.streams import LATENTS, normal_rows

INFERENCE_BATCH_SIZE = 64


def inference_batches(
    seeds: Sequence[int], latent_size: int, num_classes: int, classes: Sequence[int] | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Latents (float32) and labels (int64) of 64 images at a time.

    Args:
        seeds: One an image; the last pass is padded.
        latent_size: Length of a latent.
        num_classes: Classes of the generator; 0: it has none.
        classes: The classes to show, in turn; None: each latent draws its own, no labels.

    Raises:
        ConfigError: a negative seed, an unknown class, or classes for a generator without them.
    """
    labels = _labels(len(seeds), num_classes, classes)
    latents = normal_rows(seeds, LATENTS, latent_size)
    for start in range(0, len(seeds), INFERENCE_BATCH_SIZE):
        part = slice(start, start + INFERENCE_BATCH_SIZE)
        yield _padded(latents[part]), None if labels is None else _padded(labels[part])


def _labels(num_images: int, num_classes: int, classes: Sequence[int] | None) -> np.ndarray | None:
    if classes is None:
        return None
    if num_classes == 0:
        raise ConfigError(WITHOUT_CLASSES)
    wrong = [label for label in classes if not 0 <= label < num_classes]
    if wrong or not classes:
        raise ConfigError(f"Classes lie in 0..{num_classes - 1}, got {wrong or 'none'}.")
    return np.array([classes[i % len(classes)] for i in range(num_images)], dtype=np.int64)


def _padded(rows: np.ndarray) -> np.ndarray:
    # The last row again: a latent of zeros, which nobody draws, has no direction.
    return np.concatenate([rows, rows[-1:].repeat(INFERENCE_BATCH_SIZE - len(rows), axis=0)])
