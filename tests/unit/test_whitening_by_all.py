"""Whitened keys whose statistics are those of the whole set."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from orthogan.attention import Attention
from orthogan.attention.keys import WhitenedKeys
from orthogan.classification.api import resolve_classification
from orthogan.classification.examples import load_split
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.gan.api import resolve
from orthogan.gan.trainer import Trainer
from orthogan.geometry.spectra.moments import moments_of
from orthogan.networks.calibration import CALIBRATION_IMAGES, calibrate, whiten_by_all
from orthogan.rng import initialization

COUNT = CALIBRATION_IMAGES + 44  # two batches, the second short
SMALL = ("generator.blocks=1", "discriminator.blocks=2")
WHITENED = ("generator.keys=whitened", "discriminator.keys=whitened")


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """Unlike from the first to the last, so that the first ones do not stand for all."""
    source = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (COUNT, 1, 16, 16), dtype=torch.uint8, generator=source)
    pixels[: COUNT // 2, :, :8] = 0
    return ImageSet(pixels, torch.arange(COUNT) % 2, ("a", "b"))


def whitened(network: nn.Module) -> list[WhitenedKeys]:
    return [part for part in network.modules() if isinstance(part, WhitenedKeys)]


def test_each_part_has_the_statistics_of_all_tokens_that_reach_it() -> None:
    source = torch.Generator().manual_seed(1)
    with initialization(0, "network"):
        network = nn.Sequential(*(Attention(8, 2, keys="whitened") for _ in range(3)))
    batches = [(torch.randn(count, 5, 8, generator=source) + count,) for count in (6, 4, 9)]
    calibrate(network, *batches[0])
    whiten_by_all(network, lambda: batches)
    reaching: Tensor = torch.cat([batch[0] for batch in batches])
    for part in network:
        keys = part.keys
        found, wanted = keys.moments, moments_of(reaching.flatten(0, 1))
        assert found.count == wanted.count == 19 * 5
        torch.testing.assert_close(found.mean, wanted.mean)
        torch.testing.assert_close(found.scatter / found.count, wanted.scatter / wanted.count)
        torch.testing.assert_close(keys.mean, wanted.mean.float())
        with torch.no_grad():
            reaching = part(reaching)


def test_both_networks_of_a_gan_see_every_image_once(images: ImageSet) -> None:
    config = resolve(images, settings=(*SMALL, *WHITENED, "data.whitening=all"))
    trainer = Trainer(config, images, torch.device("cpu"))
    (keys,) = whitened(trainer.generator)
    tokens = keys.num_tokens // COUNT
    assert keys.num_tokens == tokens * COUNT
    one, other = whitened(trainer.discriminator)
    assert one.num_tokens == other.num_tokens
    assert one.num_tokens % (2 * COUNT) == 0  # as many generated ones
    first = Trainer(config.evolve("data.whitening=first"), images, torch.device("cpu"))
    assert whitened(first.generator)[0].num_tokens == tokens * CALIBRATION_IMAGES
    assert not torch.equal(whitened(first.generator)[0].mean, keys.mean)


def test_a_classifier_sees_every_image_once(
    tiny_file: Path, tiny_classifier: tuple[str, ...]
) -> None:
    settings = (*tiny_classifier, "network.keys=whitened", "data.whitening=all")
    config = resolve_classification(tiny_file, images=64, settings=settings)
    examples = load_split(config.data, 0).train
    assert len(examples) % CALIBRATION_IMAGES
    network = ClassifierTrainer(config, examples, torch.device("cpu")).network
    first, *_ = found = whitened(network)
    assert {keys.num_tokens for keys in found} == {first.num_tokens}
    assert first.num_tokens % len(examples) == 0


def test_statistics_that_nothing_takes_are_refused(images: ImageSet) -> None:
    config = resolve(images, settings=(*SMALL, "data.whitening=all"))
    with pytest.raises(ConfigError, match=r"no network has any; choose keys=whitened"):
        Trainer(config, images, torch.device("cpu"))
