"""Settings that runs of every task share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from orthogan.config import Config


class DataConfig(Config):
    """Which images, and in what form."""

    source: str = Field("mnist", description="a name, file, folder or zip")
    size: int | None = Field(None, ge=16, le=128, description="side in px; null: as they are")
    colour: Literal["auto", "grey", "rgb", "rgba"] = Field(
        "auto",
        description="colour planes; rgba keeps transparency as a fourth; auto: grey or rgb, with "
        "transparent images over a ground",
    )
    fit: Literal["crop", "pad"] = Field(
        "crop", description="how images become square: their middle, or all of them, padded"
    )
    labels: Literal["auto", "prefix"] = Field(
        "auto",
        description="auto: the classes that the source has; prefix: what file names begin with "
        "(cat_001.png is a cat)",
    )
    balance: Literal["as-is", "classes"] = Field(
        "as-is",
        description="as-is: every image is seen equally often; classes: every class is",
    )

    batches: Literal["iid", "balanced", "decorrelated", "correlated"] = Field(
        "iid",
        description="which images share a batch: iid: any; balanced: each class, or cluster, in "
        "its proportion; decorrelated: unlike ones; correlated: alike ones, to compare",
    )

    whitening: Literal["first", "all"] = Field(
        "first",
        description="whose statistics whitened keys take before training: first: of the first 256 "
        "images; all: of all images, which takes a pass over them for each layer",
    )

    copies: Literal["keep", "drop"] = Field(
        "keep",
        description="keep: all images; drop: without images that are there twice, also moved, "
        "mirrored or brightened (`orthogan organize`)",
    )

    def form(self) -> dict[str, Any]:
        """How the images are loaded, as `orthogan.data.load` takes it."""
        return {name: getattr(self, name) for name in ("size", "colour", "labels", "fit")}

    def facts(self) -> dict[str, str]:
        """What a bundle says of how its images are loaded; nothing where it is the usual."""
        usual = {"labels": "auto", "fit": "crop"}
        given = {name: getattr(self, name) for name in usual}
        return {name: value for name, value in given.items() if value != usual[name]}


class Budget(Config):
    """How long to train; the schedules end where the budget does.

    Attributes:
        unit: The field that counts, beside `seconds`.
    """

    unit: ClassVar[str] = "images"

    seconds: float | None = Field(None, gt=0, description="seconds of training, scoring included")

    @model_validator(mode="after")
    def _one_limit(self) -> Budget:
        if (self.count is None) == (self.seconds is None):
            raise ValueError(f"give either {self.unit} or seconds")
        return self

    @property
    def count(self) -> int | None:
        """How many images or tokens, if they are what is limited."""
        count: int | None = getattr(self, self.unit)
        return count


class BudgetConfig(Budget):
    """How long to train; the schedules end where the budget does."""

    images: int | None = Field(None, ge=1, description="images to train on")


class RunConfig(Config):
    """What every run has, whatever it trains; `run.json` holds one.

    Attributes:
        IDLE: For a setting with a value, the settings that then do nothing.
    """

    IDLE: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of the steps; auto: bfloat16 where the processor has it"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="all randomness follows from it")
    budget: Budget
    checkpoint_every_s: float = Field(20.0, gt=0, description="seconds between checkpoints")
    score_every_s: float | None = Field(
        None, gt=0, description="seconds between scores; null: a twentieth of the budget"
    )

    def without_effect(self) -> list[str]:
        """A sentence for each setting that was changed and does nothing beside the others."""
        usual, settings = self.model_validate({}).settings(), self.settings()
        return [
            f"{name} has no effect with {rule.removesuffix('.0')}."
            for rule, idle in self.IDLE.items()
            if str(settings[rule.partition("=")[0]]) == rule.partition("=")[2]
            for name in idle
            if settings[name] != usual[name]
        ]


class AdamWConfig(Config):
    """AdamW (Loshchilov and Hutter 2019), its step size rising and falling along the budget."""

    learning_rate: float = Field(3e-3, gt=0, description="learning rate at its peak")
    warm_up: float = Field(0.1, ge=0, lt=1, description="fraction of the budget in which it rises")
    final_share: float = Field(0.0, ge=0, le=1, description="fraction of it left at the end")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of the gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of their squares")
    weight_decay: float = Field(0.02, ge=0, description="pull of the weight matrices to zero")
    largest_gradient: float = Field(1.0, gt=0, description="longer gradients are shortened to this")
