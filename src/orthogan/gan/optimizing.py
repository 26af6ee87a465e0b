"""The optimizers of both networks, and what the schedules make of them at each step."""

from __future__ import annotations

from torch import nn
from torch.optim import Adam

from orthogan.gan import schedule
from orthogan.gan.config import OptimizerConfig
from orthogan.training.muon import Muon


def optimizer_of(network: nn.Module, config: OptimizerConfig) -> Adam:
    """What trains a network."""
    betas = (config.beta1, config.beta2_start)
    if config.kind == "muon":
        return Muon(network, config.learning_rate, betas)
    return Adam(network.parameters(), lr=config.learning_rate, betas=betas, fused=True)


def set_schedule(
    optimizer: Adam, config: OptimizerConfig, progress: float, images_seen: int, gentleness: float
) -> None:
    """Puts an optimizer where its schedules are.

    Args:
        optimizer: Of one network.
        config: Its settings.
        progress: Fraction of the budget that is used up.
        images_seen: Images so far.
        gentleness: Multiplies the learning rate.
    """
    for group in optimizer.param_groups:
        rate = schedule.learning_rate(config, progress, images_seen)
        group["lr"] = rate * gentleness
        group["betas"] = (config.beta1, schedule.beta2(config, progress))
