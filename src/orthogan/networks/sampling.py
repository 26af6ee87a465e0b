"""From seeds to pixels: the image of a seed is the same whichever batch it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from orthogan.data import to_pixels
from orthogan.inference_batches import inference_batches
from orthogan.networks.network import Generator
from orthogan.shapes import Pixels

Given = TypeVar("Given")
Made = TypeVar("Made")


@torch.inference_mode()
def sample_pixels(
    generator: Generator,
    seeds: Sequence[int],
    classes: Sequence[int] | None = None,
    *,
    in_order: bool = False,
) -> Pixels:
    """One image a seed.

    Args:
        generator: Any generator; it is put in evaluation mode.
        seeds: Each decides its image (and its class, if `classes` is None) alone.
        classes: For class-conditional generators: the classes to show, in turn.
        in_order: One pass after another, for those who watch the generator at work.

    Raises:
        ConfigError: a negative seed, an unknown class, or classes for a generator without them.
    """
    config, device = generator.config, next(generator.parameters()).device
    generator.eval()
    draw = partial(_drawn, generator, device)
    given = list(inference_batches(seeds, config.latent_size, config.classes, classes))
    if device.type == "cpu":
        made = side_by_side(draw, given, 1 if in_order else torch.get_num_threads())
    else:
        made = [draw(each) for each in given]
    none = torch.empty(0, config.colours, config.size, config.size, dtype=torch.uint8)
    return torch.cat([none, *made])[: len(seeds)]


@torch.inference_mode()
def _drawn(
    generator: Generator, device: torch.device, given: tuple[np.ndarray, np.ndarray | None]
) -> Pixels:
    draws, asked = given
    labels = None if asked is None else torch.from_numpy(asked).to(device)
    return to_pixels(generator(torch.from_numpy(draws).to(device), labels)).cpu()


def side_by_side(work: Callable[[Given], Made], given: Iterable[Given], workers: int) -> list[Made]:
    """What `work` makes of each, in order: so many at a time, each computed by one thread.

    Threads that share every small product wait for each other at its end; those with a piece each
    do not (benchmarks/sampling.py). And a product that is not shared is summed in the same order
    on any number of cores.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, given))
    finally:
        torch.set_num_threads(threads)  # the workers have set it for more than themselves
