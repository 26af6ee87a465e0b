"""Everything that decides what a training run does."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from orthogan.config import Config
from orthogan.gan.losses import losses
from orthogan.gan.penalties import PENALTIES
from orthogan.networks import (
    DISCRIMINATORS,
    GENERATORS,
    AttentionDiscriminatorConfig,
    AttentionGeneratorConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    network_config,
)
from orthogan.training.config import BudgetConfig, DataConfig


class PenaltyConfig(Config):
    """The gradient penalty on the discriminator, at real (R1) and fake (R2) images alike."""

    kind: str = Field("exact", description="exact, finite-difference or none")
    gamma_start: float = Field(10.0, ge=0, description="weight at the start")
    gamma_end: float = Field(10.0, ge=0, description="weight at the end of the budget")
    share: float = Field(
        1.0, gt=0, le=1, description="share of the pairs of a batch that is penalised, for all"
    )

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        _ = PENALTIES[kind]
        return kind


# Half of the pairs answer for all: in equal time lower distances than with all of them at 10
# (benchmarks/penalty.py).
HALF_OF_THE_PAIRS = PenaltyConfig(share=0.5, gamma_start=5.0, gamma_end=5.0)


class OptimizerConfig(Config):
    """Muon (Jordan et al. 2024) or Adam (Kingma and Ba 2015); the learning rate decays."""

    kind: Literal["muon", "adam"] = Field("muon", description="muon: matrices orthogonally")
    learning_rate: float = Field(2.2e-3, gt=0, description="step size at the start")
    hold_share: float = Field(0.0, ge=0, le=1, description="share of the budget before it decays")
    final_share: float = Field(0.1, ge=0, le=1, description="share of it left at the end")
    root_after: int | None = Field(
        100_000,
        ge=1,
        description="images from which on it also falls with their square root; None: never",
    )
    beta1: float = Field(0.0, ge=0, lt=1, description="decay of the mean of the gradients")
    beta2_start: float = Field(
        0.9, ge=0, lt=1, description="decay of their squares at the start (what Adam moves)"
    )
    beta2_end: float = Field(0.99, ge=0, lt=1, description="the same from half of the budget on")


class AverageConfig(Config):
    """The exponential moving average of the generator's weights, which is what gets sampled."""

    half_life_share: float = Field(0.05, gt=0, description="half-life as a share of images seen")
    half_life_max: float = Field(500_000, gt=0, description="longest half-life, images")


class TrainingConfig(Config):
    """A whole training run; `run.json` holds one."""

    data: DataConfig = DataConfig()
    generator: SerializeAsAny[GeneratorConfig] = AttentionGeneratorConfig()
    discriminator: SerializeAsAny[DiscriminatorConfig] = AttentionDiscriminatorConfig()
    loss: str = Field("relativistic", description="adversarial loss")
    penalty: PenaltyConfig = HALF_OF_THE_PAIRS
    decorrelation: float = Field(
        0.0, ge=0, description="weight of the overlap of position codes with contents; 0: none"
    )
    generator_optimizer: OptimizerConfig = OptimizerConfig()
    discriminator_optimizer: OptimizerConfig = OptimizerConfig()
    average: AverageConfig = AverageConfig()
    batch_size: int = Field(64, ge=2, description="images a step at the start")
    final_batch_size: int | None = Field(
        None,
        ge=2,
        description="images a step at the end, reached by doubling; None: as at the start",
    )
    condition: Literal["auto", "classes", "clusters", "none"] = Field(
        "auto",
        description="what both players are told of an image: its class, its cluster (found "
        "without labels) or nothing; auto: its class where images have one, else its cluster",
    )
    clusters: int = Field(32, ge=2, description="number of clusters; fewer for few images")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of the steps; auto: bfloat16 where the processor has it"
    )
    compile: Literal["auto", "on", "off"] = Field(
        "auto",
        description="compiled steps; auto: in runs of half an hour or more, if a trial shows that "
        "it pays",
    )
    escape_attempts: int = Field(
        5, ge=0, description="restarts with a gentler start if the first image saturates"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="all randomness follows from it")
    budget: BudgetConfig = BudgetConfig(seconds=300.0)
    checkpoint_every_s: float = Field(20.0, gt=0, description="seconds between checkpoints")
    score_every_s: float | None = Field(
        None, gt=0, description="seconds between scores; None: a twentieth of the budget"
    )
    signals_every: int | None = Field(
        16_384, ge=1, description="images between looks at the geometry; None: no looks"
    )

    @field_validator("generator", mode="before")
    @classmethod
    def _generator(cls, value: Any) -> GeneratorConfig:
        config: GeneratorConfig = network_config(GENERATORS, value)
        return config

    @field_validator("discriminator", mode="before")
    @classmethod
    def _discriminator(cls, value: Any) -> DiscriminatorConfig:
        config: DiscriminatorConfig = network_config(DISCRIMINATORS, value)
        return config

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, loss: str) -> str:
        _ = losses[loss]
        return loss

    @model_validator(mode="after")
    def _batches_grow(self) -> TrainingConfig:
        if self.final_batch_size is not None and self.final_batch_size < self.batch_size:
            raise ValueError(
                f"final_batch_size {self.final_batch_size} is below batch_size {self.batch_size}; "
                "batches only grow"
            )
        return self

    @field_validator("budget")
    @classmethod
    def _one_limit(cls, budget: BudgetConfig) -> BudgetConfig:
        if (budget.images is None) == (budget.seconds is None):
            raise ValueError("give either images or seconds")
        return budget
