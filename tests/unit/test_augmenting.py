"""Augmentation during training: what is drawn, held out, found and kept."""

from __future__ import annotations

import pytest
import torch
from trainers import advance, bits, saved

from orthogan.data import ImageSet
from orthogan.data.ordering import Arrangement
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.gan.augmenting import Augmenter, num_held_out, split
from orthogan.gan.backend import EAGER
from orthogan.gan.compiled import CompiledBackend
from orthogan.gan.config import AugmentationConfig, TrainingConfig
from orthogan.gan.losses import LOSSES
from orthogan.gan.objectives import Batch, Objective
from orthogan.gan.overfitting import (
    IMAGES_TO_RISE,
    MOST_PROBABLE,
    REMEMBERED,
    TARGET,
    Overfitting,
)
from orthogan.gan.penalties import PENALTIES
from orthogan.networks import AttentionDiscriminatorConfig
from orthogan.rng import initialization, normal, stream

ALL = "augmentation.policy=translation,cutout,colour,flip"
OFTEN = "augmentation.probability=0.8"
ADAPTIVE = "augmentation.held_out=40"

pytestmark = pytest.mark.usefixtures("one_thread")


def pairs() -> Batch:
    real, fake = normal((2, 32, 3, 16, 16), stream(0, "pairs")).tanh()
    return Batch(real, fake)


def augmenter(policy: str, probability: float = 0.8) -> Augmenter:
    return Augmenter(AugmentationConfig(policy=policy, probability=probability), seed=0)


@pytest.mark.parametrize("settings", [(), (ALL, "augmentation.probability=0")])
def test_without_it_every_bit_is_as_before(make_trainer, settings: tuple[str, ...]) -> None:
    trained = advance(make_trainer(*settings), 4)
    untouched = make_trainer()
    untouched.augmenter.pairs = lambda pairs, _images_seen: pairs
    assert bits(advance(untouched, 4)) == bits(trained)
    assert "overfitting" not in trained.state()


@pytest.mark.parametrize("settings", [(ALL, OFTEN), (ALL, ADAPTIVE)])
def test_a_restored_trainer_goes_on_bit_for_bit(make_trainer, settings: tuple[str, ...]) -> None:
    whole = make_trainer(*settings)
    whole.augmenter.overfitting.probability = 0.6  # found so far
    advance(whole, 5)
    tensors, state = saved(whole)
    rest = make_trainer(*settings)
    rest.restore(tensors, state)
    assert rest.augmenter.probability == whole.augmenter.probability
    advance(whole, 12)
    advance(rest, 12)
    assert bits(rest) == bits(whole)
    assert rest.state() == whole.state()
    assert bits(whole) != bits(advance(make_trainer(), 17))


def test_both_images_of_a_pair_are_changed_alike() -> None:
    same = pairs()._replace(fake=pairs().real)
    found = augmenter("translation,cutout,colour,flip").pairs(same, images_seen=64)
    assert torch.equal(found.real, found.fake)
    assert not torch.equal(found.real, same.real)
    again = augmenter("translation,cutout,colour,flip").pairs(same, images_seen=64)
    assert torch.equal(again.real, found.real)
    later = augmenter("translation,cutout,colour,flip").pairs(same, images_seen=96)
    assert not torch.equal(later.real, found.real)


def test_augmentations_come_in_the_order_named() -> None:
    whole = augmenter("cutout,colour").pairs(pairs(), 0)
    turned = augmenter("colour,cutout").pairs(pairs(), 0)
    assert not torch.equal(whole.real, turned.real)


def test_held_out_images_have_draws_of_their_own() -> None:
    changer = augmenter("colour")
    images = pairs().real
    assert not torch.equal(changer.held_out(images, 0), changer.pairs(pairs(), 0).real)


