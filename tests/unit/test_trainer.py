"""The trainer: the same bits each time, across restores and restarts, and nothing global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orthogan import api
from orthogan.adversarial.finite import DeferredUpdate
from orthogan.adversarial.steps import DiscriminatorStep
from orthogan.bundle.tensors import digest, pack
from orthogan.data import ImageSet, Order, load, to_floats
from orthogan.errors import DivergedError
from orthogan.recipes import RECIPES
from orthogan.training import trainer as module
from orthogan.training.precision import has_native_bfloat16, resolve_precision
from orthogan.training.schedule import average_decay
from orthogan.training.trainer import StepRecord, Trainer
from orthogan.training.watch import PATIENCE, STEPS_BETWEEN_LOOKS, SaturationWatch

CPU = torch.device("cpu")
PLAYERS = ("generator", "discriminator")
PRECISIONS = ["float32"] + ["bfloat16"] * has_native_bfloat16(CPU)
STEPS = 12  # past half of an epoch of 200 images, and past the watch's first look

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def images(tiny_file: Path) -> ImageSet:
    return load(tiny_file)


@pytest.fixture
def make(
    tiny_file: Path, images: ImageSet, tiny_settings: Callable[..., tuple[str, ...]]
) -> Callable[..., Trainer]:
    def trainer(
        *settings: str, model: str = "attention-gan", seed: int = 0, data: ImageSet = images
    ) -> Trainer:
        config = api.resolve(
            tiny_file, model=model, images=640, seed=seed, settings=tiny_settings(model, *settings)
        )
        return Trainer(config, data, CPU)

    return trainer


def advance(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.step(trainer.images_seen / 640)
    return trainer


def bits(trainer: Trainer) -> str:
    return digest(pack(trainer.tensors()))


def saved(trainer: Trainer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}, trainer.state()


def weights(trainer: Trainer, player: str) -> torch.Tensor:
    parameters = getattr(trainer, player).parameters()
    return torch.nn.utils.parameters_to_vector(parameters).detach().clone()


def test_the_seed_decides_every_bit(make) -> None:
    first = bits(advance(make(), STEPS))
    assert bits(advance(make(), STEPS)) == first
    assert bits(advance(make(seed=1), STEPS)) != first


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("model", list(RECIPES))
def test_a_restored_trainer_continues_bit_for_bit(make, model: str, precision: str) -> None:
    setting = f"precision={precision}"
    whole = advance(make(setting, model=model), 5)
    tensors, state = saved(whole)
    advance(whole, STEPS - 5)
    rest = make(setting, model=model)
    rest.restore(tensors, state)
    assert rest.images_seen == 5 * 16
    advance(rest, STEPS - 5)
    assert bits(rest) == bits(whole)
    assert rest.state() == whole.state()


@pytest.mark.parametrize("kind", ["exact", "finite-difference", "none"])
def test_every_penalty_restores_bit_for_bit(make, kind: str) -> None:
    whole = advance(make(f"penalty.kind={kind}"), 3)
    rest = make(f"penalty.kind={kind}")
    rest.restore(*saved(whole))
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))


STATISTICS = ("keys=whitened", "positions=sinusoidal", "injection=orthogonal")


def test_statistics_of_tokens_are_taken_once_and_restored(make) -> None:
    settings = [
        f"{player}.{each}" for player in ("generator", "discriminator") for each in STATISTICS
    ]
    start = make(*settings)
    first = {name: part for name, part in saved(start)[0].items() if "attention.keys" in name}
    assert {name.partition("/")[0] for name in first} == {"generator", "discriminator", "average"}
    counts = {name: int(part) for name, part in first.items() if name.endswith("count")}
    assert set(counts.values()) == {200 * 16, 400 * 4}  # all images; real and fake ones
    whole = advance(start, 3)
    tensors, state = saved(whole)
    for name, part in first.items():
        assert torch.equal(tensors[name], part), name
    rest = make(*settings, seed=1)
    assert bits(rest) != bits(make(*settings))
    rest = make(*settings)
    rest.restore(tensors, state)
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))
    again = whole.config.generator.build()
    again.load_state_dict(whole.average.state_dict())
    latents = torch.ones(2, 8)
    assert torch.equal(again.eval()(latents), whole.average(latents))


def test_restoring_does_not_share_memory_with_the_weights(make) -> None:
    trainer = make()
    tensors, state = saved(advance(trainer, 2))
    before = digest(pack(tensors))
    other = make()
    other.restore({name: tensor.clone() for name, tensor in tensors.items()}, state)
    advance(other, 2)
    assert digest(pack(tensors)) == before == bits(trainer)


def test_an_escape_starts_again_gentler_whatever_came_before(make, monkeypatch) -> None:
    gammas: list[float] = []
    step = module.discriminator_step
    monkeypatch.setattr(
        module, "discriminator_step", lambda *args: gammas.append(args[6]) or step(*args)
    )
    early, late = make(), advance(make(), 3)
    first = weights(make(), "generator")
    early.escape()
    late.escape()
    assert (late.attempt, late.images_seen) == (1, 0)
    assert late.watch.state() == {"looks": 0, "steps": 0, "flat_looks": 0}
    assert bits(early) == bits(late)
    assert not torch.equal(weights(late, "generator"), first)
    late.step(0.0)
    for optimizer in (late.generator_optimizer, late.discriminator_optimizer):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(2.2e-3 / 2)
    assert gammas == pytest.approx([10.0, 10.0, 10.0, 20.0])


@pytest.mark.parametrize("steps_before", [0, 4])
def test_restoring_across_an_escape(make, steps_before: int) -> None:
    whole = advance(make(), 2)
    whole.escape()
    advance(whole, steps_before)
    tensors, state = saved(whole)
    rest = make()
    rest.restore(tensors, state)
    assert (rest.attempt, rest.images_seen) == (1, 16 * steps_before)
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))


def test_schedules_reach_the_optimisers_and_the_penalty(make, monkeypatch) -> None:
    seen: list[float] = []
    step = module.discriminator_step
    monkeypatch.setattr(
        module, "discriminator_step", lambda *args: seen.append(args[6]) or step(*args)
    )
    trainer = make(
        "generator_optimizer.learning_rate=0.002",
        "discriminator_optimizer.final_share=0.5",
        "discriminator_optimizer.beta1=0.25",
        "discriminator_optimizer.learning_rate=1.4e-3",
        "penalty.gamma_start=8",
        "penalty.gamma_end=2",
    )
    found = []
    for progress in (0.0, 0.5, 1.0):
        trainer.step(progress)
        groups = [
            trainer.generator_optimizer.param_groups[0],
            trainer.discriminator_optimizer.param_groups[0],
        ]
        found += [(group["lr"], *group["betas"]) for group in groups]
    assert np.array(found) == pytest.approx(
        np.array(
            [
                (2e-3, 0.0, 0.9),
                (1.4e-3, 0.25, 0.9),
                (1.1e-3, 0.0, 0.99),  # halfway from 2e-3 to a tenth of it
                (1.05e-3, 0.25, 0.99),
                (2e-4, 0.0, 0.99),
                (0.7e-3, 0.25, 0.99),
            ]
        )
    )
    assert seen == pytest.approx([8.0, 5.0, 2.0])


def test_the_learning_rate_is_what_moves_the_weights(make) -> None:
    adam = "generator_optimizer.kind=adam"
    slow, fast = make(adam, "generator_optimizer.learning_rate=1e-5"), make(adam)
    start = weights(slow, "generator")
    moves = [weights(advance(t, 1), "generator") - start for t in (slow, fast)]
    assert float(moves[0].abs().max()) == pytest.approx(1e-5, rel=0.05)
    assert float(moves[1].abs().max()) == pytest.approx(2.2e-3, rel=0.05)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_the_kind_of_optimiser_reaches_its_player(make, player: str) -> None:
    adam = advance(make(f"{player}_optimizer.kind=adam"), 1)
    muon = advance(make(f"{player}_optimizer.kind=muon"), 1)
    assert not torch.equal(weights(adam, player), weights(muon, player))


@pytest.mark.parametrize("setting", ["hold_share=0.9", "final_share=0.9"])
def test_every_part_of_the_rate_schedule_has_effect(make, setting: str) -> None:
    default, changed = make(), make(f"generator_optimizer.{setting}")
    for trainer in (default, changed):
        trainer.step(0.8)
    assert not torch.equal(weights(default, "generator"), weights(changed, "generator"))


def test_batches_double_along_the_budget(make) -> None:
    trainer = make("final_batch_size=64")
    seen = []
    for progress in (0.0, 0.3, 0.4, 0.6, 0.7, 1.0):
        before = trainer.images_seen
        trainer.step(progress)
        seen.append(trainer.images_seen - before)
    assert seen == [16, 16, 32, 32, 64, 64]


def test_the_average_follows_the_generator(make) -> None:
    trainer = make("average.half_life_share=2.0")
    before = weights(trainer, "average")
    assert torch.equal(before, weights(trainer, "generator"))
    trainer.step(0.0)
    decay = average_decay(trainer.config.average, 16, 16)
    assert 0.5 < decay < 1
    expected = decay * before + (1 - decay) * weights(trainer, "generator")
    torch.testing.assert_close(weights(trainer, "average"), expected)
    assert not any(parameter.requires_grad for parameter in trainer.average.parameters())


def test_a_batch_depends_on_the_seed_and_the_count_alone(make, images, monkeypatch) -> None:
    reals: list[torch.Tensor] = []
    latents: list[torch.Tensor] = []
    step = module.discriminator_step
    monkeypatch.setattr(
        module, "discriminator_step", lambda *args: reals.append(args[2]) or step(*args)
    )
    walked, jumped, other = make(), make(), make(seed=1)
    for trainer in (walked, jumped, other):
        trainer.generator.register_forward_pre_hook(lambda _, args: latents.append(args[0]))
    advance(walked, 14)  # 224 images: into the second epoch
    for trainer in (jumped, other):
        trainer.images_seen = 13 * 16
        trainer.step(0.0)
    assert len(latents) == len(reals) == 16
    assert torch.equal(latents[14], latents[13])
    assert torch.equal(reals[14], reals[13])
    assert torch.equal(reals[14], to_floats(images.images[Order(200, 0).batch(13 * 16, 16)]))
    assert len({tensor.numpy().tobytes() for tensor in latents}) == 15
    assert len({tensor.numpy().tobytes() for tensor in reals}) == 15


def test_global_random_generators_stay_untouched(make) -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is watched
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    trainer = advance(make("penalty.kind=finite-difference"), 2)
    trainer.escape()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    torch.manual_seed(4)  # and nothing reads it either
    assert bits(advance(trainer, 1)) == bits(advance(_escaped(make), 1))


def _escaped(make: Callable[..., Trainer]) -> Trainer:
    trainer = make("penalty.kind=finite-difference")
    trainer.escape()
    return trainer


@pytest.mark.parametrize("kind", ["exact", "finite-difference", "none"])
def test_labels_reach_both_players(make, images: ImageSet, kind: str) -> None:
    trainer = make("condition=classes", f"penalty.kind={kind}")
    assert trainer.config.generator.classes == trainer.config.discriminator.classes == 4
    seen: dict[str, list[torch.Tensor]] = {"generator": [], "discriminator": []}
    for player, calls in seen.items():
        getattr(trainer, player).register_forward_pre_hook(
            lambda _, args, calls=calls: calls.append(args[1])
        )
    trainer.step(0.0)
    labels = images.labels[Order(200, 0).batch(0, 16)]
    assert len(labels.unique()) > 1
    assert [torch.equal(got, labels) for got in seen["generator"]] == [True]
    judged, again = seen["discriminator"]
    copies = 4 if kind == "finite-difference" else 2
    assert torch.equal(judged, labels.repeat(copies))
    assert torch.equal(again, labels)


@pytest.mark.parametrize("model", list(RECIPES))
def test_labels_matter_only_to_those_who_are_told(make, images: ImageSet, model: str) -> None:
    swapped = replace(images, labels=3 - images.labels)
    for condition in ("none", "clusters", "classes"):
        setting = f"condition={condition}"
        ours = bits(advance(make(setting, model=model), 2))
        theirs = bits(advance(make(setting, model=model, data=swapped), 2))
        assert (ours != theirs) == (condition == "classes")


@pytest.mark.parametrize("condition", ["none", "clusters", "classes"])
def test_each_condition_restores_bit_for_bit(make, condition: str) -> None:
    whole = advance(make(f"condition={condition}"), 3)
    rest = make(f"condition={condition}")
    rest.restore(*saved(whole))
    assert bits(advance(rest, 3)) == bits(advance(whole, 3))


def test_a_resumed_run_keeps_its_clusters_where_others_would_be_found(make) -> None:
    whole = advance(make("condition=clusters"), 1)
    rest = make("condition=clusters")
    rest.clusters = 1 - rest.clusters  # as if another machine had numbered them otherwise
    rest.restore(*saved(whole))
    assert torch.equal(rest.clusters, whole.clusters)
    assert bits(advance(rest, 2)) == bits(advance(whole, 2))


def test_a_record_is_made_of_plain_finite_numbers(make) -> None:
    record = make().step(0.0)
    assert isinstance(record, StepRecord)
    numbers = record.numbers()
    assert set(numbers) == {
        "discriminator_loss",
        "generator_loss",
        "penalty",
        "real_logit",
        "fake_logit",
    }
    assert all(type(value) is float and np.isfinite(value) for value in numbers.values())


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_step_that_is_not_finite_changes_nothing(make, player: str) -> None:
    trainer = advance(make(), 2)
    with torch.no_grad():
        next(getattr(trainer, player).parameters()).view(-1)[0] = float("nan")
    before = bits(trainer)
    with pytest.raises(DivergedError, match=r"loss is nan"):
        trainer.step(0.0)
    assert bits(trainer) == before
    assert trainer.images_seen == 32
    assert all(parameter.requires_grad for parameter in trainer.discriminator.parameters())


@pytest.mark.parametrize("kind", ["muon", "adam"])
def test_a_deferred_look_changes_no_bit(make, kind: str) -> None:
    settings = [f"{p}_optimizer.{s}" for p in PLAYERS for s in (f"kind={kind}", "beta1=0.5")]
    now, later = make(*settings), make(*settings)
    later._update = DeferredUpdate()
    assert bits(advance(later, 9)) == bits(advance(now, 9))


@pytest.mark.parametrize("kind", ["muon", "adam"])
@pytest.mark.parametrize("player", PLAYERS)
def test_a_deferred_look_leaves_a_bad_player_as_it_was(make, player: str, kind: str) -> None:
    settings = [f"{p}_optimizer.{s}" for p in PLAYERS for s in (f"kind={kind}", "beta1=0.5")]
    trainer = make(*settings)
    trainer._update = DeferredUpdate()
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
        advance(trainer, STEPS_BETWEEN_LOOKS)


def test_the_discriminator_is_frozen_only_while_the_generator_moves(make, monkeypatch) -> None:
    trainer = make()
    states: list[set[bool]] = []
    step = module.generator_step

    def watched(*args: Any) -> torch.Tensor:
        states.append({p.requires_grad for p in trainer.discriminator.parameters()})
        return step(*args)

    monkeypatch.setattr(module, "generator_step", watched)
    trainer.step(0.0)
    assert states == [{False}]
    assert all(parameter.requires_grad for parameter in trainer.discriminator.parameters())


def test_precision_is_what_was_asked_for(make) -> None:
    assert make("precision=float32").precision == "float32"
    assert make("precision=bfloat16").precision == "bfloat16"
    expected = "bfloat16" if has_native_bfloat16(CPU) else "float32"
    assert make("precision=auto").precision == resolve_precision("auto", CPU) == expected
    assert bits(advance(make("precision=bfloat16"), 1)) != bits(
        advance(make("precision=float32"), 1)
    )


LOST_AFTER = PATIENCE * STEPS_BETWEEN_LOOKS


def look(watch: SaturationWatch, steps: int, spread: float = 0.0, lead: float = 5.0) -> None:
    """Steps with fakes of a given share of the reals' variance, behind by `lead` logits."""
    real = torch.tensor([-1.0, 1.0]).repeat(8).reshape(16, 1, 1, 1).expand(16, 1, 4, 4)
    zero = torch.tensor(0.0)
    judged = DiscriminatorStep(zero, zero, torch.full((16,), lead), torch.zeros(16))
    for _ in range(steps):
        watch.see(real, real * spread**0.5, judged)


