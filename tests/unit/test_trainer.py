"""The trainer: the same bits each time, across restores and restarts, and nothing global."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from trainers import advance, bits, saved, weights

from orthogan.data import Order, to_floats
from orthogan.errors import DivergedError
from orthogan.gan import trainer as module
from orthogan.gan.backend import Backend
from orthogan.gan.finite import DeferredUpdate
from orthogan.gan.recipes import RECIPES
from orthogan.gan.trainer import StepRecord, Trainer
from orthogan.gan.watch.saturation import PATIENCE, STEPS_BETWEEN_MEASUREMENTS
from orthogan.models.bundle.tensors import digest, pack
from orthogan.training.precision import has_native_bfloat16, resolve_precision

CPU = torch.device("cpu")
PLAYERS = ("generator", "discriminator")
PRECISIONS = ["float32"] + ["bfloat16"] * has_native_bfloat16(CPU)
STEPS = 12  # past half of an epoch of 200 images, and past the watch's first look

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_seed_decides_every_bit(make_trainer) -> None:
    first = bits(advance(make_trainer(), STEPS))
    assert bits(advance(make_trainer(), STEPS)) == first
    assert bits(advance(make_trainer(seed=1), STEPS)) != first


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("model", list(RECIPES))
def test_a_restored_trainer_continues_bit_for_bit(make_trainer, model: str, precision: str) -> None:
    setting = f"precision={precision}"
    whole = advance(make_trainer(setting, model=model), 5)
    tensors, state = saved(whole)
    advance(whole, STEPS - 5)
    rest = make_trainer(setting, model=model)
    rest.restore(tensors, state)
    assert rest.images_seen == 5 * 16
    advance(rest, STEPS - 5)
    assert bits(rest) == bits(whole)
    assert rest.state() == whole.state()


KINDS = [f"penalty.kind={kind}" for kind in ("exact", "finite-difference", "none")]
KINDS += [f"condition={condition}" for condition in ("none", "clusters", "classes")]


@pytest.mark.parametrize("setting", KINDS)
def test_every_penalty_and_condition_restores_bit_for_bit(make_trainer, setting: str) -> None:
    whole = advance(make_trainer(setting), 3)
    rest = make_trainer(setting)
    rest.restore(*saved(whole))
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))


STATISTICS = ("keys=whitened", "positions=sinusoidal", "position_mode=orthogonal")


def test_statistics_of_tokens_are_taken_once_and_restored(make_trainer) -> None:
    settings = [
        f"{player}.{each}" for player in ("generator", "discriminator") for each in STATISTICS
    ]
    start = make_trainer(*settings)
    first = {name: part for name, part in saved(start)[0].items() if "attention.keys" in name}
    assert {name.partition("/")[0] for name in first} == {"generator", "discriminator", "average"}
    counts = {name: int(part) for name, part in first.items() if name.endswith("count")}
    assert set(counts.values()) == {200 * 16, 400 * 4}  # all images; real and fake ones
    whole = advance(start, 3)
    tensors, state = saved(whole)
    for name, part in first.items():
        assert torch.equal(tensors[name], part), name
    rest = make_trainer(*settings, seed=1)
    assert bits(rest) != bits(make_trainer(*settings))
    rest = make_trainer(*settings)
    rest.restore(tensors, state)
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))
    again = whole.config.generator.build()
    again.load_state_dict(whole.average.state_dict())
    latents = torch.ones(2, 8)
    assert torch.equal(again.eval()(latents), whole.average(latents))


def test_restoring_does_not_share_memory_with_the_weights(make_trainer) -> None:
    trainer = make_trainer()
    tensors, state = saved(advance(trainer, 2))
    before = digest(pack(tensors))
    other = make_trainer()
    other.restore({name: tensor.clone() for name, tensor in tensors.items()}, state)
    advance(other, 2)
    assert digest(pack(tensors)) == before == bits(trainer)


def test_an_escape_starts_again_gentler_whatever_came_before(make_trainer, monkeypatch) -> None:
    gammas: list[float] = []
    step = module.discriminator_step
    monkeypatch.setattr(
        module, "discriminator_step", lambda *args: gammas.append(args[3].gamma) or step(*args)
    )
    early, late = make_trainer(), advance(make_trainer(), 3)
    first = weights(make_trainer(), "generator")
    early.restart()
    late.restart()
    assert (late.attempt, late.images_seen) == (1, 0)
    assert late.watch.state() == {"looks": 0, "steps": 0, "flat_looks": 0}
    assert bits(early) == bits(late)
    assert not torch.equal(weights(late, "generator"), first)
    late.step(0.0)
    for optimizer in (late.generator_optimizer, late.discriminator_optimizer):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(2.2e-3 / 2)
    assert gammas == pytest.approx([5.0, 5.0, 5.0, 10.0])


@pytest.mark.parametrize("steps_before", [0, 4])
def test_restoring_across_an_escape(make_trainer, steps_before: int) -> None:
    whole = advance(make_trainer(), 2)
    whole.restart()
    advance(whole, steps_before)
    tensors, state = saved(whole)
    rest = make_trainer()
    rest.restore(tensors, state)
    assert (rest.attempt, rest.images_seen) == (1, 16 * steps_before)
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))


def test_a_batch_depends_on_the_seed_and_the_count_alone(
    make_trainer, tiny_images, monkeypatch
) -> None:
    reals: list[torch.Tensor] = []
    latents: list[torch.Tensor] = []
    step = module.discriminator_step
    monkeypatch.setattr(
        module, "discriminator_step", lambda *args: reals.append(args[2].real) or step(*args)
    )
    walked, jumped, other = make_trainer(), make_trainer(), make_trainer(seed=1)
    generate = Backend.generate  # the watch draws images of its own, by the generator alone
    monkeypatch.setattr(
        Backend, "generate", lambda *args: latents.append(args[2]) or generate(*args)
    )
    advance(walked, 14)  # 224 tiny_images: into the second epoch
    for trainer in (jumped, other):
        trainer.images_seen = 13 * 16
        trainer.step(0.0)
    assert len(latents) == len(reals) == 16
    assert torch.equal(latents[14], latents[13])
    assert torch.equal(reals[14], reals[13])
    real = to_floats(tiny_images.images[Order(200, 0).batch(13 * 16, 16)])
    assert torch.equal(reals[14], jumped.discriminator.emphasised(real))
    assert len({tensor.numpy().tobytes() for tensor in latents}) == 15
    assert len({tensor.numpy().tobytes() for tensor in reals}) == 15


def test_global_random_generators_stay_untouched(make_trainer) -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is watched
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    trainer = advance(make_trainer("penalty.kind=finite-difference"), 2)
    trainer.restart()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    torch.manual_seed(4)  # and nothing reads it either
    assert bits(advance(trainer, 1)) == bits(advance(_restarted(make_trainer), 1))


def _restarted(make_trainer: Callable[..., Trainer]) -> Trainer:
    trainer = make_trainer("penalty.kind=finite-difference")
    trainer.restart()
    return trainer


def test_a_record_is_made_of_plain_finite_numbers(make_trainer) -> None:
    record = make_trainer().step(0.0)
    assert isinstance(record, StepRecord)
    numbers = record.numbers()
    assert set(numbers) == {
        "discriminator_loss",
        "generator_loss",
        "penalty",
        "real_logit",
        "fake_logit",
        "discriminator_gradient",
        "generator_gradient",
    }
    assert all(type(value) is float and np.isfinite(value) for value in numbers.values())


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_step_that_is_not_finite_changes_nothing(make_trainer, player: str) -> None:
    trainer = advance(make_trainer(), 2)
    with torch.no_grad():
        next(getattr(trainer, player).parameters()).view(-1)[0] = float("nan")
    before = bits(trainer)
    with pytest.raises(DivergedError, match=r"loss is nan"):
        trainer.step(0.0)
    assert bits(trainer) == before
    assert trainer.images_seen == 32
    assert all(parameter.requires_grad for parameter in trainer.discriminator.parameters())


@pytest.mark.parametrize("kind", ["muon", "adam"])
def test_a_deferred_look_changes_no_bit(make_trainer, kind: str) -> None:
    settings = [f"{p}_optimizer.{s}" for p in PLAYERS for s in (f"kind={kind}", "beta1=0.5")]
    now, later = make_trainer(*settings), make_trainer(*settings)
    later._update = DeferredUpdate()
    assert bits(advance(later, 9)) == bits(advance(now, 9))


@pytest.mark.parametrize("kind", ["muon", "adam"])
@pytest.mark.parametrize("player", PLAYERS)
def test_a_deferred_look_leaves_a_bad_player_as_it_was(
    make_trainer, player: str, kind: str
) -> None:
    settings = [f"{p}_optimizer.{s}" for p in PLAYERS for s in (f"kind={kind}", "beta1=0.5")]
    trainer = make_trainer(*settings)
    trainer.backend.update = trainer._deferred = DeferredUpdate()
    advance(trainer, 2)
    with torch.no_grad():
        next(getattr(trainer, player).parameters()).view(-1)[0] = float("nan")
    before = {name: weights(trainer, name) for name in PLAYERS}
    advance(trainer, 3)  # nobody has looked yet
    for name in PLAYERS:
        assert torch.equal(weights(trainer, name).nan_to_num(7.0), before[name].nan_to_num(7.0))
    with pytest.raises(DivergedError, match=r"discriminator's loss is nan"):
        trainer.tensors()
    assert trainer.tensors()
    trainer.step(0.0)
    with pytest.raises(DivergedError, match=r"loss is nan"):
        advance(trainer, STEPS_BETWEEN_MEASUREMENTS)


def test_the_discriminator_is_frozen_only_while_the_generator_moves(
    make_trainer, monkeypatch
) -> None:
    trainer = make_trainer()
    states: list[set[bool]] = []
    step = module.generator_step

    def watched(*args: Any) -> torch.Tensor:
        states.append({p.requires_grad for p in trainer.discriminator.parameters()})
        return step(*args)

    monkeypatch.setattr(module, "generator_step", watched)
    trainer.step(0.0)
    assert states == [{False}]
    assert all(parameter.requires_grad for parameter in trainer.discriminator.parameters())


def test_precision_is_what_was_asked_for(make_trainer) -> None:
    assert make_trainer("precision=float32").precision == "float32"
    assert make_trainer("precision=bfloat16").precision == "bfloat16"
    expected = "bfloat16" if has_native_bfloat16(CPU) else "float32"
    assert make_trainer("precision=auto").precision == resolve_precision("auto", CPU) == expected
    assert bits(advance(make_trainer("precision=bfloat16"), 1)) != bits(
        advance(make_trainer("precision=float32"), 1)
    )


def test_a_healthy_default_start_is_never_taken_for_saturated(make_trainer) -> None:
    trainer = make_trainer()
    looks = [advance(trainer, STEPS_BETWEEN_MEASUREMENTS).watch.looks for _ in range(PATIENCE + 2)]
    assert max(looks) < PATIENCE // 2
