"""Settings that runs of every task share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orthogan.config import Config


class DataConfig(Config):
    """Which images, and in what form."""

    source: str = Field("mnist", description="a name, file, folder or zip")
    size: int | None = Field(None, ge=16, le=64, description="side in px; None: as they are")
    colour: Literal["auto", "grey", "rgb"] = Field("auto", description="colour planes")


class BudgetConfig(Config):
    """How long to train; the schedules end where the budget does."""

    images: int | None = Field(None, ge=1, description="images to show the discriminator")
    seconds: float | None = Field(None, gt=0, description="seconds of training, scoring included")


class AdamWConfig(Config):
    """AdamW (Loshchilov and Hutter 2019), its step size rising and falling along the budget."""

    learning_rate: float = Field(3e-3, gt=0, description="largest step size")
    warm_up: float = Field(0.1, ge=0, lt=1, description="share of the budget in which it rises")
    final_share: float = Field(0.0, ge=0, le=1, description="share of it left at the end")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of the gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of their squares")
    weight_decay: float = Field(0.02, ge=0, description="pull of the weight matrices to zero")
    largest_gradient: float = Field(1.0, gt=0, description="longer gradients are shortened to this")
