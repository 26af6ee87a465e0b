"""Recipes: whole training configurations by name, each a function that returns one."""

from __future__ import annotations

from collections.abc import Callable

from orthogan.gan.config import OptimizerConfig, PenaltyConfig, TrainingConfig
from orthogan.networks import (
    AttentionDiscriminatorConfig,
    AttentionGeneratorConfig,
    ConvDiscriminatorConfig,
    ConvGeneratorConfig,
    TransformerDiscriminatorConfig,
    TransformerGeneratorConfig,
)
from orthogan.registry import Registry
from orthogan.training.config import DataConfig

RECIPES: Registry[Callable[[], TrainingConfig]] = Registry(
    "recipe", "orthogan.gan.recipes", group="recipes"
)


@RECIPES.register("attention-gan")
def attention_gan() -> TrainingConfig:
    """The default: attention GAN, relativistic loss, exact R1 and R2 every step."""
    return TrainingConfig(
        generator=AttentionGeneratorConfig(), discriminator=AttentionDiscriminatorConfig()
    )


@RECIPES.register("stacked-mnist")
def stacked_mnist() -> TrainingConfig:
    """The attention GAN for the 1000 modes of Stacked-MNIST, wider on both sides."""
    # Three independent digits an image: three digits' worth of features to make and to judge.
    return TrainingConfig(
        data=DataConfig(source="stacked-mnist"),
        generator=AttentionGeneratorConfig(hidden=256, width=96, channels=96),
        discriminator=AttentionDiscriminatorConfig(channels=48, width=128, hidden=256),
    )


@RECIPES.register("transformer-gan")
def transformer_gan() -> TrainingConfig:
    """Transformers on both sides: adaLN generator, class-token discriminator."""
    return TrainingConfig(
        generator=TransformerGeneratorConfig(),
        discriminator=TransformerDiscriminatorConfig(),
        # All pairs: what half of them gains was not tried here (docs/log.md).
        penalty=PenaltyConfig(),
    )


@RECIPES.register("conv-gan")
def conv_gan() -> TrainingConfig:
    """No attention anywhere, everything else as in the default: shows what attention buys."""
    return TrainingConfig(generator=ConvGeneratorConfig(), discriminator=ConvDiscriminatorConfig())


@RECIPES.register("faithful")
def faithful() -> TrainingConfig:
    """The attention GAN as first specified: sigmoid, binary cross-entropy, no penalty."""
    # Adam as published for DCGAN (Radford et al. 2016, section 4), the usual choice for this loss.
    adam = OptimizerConfig(
        kind="adam",
        learning_rate=2e-4,
        final_share=1.0,
        root_after=None,
        beta1=0.5,
        beta2_start=0.999,
        beta2_end=0.999,
    )
    return TrainingConfig(
        generator=AttentionGeneratorConfig(score="softmax"),
        discriminator=AttentionDiscriminatorConfig(),
        loss="non-saturating",
        penalty=PenaltyConfig(kind="none", gamma_start=0.0, gamma_end=0.0),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        batch_size=64,
        escape_attempts=0,
        rollbacks=0,
        condition="none",
    )