@pytest.mark.parametrize("backend", [EAGER, CompiledBackend(lambda work: work)])
def test_gradients_reach_the_fakes_through_it(backend) -> None:
    with initialization(0, "augmenting"):
        discriminator = AttentionDiscriminatorConfig(size=16, colours=3, classes=0).build()
    fake = pairs().fake.requires_grad_()
    seen = augmenter("translation,cutout,colour").pairs(pairs()._replace(fake=fake), 0)
    loss = backend.at_generator(discriminator, seen, LOSSES["non-saturating"])
    points = pairs().fake.requires_grad_()
    changed = augmenter("translation,cutout,colour").pairs(pairs()._replace(fake=points), 0)
    logits = discriminator(changed.fake, None)
    wanted = LOSSES["non-saturating"].generator(logits, logits)
    (gradient,) = torch.autograd.grad(wanted, points)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(fake.grad, gradient)


def test_the_penalty_is_at_what_the_discriminator_sees() -> None:
    """Its second derivatives reach the weights."""
    with initialization(0, "augmenting"):
        discriminator = AttentionDiscriminatorConfig(size=16, colours=3, classes=0).build()
    seen = augmenter("translation,cutout,colour").pairs(pairs(), 0)
    weights = list(discriminator.parameters())
    objective = Objective(LOSSES["relativistic"], PENALTIES["exact"], gamma=1.0)
    found = EAGER.at_discriminator(discriminator, weights, seen, objective)
    points = torch.cat([seen.real, seen.fake]).requires_grad_()
    logits = discriminator(points, None)
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    penalty = gradient.square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(found.penalty, penalty)
    real, fake = logits.chunk(2)
    wanted = torch.autograd.grad(
        torch.nn.functional.softplus(fake - real).mean() + penalty, weights, allow_unused=True
    )
    for weight, each in zip(weights, wanted, strict=True):
        torch.testing.assert_close(
            weight.grad, torch.zeros_like(weight) if each is None else each, rtol=1e-4, atol=1e-6
        )


def test_the_watch_sees_the_fakes_as_they_are(make_trainer, monkeypatch) -> None:
    trainer = make_trainer("augmentation.policy=colour", OFTEN)
    seen = []
    observe = trainer.watch.observe
    monkeypatch.setattr(
        trainer.watch, "observe", lambda *images: (seen.append(images), observe(*images))
    )
    made = []
    generate = trainer.backend.generate
    monkeypatch.setattr(
        trainer.backend, "generate", lambda *a: made.append(generate(*a)) or made[-1]
    )
    trainer.step(0.0)
    real, fake, _ = seen[0]
    assert torch.equal(fake, made[0].float())
    assert float(real.abs().max()) <= 1


# Held-out images.


def a_set(count: int, draws_afresh: bool = False) -> ImageSet:
    images = ImageSet(torch.zeros(count, 1, 16, 16, dtype=torch.uint8))
    if draws_afresh:
        kind = type("Afresh", (ImageSet,), {"draws_afresh": True})
        return kind(images.images)
    return images


@pytest.mark.parametrize(("count", "held_out"), [(512, 32), (4000, 250), (100_000, 512)])
def test_one_in_sixteen_is_held_out(count: int, held_out: int) -> None:
    policy = AugmentationConfig(policy="colour")
    assert num_held_out(policy, a_set(count)) == held_out
    assert num_held_out(policy.evolve("held_out=40"), a_set(count)) == 40
    assert num_held_out(policy.evolve("probability=0.5"), a_set(count)) == 0
    for nothing in ("none", "auto"):
        assert num_held_out(policy.evolve(f"policy={nothing}"), a_set(count)) == 0


