"""Generators, discriminators and classifiers, one file a family."""

from orthogan.networks.attention_gan import AttentionDiscriminatorConfig, AttentionGeneratorConfig
from orthogan.networks.classifier import (
    CLASSIFIERS,
    AnyClassifier,
    AttentionClassifierConfig,
    Classifier,
    ClassifierConfig,
)
from orthogan.networks.conv_gan import ConvDiscriminatorConfig, ConvGeneratorConfig
from orthogan.networks.network import (
    DISCRIMINATORS,
    GENERATORS,
    AnyDiscriminator,
    AnyGenerator,
    Discriminator,
    DiscriminatorConfig,
    Generator,
    GeneratorConfig,
    NetworkConfig,
    network_config,
)
from orthogan.networks.transformer_gan import (
    TransformerDiscriminatorConfig,
    TransformerGeneratorConfig,
)

__all__ = [
    "CLASSIFIERS",
    "DISCRIMINATORS",
    "GENERATORS",
    "AnyClassifier",
    "AnyDiscriminator",
    "AnyGenerator",
    "AttentionClassifierConfig",
    "AttentionDiscriminatorConfig",
    "AttentionGeneratorConfig",
    "Classifier",
    "ClassifierConfig",
    "ConvDiscriminatorConfig",
    "ConvGeneratorConfig",
    "Discriminator",
    "DiscriminatorConfig",
    "Generator",
    "GeneratorConfig",
    "NetworkConfig",
    "TransformerDiscriminatorConfig",
    "TransformerGeneratorConfig",
    "network_config",
]
