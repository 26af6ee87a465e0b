"""What a step shows of its health for next to nothing: a few numbers from what it has at hand.

Every eighth step they are taken from the batch, the logits and the gradients that the step has made
anyway, and from the sizes of the weights; nothing is drawn and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from orthogan.gan.objectives import DiscriminatorStep
from orthogan.shapes import Images, Scalar

PLAYERS = ("generator", "discriminator")
# Side of the coarse mean image in which a change of the data is looked for.
COARSE = 4
# Batches that say how much the mean image of one varies, before a change can be told.
BURN_IN = 6
FORGETTING = 0.95  # of its mean and variance, a look: some twenty looks are remembered


class StepSigns:
    """The numbers of each look, and what has to be remembered from one look to the next.

    Args:
        weights: The size of the weights of each player at the latest look.
        data: What `Drift` remembers.
    """

    def __init__(
        self,
        weights: Mapping[str, float] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self.weights: dict[str, float] = dict(weights or {})
        self.drift = Drift(**(data or {}))

    @torch.no_grad()
    def look(
        self,
        real: Images,
        fake: Images,
        judged: DiscriminatorStep,
        gradients: Mapping[str, Scalar],
        networks: Mapping[str, nn.Module],
    ) -> dict[str, float]:
        """The signs of one step by their names, as `docs/reliability.md` explains them.

        Args:
            real: Its real images.
            fake: Its fakes.
            judged: What the discriminator said of them.
            gradients: The norm of the gradient of each player.
            networks: Both players by their names.
        """
        at_real, at_fake = _of_images(real), _of_images(fake)
        sizes = [weight_norm(networks[name]) for name in PLAYERS]
        facts = torch.stack(
            [
                *(at_fake / at_real),
                torch.sigmoid(judged.real - judged.fake).mean(),
                (judged.real - judged.fake).mean(),
                *(gradients[name].log10() for name in PLAYERS),
                *sizes,
            ]
        )
        coarse = adaptive_avg_pool2d(real.float(), COARSE).mean(0).flatten()
        numbers = torch.cat([facts.double(), coarse.double()]).tolist()  # one transfer
        spread, dimension, roughness, win, lead, pull_g, pull_d, size_g, size_d = numbers[:9]
        moved = [
            self._moved(name, size) for name, size in zip(PLAYERS, (size_g, size_d), strict=True)
        ]
        return {
            "spread": spread,
            "dimension": dimension,
            "roughness": roughness,
            "win": win,
            "lead": lead,
            "generator_gradient": pull_g,
            "discriminator_gradient": pull_d,
            "generator_moved": moved[0],
            "discriminator_moved": moved[1],
            "generator_size": size_g,
            "discriminator_size": size_d,
            "data_drift": self.drift.observe(numbers[9:]),
        }

    def _moved(self, name: str, size: float) -> float:
        """By what share of itself the size of the weights has changed since the latest look."""
        before, self.weights[name] = self.weights.get(name), size
        return 1.0 if before is None else abs(size - before) / max(before, 1e-30)

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return {"weights": dict(self.weights), "data": self.drift.state()}


class Drift:
    r"""How far the mean image of a batch lies from those before it, in their own variances.

    $\frac1k \sum_i (b_i - m_i)^2 / v_i$ over the places of a coarse image: about 1 for batches
    of one distribution.

    Args:
        mean: Running mean of the coarse images.
        variance: Their running variance.
        looks: How many there were.
    """

    def __init__(
        self,
        mean: list[float] | None = None,
        variance: list[float] | None = None,
        looks: int = 0,
    ) -> None:
        self.mean, self.variance, self.looks = mean or [], variance or [], looks

    def observe(self, coarse: list[float]) -> float:
        """Takes a batch into account; 1 while too few have been seen."""
        if not self.mean:
            self.mean, self.variance = list(coarse), [0.0] * len(coarse)
        squares = [(one - mean) ** 2 for one, mean in zip(coarse, self.mean, strict=True)]
        kept = min(1 - 1 / (self.looks + 1), FORGETTING)
        places = [
            square / variance
            for square, variance in zip(squares, self.variance, strict=True)
            if variance > 0
        ]
        is_early = self.looks < BURN_IN or not places
        found = 1.0 if is_early else sum(places) / len(places)
        self.variance = [
            kept * (variance + (1 - kept) * square)
            for variance, square in zip(self.variance, squares, strict=True)
        ]
        self.mean = [
            kept * mean + (1 - kept) * one for mean, one in zip(self.mean, coarse, strict=True)
        ]
        self.looks += 1
        return found

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return dict(vars(self))


def weight_norm(network: nn.Module) -> Scalar:
    """The length of all weights of a network."""
    return torch.nn.utils.get_total_norm(list(network.parameters())).double()


def dimension(images: Images) -> Scalar:
    r"""How many directions a batch fills: $(\sum \lambda)^2 / \sum \lambda^2$ of its covariance.

    Source: the participation ratio, as in Gao and Ganguli 2015, "On simplicity and complexity in
    the brave new world of large-scale neuroscience". By way of the Gram matrix of the batch,
    which has the same eigenvalues and is far smaller.

    >>> float(dimension(torch.eye(4).reshape(4, 1, 2, 2)))
    3.0
    """
    rows = images.float().flatten(1)
    rows = rows - rows.mean(0)
    gram = rows @ rows.T
    return gram.trace().square() / gram.square().sum()


def _of_images(images: Images) -> Tensor:
    """Variance over the batch, dimension, and roughness: what neighbours differ by."""
    floats = images.float()
    steps = floats.diff(dim=-1).square().mean() + floats.diff(dim=-2).square().mean()
    return torch.stack([floats.var(dim=0).mean(), dimension(floats), steps])