def test_the_watch_sees_a_saturated_start_after_its_patience() -> None:
    watch = SaturationWatch()
    look(watch, LOST_AFTER - 1)
    assert not watch.is_saturated
    resumed = SaturationWatch(**watch.state())
    look(resumed, 1)
    assert resumed.is_saturated


@pytest.mark.parametrize(("spread", "lead"), [(0.03, 5.0), (0.0, 1.0), (1.0, 0.0), (0.03, 0.0)])
def test_one_sign_alone_is_no_saturation(spread: float, lead: float) -> None:
    watch = SaturationWatch()
    look(watch, 2 * LOST_AFTER, spread, lead)
    assert watch.looks == 0


def test_a_healthy_look_starts_the_count_again() -> None:
    watch = SaturationWatch()
    look(watch, LOST_AFTER - STEPS_BETWEEN_LOOKS)
    look(watch, STEPS_BETWEEN_LOOKS, spread=1.0)
    look(watch, LOST_AFTER - 1)
    assert not watch.is_saturated


def test_a_healthy_default_start_is_never_taken_for_saturated(make) -> None:
    trainer = make()
    looks = [advance(trainer, STEPS_BETWEEN_LOOKS).watch.looks for _ in range(PATIENCE + 2)]
    assert max(looks) < PATIENCE // 2
