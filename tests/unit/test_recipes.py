"""Every recipe builds; `faithful` is what it says."""

from __future__ import annotations

import json

import pytest
import torch

from orthogan.errors import UnknownNameError
from orthogan.gan import LOSSES, schedule
from orthogan.gan.config import TrainingConfig
from orthogan.gan.losses import cross_entropy_discriminator, non_saturating_generator
from orthogan.gan.recipes import RECIPES
from orthogan.gan.task import GanTask
from orthogan.networks import (
    AttentionDiscriminatorConfig,
    AttentionGeneratorConfig,
    ConvDiscriminatorConfig,
    ConvGeneratorConfig,
    TransformerDiscriminatorConfig,
    TransformerGeneratorConfig,
)
from orthogan.training.request import Request

EVERY_RECIPE = pytest.mark.parametrize("name", list(RECIPES))
FAMILIES = {
    "attention-gan": (AttentionGeneratorConfig, AttentionDiscriminatorConfig),
    "transformer-gan": (TransformerGeneratorConfig, TransformerDiscriminatorConfig),
    "conv-gan": (ConvGeneratorConfig, ConvDiscriminatorConfig),
    "stacked-mnist": (AttentionGeneratorConfig, AttentionDiscriminatorConfig),
    "faithful": (AttentionGeneratorConfig, AttentionDiscriminatorConfig),
}


def requested(source, model, minutes, images, seed, settings, config, size) -> TrainingConfig:
    request = Request(
        model=model,
        minutes=minutes,
        count=images,
        seed=seed,
        config=config,
        data={"source": source, "size": size},
        settings=settings,
    )
    return GanTask().requested(request)


def test_every_recipe_is_listed_here() -> None:
    assert sorted(FAMILIES) == list(RECIPES)


@EVERY_RECIPE
def test_a_recipe_builds_the_pair_that_its_name_says(name: str) -> None:
    config = RECIPES[name]()
    assert (type(config.generator), type(config.discriminator)) == FAMILIES[name]
    generator, discriminator = config.generator.build(), config.discriminator.build()
    images = generator(torch.zeros(2, config.generator.latent_size))
    assert discriminator(images).shape == (2,)


@EVERY_RECIPE
def test_a_recipe_survives_its_json(name: str) -> None:
    config = RECIPES[name]()
    assert TrainingConfig(**json.loads(json.dumps(config.to_dict()))) == config
    assert RECIPES[name]() == config


@EVERY_RECIPE
def test_a_recipe_says_what_it_is_in_one_line(name: str) -> None:
    first_line = (RECIPES[name].__doc__ or "").strip().splitlines()[0]
    assert first_line.endswith(".")
    assert len(first_line) > 20


def test_recipes_differ_from_each_other() -> None:
    assert len({json.dumps(RECIPES[name]().to_dict()) for name in RECIPES}) == len(list(RECIPES))


def test_the_default_configuration_is_the_attention_gan() -> None:
    config = RECIPES["attention-gan"]()
    assert config == TrainingConfig()
    assert config.loss == "relativistic"
    assert config.penalty.kind == "exact"
    assert min(config.penalty.gamma_start, config.penalty.gamma_end) > 0


def test_the_recipe_for_stacked_mnist_names_its_data_unless_told_otherwise() -> None:
    asked = requested(None, "stacked-mnist", None, None, None, (), None, None)
    assert asked.data.source == "stacked-mnist"
    asked = requested("mnist", "stacked-mnist", None, None, None, (), None, None)
    assert asked.data.source == "mnist"
    wide, default = RECIPES["stacked-mnist"](), TrainingConfig()
    assert wide.generator.width > default.generator.width
    assert wide.discriminator.width > default.discriminator.width


def test_conv_gan_differs_from_the_default_in_its_networks_alone() -> None:
    theirs, default = RECIPES["conv-gan"]().settings(), TrainingConfig().settings()
    for name in theirs.keys() | default.keys():
        if not name.startswith(("generator.", "discriminator.")):
            assert theirs[name] == default[name], name


def test_faithful_is_cross_entropy_on_a_sigmoid_without_penalty() -> None:
    config = RECIPES["faithful"]()
    loss = LOSSES[config.loss]
    assert loss.discriminator is cross_entropy_discriminator
    assert loss.generator is non_saturating_generator
    assert config.penalty.kind == "none"
    assert {schedule.gamma(config.penalty, progress) for progress in (0.0, 0.5, 1.0)} == {0.0}
    assert config.escape_attempts == 0
    for adam in (config.generator_optimizer, config.discriminator_optimizer):
        assert {schedule.learning_rate(adam, p, 10**6) for p in (0.0, 0.5, 1.0)} == {2e-4}
        assert {schedule.beta2(adam, p) for p in (0.0, 0.5, 1.0)} == {0.999}
        assert adam.beta1 == 0.5
    # The loss on logits is binary cross-entropy of the discriminator's sigmoid.
    judge = config.discriminator.build()
    images = torch.linspace(-1, 1, 2 * 28 * 28).reshape(2, 1, 28, 28)
    probability = judge.probability(images)
    expected = torch.nn.functional.binary_cross_entropy(probability, torch.ones(2))
    expected = expected + torch.nn.functional.binary_cross_entropy(probability, torch.zeros(2))
    torch.testing.assert_close(loss.discriminator(judge(images), judge(images)), expected)


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown recipe .* Did you mean 'attention-gan'"):
        RECIPES["atention-gan"]


def test_a_configuration_file_may_name_another_kind_of_network(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("generator: {kind: transformer, width: 48}\ndiscriminator: {heads: 2}\n")
    asked = requested(None, "attention-gan", None, None, None, (), file, None)
    assert asked.generator == TransformerGeneratorConfig(width=48)
    assert asked.discriminator == AttentionDiscriminatorConfig(heads=2)
    words = ("discriminator.kind=conv", "generator.kind=attention")
    asked = requested(None, "attention-gan", None, None, None, words, file, None)
    assert asked.generator == AttentionGeneratorConfig()
    assert asked.discriminator == ConvDiscriminatorConfig()


def test_the_path_of_the_data_holds_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    (tmp_path / "123").mkdir()
    (tmp_path / "mnist").mkdir()

    def source(given, *settings):
        asked = requested(given, "attention-gan", None, None, None, settings, None, None)
        return asked.data.source

    assert source("photos") == source("~/photos") == str(tmp_path / "photos")
    assert source(str(tmp_path / "photos")) == str(tmp_path / "photos")
    assert source(None, "data.source=123") == str(tmp_path / "123")
    for name in ("mnist", "stacked-mnist", "hf:photos", "nowhere"):
        assert source(name) == source(None, f"data.source={name}") == name


def test_a_configuration_file_is_not_overruled_by_what_was_not_asked_for(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("seed: 5\nbudget: {seconds: 7}\ndata: {source: stacked-mnist}\nloss: hinge\n")
    from_file = requested(None, "attention-gan", None, None, None, (), file, None)
    assert (from_file.seed, from_file.data.source, from_file.loss) == (5, "stacked-mnist", "hinge")
    assert from_file.budget.seconds == 7
    asked = requested("mnist", "attention-gan", None, 64, 6, ("loss=relativistic",), file, 32)
    assert (asked.seed, asked.data.source, asked.loss) == (6, "mnist", "relativistic")
    assert (asked.budget.images, asked.budget.seconds, asked.data.size) == (64, None, 32)
