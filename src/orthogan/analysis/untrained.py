"""The network that a trained one was before its first step."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from orthogan import rng
from orthogan.analysis.trained import Trained
from orthogan.networks import Classifier, Discriminator, Generator
from orthogan.networks.calibration import calibrate, needs_calibration
from orthogan.shapes import Images, Latents


def untrained(
    found: Trained, first_inputs: Callable[[], Images | Latents]
) -> Generator | Discriminator | Classifier:
    """A network of the same configuration with the first weights that its seed gives.

    Statistics that are taken of the first inputs, as whitened keys do, are taken of
    `first_inputs`.

    Args:
        found: The trained network; without a seed, that of 0.
        first_inputs: Latents for a generator, images for the others; called if they are needed.
    """
    with rng.initialization(found.seed or 0, found.role, found.attempt):
        network: Generator | Discriminator | Classifier = found.network.config.build()
    shares = getattr(found.network, "class_shares", None)
    if isinstance(shares, Tensor):  # taken from the data before the first step
        network.get_buffer("class_shares").copy_(shares)
    if needs_calibration(network):
        calibrate(network, first_inputs())
    return network.eval()
