"""A language model and its optimizer: what a language run moves forward."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from orthogan import rng
from orthogan.language.config import LanguageConfig, LanguageOptimizerConfig
from orthogan.training import schedule
from orthogan.training.muon import Muon
from orthogan.training.precision import autocast, resolve_precision
from orthogan.training.state_tensors import restore, state_tensors
from orthogan.training.supervised import OPTIMIZER_PART, adamw, shorten_gradient


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What one step measured: the bits a token, a tensor, so that nothing waits for the device."""

    bits: Tensor

    def numbers(self) -> dict[str, float]:
        """The measurement as a plain number."""
        return {"bits": float(self.bits)}


class LanguageTrainer:
    """A language run between two checkpoints: `step` shows the network one batch.

    Every random draw is a function of the seed and the tokens seen, so a trainer restored from a
    checkpoint continues bit for bit.

    Args:
        config: The run, its network already fitted to the vocabulary.
        tokens: What is learned from; more than `network.context` tokens.
        device: Where to train.
    """

    def __init__(self, config: LanguageConfig, tokens: Tensor, device: torch.device) -> None:
        self.config, self.device = config, device
        self.tokens = tokens.to(device)
        self.precision = resolve_precision(config.precision, device)
        self.images_seen = 0  # counts tokens; the name is that of the run folder
        with rng.initialization(config.seed, "language"):
            self.network = config.network.build()
        self.network.to(device)
        self.optimizer = _optimizer(self.network, config.optimizer)

    def step(self, progress: float) -> StepRecord:
        """Predict every token of one batch of pieces from those before it.

        Args:
            progress: Share of the budget that is used up, for the schedule.

        Raises:
            DivergedError: the loss or a gradient is not finite; the network is unchanged.
        """
        pieces = self.batch()
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.learning_rate(self.config.optimizer, progress)
        self.network.train()
        with autocast(self.precision, self.device):
            logits = self.network(pieces[:, :-1]).float()
        loss = functional.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        shorten_gradient(self.network, self.config.optimizer.largest_gradient, float(loss.detach()))
        self.optimizer.step()
        self.images_seen += pieces[:, 1:].numel()
        return StepRecord(bits=loss.detach() / math.log(2))

    def batch(self) -> Tensor:
        """Pieces of the text at random places, each one token longer than the context."""
        config, context = self.config, self.config.network.context
        source = rng.stream(config.seed, "pieces", self.images_seen)
        starts = source.integers(0, len(self.tokens) - context, config.batch_size)
        offsets = torch.arange(context + 1, device=self.device)
        return self.tokens[torch.from_numpy(starts).to(self.device)[:, None] + offsets]

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint keeps as tensors."""
        return state_tensors({"network": self.network}, {OPTIMIZER_PART: self.optimizer})

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint keeps as numbers."""
        return {"tokens_seen": self.images_seen}

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Continue from a checkpoint: the counterpart of `tensors` and `state`."""
        self.images_seen = state["tokens_seen"]
        restore(tensors, {"network": self.network}, {OPTIMIZER_PART: self.optimizer})


def _optimizer(network: nn.Module, config: LanguageOptimizerConfig) -> Optimizer:
    betas = (config.beta1, config.beta2)
    if config.kind == "muon":
        return Muon(network, config.learning_rate, betas)
    return adamw(network, config.learning_rate, betas, config.weight_decay)