@pytest.mark.parametrize(
    ("settings", "images", "said"),
    [
        ((), a_set(300), "of 300 images 18 would be held out"),
        (("held_out=31",), a_set(600), "Overfitting is measured on 32 held-out images or more"),
        (("held_out=301",), a_set(600), "on half of the set at most"),
        ((), a_set(600, draws_afresh=True), "draws each image afresh"),
    ],
)
def test_what_cannot_be_held_out_is_refused(settings, images: ImageSet, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        num_held_out(AugmentationConfig(policy="colour").evolve(*settings), images)


def test_no_step_trains_on_held_out_images(make_trainer) -> None:
    trainer = make_trainer(ALL, ADAPTIVE)
    trained = set(trainer.order.batch(0, 480).tolist())
    held_out = set(trainer._held_out.batch(0, 120).tolist())
    assert len(held_out) == 40
    assert trained | held_out == set(range(200))
    assert not trained & held_out


def test_the_seed_decides_which_are_held_out() -> None:
    first, again, other = (
        split(a_set(200), 40, seed, Arrangement())[1].members.tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert sorted(first) != sorted(other)


def test_balanced_classes_stay_balanced() -> None:
    labels = (torch.arange(400) < 40).long()
    images = ImageSet(
        torch.zeros(400, 1, 16, 16, dtype=torch.uint8), labels, class_names=("many", "few")
    )
    for part in split(images, 100, 0, Arrangement("classes")):
        seen = part.batch(0, 100)
        assert set(seen.tolist()) <= set(part.members.tolist())
        assert labels[seen].bincount().tolist() == [50, 50]


# Overfitting.


def logits(mean: float) -> torch.Tensor:
    return torch.tensor([mean - 1.0, mean + 1.0])


@pytest.mark.parametrize(("held_out", "ratio"), [(5.0, 0.0), (3.0, 0.5), (1.0, 1.0), (4.0, 0.25)])
def test_the_ratio_is_how_far_held_out_images_are_towards_fakes(
    held_out: float, ratio: float
) -> None:
    for drift in (0.0, 100.0):  # a constant added to every logit
        found = Overfitting()
        found.observe(logits(5 + drift), logits(held_out + drift), logits(1 + drift), images=8)
        assert found.ratio == pytest.approx(ratio)


def test_the_probability_rises_with_overfitting_falls_without_and_stays_within_its_bounds() -> None:
    found, quarter = Overfitting(), IMAGES_TO_RISE // 4
    found.observe(logits(1), logits(0), logits(0), quarter)
    assert found.probability == pytest.approx(0.25)
    for _ in range(9):
        found.observe(logits(1), logits(0), logits(0), quarter)
    assert found.probability == MOST_PROBABLE < 0.85
    for _ in range(20):
        found.observe(logits(1), logits(1), logits(0), quarter)
    assert found.probability == 0
    assert Overfitting().ratio == 0 < TARGET


def test_looks_are_averaged() -> None:
    found = Overfitting()
    found.observe(logits(1), logits(0), logits(0), 8)
    found.observe(logits(1), logits(1), logits(0), 8)
    assert found.ratio == pytest.approx(REMEMBERED)
    assert vars(Overfitting(**found.state())) == vars(found)


def test_overfitting_is_found_in_training(make_trainer) -> None:
    trainer = make_trainer(ALL, ADAPTIVE)
    record = advance(trainer, 17).step(0.5).numbers()
    assert trainer.augmenter.overfitting.looks == 3
    assert record["augmentation"] == trainer.augmenter.probability
    assert record["overfitting"] == trainer.augmenter.overfitting.ratio != 0
    assert "augmentation" not in make_trainer().step(0.0).numbers()


# Settings.


def test_a_policy_is_names_or_a_word() -> None:
    config = TrainingConfig()
    assert config.augmentation.policy == "none"
    told = config.evolve("augmentation.policy=colour, flip,colour").augmentation
    assert told.policy == "colour,flip"
    assert config.evolve("augmentation.policy=auto").augmentation.policy == "auto"
    with pytest.raises(UnknownNameError, match=r"Unknown augmentation 'colr'.*colour"):
        config.evolve("augmentation.policy=flip,colr")
    for probability in ("0.81", "1", "-0.1"):
        with pytest.raises(ConfigError, match="Setting 'probability'"):
            config.evolve(f"augmentation.probability={probability}")
    assert set(AUGMENTATIONS) >= {"translation", "cutout", "colour", "flip"}
