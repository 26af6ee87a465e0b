"""Everything that decides what a training run does."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from orthogan.config import Config, OneOf, SomeOf
from orthogan.data.ordering import Arrangement
from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.gan.losses import LOSSES
from orthogan.gan.overfitting import MOST_PROBABLE
from orthogan.gan.penalties import PENALTIES
from orthogan.networks import (
    AnyDiscriminator,
    AnyGenerator,
    AttentionDiscriminatorConfig,
    AttentionGeneratorConfig,
)
from orthogan.training.config import BudgetConfig, DataConfig, RunConfig


class PenaltyConfig(Config):
    """The gradient penalty on the discriminator, at real (R1) and fake (R2) images alike."""

    kind: Annotated[str, OneOf("penalty", lambda: PENALTIES)] = Field(
        "exact", description="how its gradient is taken; none: no penalty"
    )
    gamma_start: float = Field(10.0, ge=0, description="weight at the start")
    gamma_end: float = Field(10.0, ge=0, description="weight at the end of the budget")
    share: float = Field(
        1.0, gt=0, le=1, description="fraction of the pairs of a batch whose gradient is penalised"
    )


# Half of the pairs answer for all: in equal time lower distances than with all of them at 10
# (benchmarks/penalty.py).
HALF_OF_THE_PAIRS = PenaltyConfig(share=0.5, gamma_start=5.0, gamma_end=5.0)


class OptimizerConfig(Config):
    """Muon (Jordan et al. 2024) or Adam (Kingma and Ba 2015); the learning rate decays."""

    kind: Literal["muon", "adam"] = Field(
        "muon",
        description="muon: orthogonal steps for matrices, Adam for the rest; adam: all by Adam",
    )
    learning_rate: float = Field(2.2e-3, gt=0, description="learning rate at the start")
    hold_share: float = Field(
        0.0, ge=0, le=1, description="fraction of the budget before the learning rate decays"
    )
    final_share: float = Field(
        0.1, ge=0, le=1, description="fraction of the learning rate left at the end"
    )
    root_after: int | None = Field(
        100_000,
        ge=1,
        description="images from which on the learning rate also falls with the square root of "
        "their number; null: never",
    )
    beta1: float = Field(0.0, ge=0, lt=1, description="decay of the mean of the gradients")
    beta2_start: float = Field(
        0.9, ge=0, lt=1, description="decay of their squares at the start (what Adam moves)"
    )
    beta2_end: float = Field(0.99, ge=0, lt=1, description="the same from half of the budget on")


class AugmentationConfig(Config):
    """What the discriminator sees in the place of real and fake images (Zhao et al. 2020)."""

    policy: Annotated[str, SomeOf("augmentation", lambda: AUGMENTATIONS, ("none", "auto"))] = Field(
        "none",
        description="changes to real and fake images alike, their names separated by commas; auto: "
        "by the number, colours and symmetry of the images",
    )
    probability: float | None = Field(
        None,
        ge=0,
        le=MOST_PROBABLE,
        description="with which each change is made; null: as much as the discriminator overfits",
    )
    held_out: int | None = Field(
        None,
        ge=0,
        description="images kept from training to measure how much it overfits; null: one in 16, "
        "at most 512",
    )


class AverageConfig(Config):
    """The exponential moving average of the generator's weights, which is what gets sampled."""

    half_life_share: float = Field(
        0.05, gt=0, description="half-life as a fraction of the images seen"
    )
    half_life_max: float = Field(500_000, gt=0, description="longest half-life, images")


# A step of so many images takes tens of gigabytes; all of MNIST has fewer.
MOST_IMAGES = 65_536
# Each restart halves the step size: after 20 it is a millionth, and nothing would be learned.
MOST_RESTARTS = 20


class TrainingConfig(RunConfig):
    """A whole training run; `run.json` holds one."""

    COMMAND = "train"

    data: DataConfig = DataConfig()
    generator: AnyGenerator = AttentionGeneratorConfig()
    discriminator: AnyDiscriminator = AttentionDiscriminatorConfig()
    loss: Annotated[str, OneOf("loss", lambda: LOSSES)] = Field(
        "relativistic", description="adversarial loss"
    )
    penalty: PenaltyConfig = HALF_OF_THE_PAIRS
    decorrelation: float = Field(
        0.0, ge=0, description="weight of the overlap of position codes with contents; 0: none"
    )
    generator_optimizer: OptimizerConfig = OptimizerConfig()
    discriminator_optimizer: OptimizerConfig = OptimizerConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    average: AverageConfig = AverageConfig()
    batch_size: int = Field(64, ge=2, le=MOST_IMAGES, description="images a step at the start")
    final_batch_size: int | None = Field(
        None,
        ge=2,
        le=MOST_IMAGES,
        description="images a step at the end, reached by doubling; null: as at the start",
    )
    condition: Literal["auto", "classes", "clusters", "none"] = Field(
        "auto",
        description="what both networks are conditioned on: the class of an image, its cluster "
        "(found without labels) or nothing; auto: its class where images have one, else its "
        "cluster",
    )
    clusters: int = Field(32, ge=2, description="number of clusters; fewer for few images")
    compile: Literal["auto", "on", "off"] = Field(
        "auto",
        description="compiled steps; auto: in runs of half an hour or more, if a trial shows that "
        "it pays",
    )
    escape_attempts: int = Field(
        5,
        ge=0,
        le=MOST_RESTARTS,
        description="restarts with a gentler start if the first image saturates",
    )
    rollbacks: int = Field(
        3,
        ge=0,
        le=MOST_RESTARTS,
        description="returns to the last healthy checkpoint, each with one thing changed, before a "
        "sick run is given up; 0: what is found is only told",
    )
    budget: BudgetConfig = BudgetConfig(seconds=300.0)
    until: Literal["budget", "converged"] = Field(
        "budget",
        description="when training ends; converged: before the budget, once images that were held "
        "out show no more gain",
    )
    signals_every: int | None = Field(
        16_384, ge=1, description="images between measurements of the geometry; null: none"
    )

    @classmethod
    def complete(cls, recorded: dict[str, Any]) -> dict[str, Any]:
        """Recorded settings with those that came later, which leave what was as it was."""
        completed = super().complete(recorded)
        for name in ("generator", "discriminator"):
            part: Any = completed.get(name)
            before = recorded.get(name)
            if isinstance(before, dict) and "patch" not in before and "patch" in part:
                part["patch"] = getattr(cls(**recorded), name).FINEST
            if isinstance(before, dict) and "emphasis" not in before and "emphasis" in part:
                part["emphasis"] = 0.0
        return completed

    @model_validator(mode="after")
    def _batches_grow(self) -> TrainingConfig:
        if self.final_batch_size is not None and self.final_batch_size < self.batch_size:
            raise ValueError(
                f"final_batch_size {self.final_batch_size} is below batch_size {self.batch_size}; "
                "batches only grow"
            )
        return self


def arrangement(config: TrainingConfig) -> Arrangement:
    """What the order of the images heeds."""
    return Arrangement(config.data.balance, config.data.batches, config.batch_size)
