"""The settings that change along a run reach optimizers, penalty, batches and average."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from trainers import advance, weights

from orthogan.gan import trainer as module
from orthogan.gan.schedule import average_decay

pytestmark = pytest.mark.usefixtures("one_thread")


def test_schedules_reach_the_optimizers_and_the_penalty(make_trainer, monkeypatch) -> None:
    seen: list[float] = []
    step = module.discriminator_step
    monkeypatch.setattr(
        module, "discriminator_step", lambda *args: seen.append(args[3].gamma) or step(*args)
    )
    trainer = make_trainer(
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


@pytest.mark.parametrize(
    ("kind", "judged"),
    [("exact", [8, 24, 16]), ("finite-difference", [16, 24, 16]), ("none", [32, 16])],
)
def test_the_share_decides_which_images_are_penalised(make_trainer, kind, judged) -> None:
    trainer, seen = make_trainer(f"penalty.kind={kind}", "penalty.share=0.25"), []
    trainer._judge.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    trainer.step(0.0)
    assert seen == judged


def test_the_learning_rate_is_what_moves_the_weights(make_trainer) -> None:
    adam = "generator_optimizer.kind=adam"
    slow, fast = make_trainer(adam, "generator_optimizer.learning_rate=1e-5"), make_trainer(adam)
    start = weights(slow, "generator")
    moves = [weights(advance(t, 1), "generator") - start for t in (slow, fast)]
    assert float(moves[0].abs().max()) == pytest.approx(1e-5, rel=0.05)
    assert float(moves[1].abs().max()) == pytest.approx(2.2e-3, rel=0.05)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_the_kind_of_optimizer_reaches_its_player(make_trainer, player: str) -> None:
    adam = advance(make_trainer(f"{player}_optimizer.kind=adam"), 1)
    muon = advance(make_trainer(f"{player}_optimizer.kind=muon"), 1)
    assert not torch.equal(weights(adam, player), weights(muon, player))


@pytest.mark.parametrize("setting", ["hold_share=0.9", "final_share=0.9", "root_after=1"])
def test_every_part_of_the_rate_schedule_has_effect(make_trainer, setting: str) -> None:
    default, changed = make_trainer(), make_trainer(f"generator_optimizer.{setting}")
    for trainer in (default, changed):
        trainer.step(0.8)
        trainer.step(0.8)
    assert not torch.equal(weights(default, "generator"), weights(changed, "generator"))


def test_batches_double_along_the_budget(make_trainer) -> None:
    trainer = make_trainer("final_batch_size=64")
    seen = []
    for progress in (0.0, 0.3, 0.4, 0.6, 0.7, 1.0):
        before = trainer.images_seen
        trainer.step(progress)
        seen.append(trainer.images_seen - before)
    assert seen == [16, 16, 32, 32, 64, 64]


def test_the_average_follows_the_generator(make_trainer) -> None:
    trainer = make_trainer("average.half_life_share=2.0")
    before = weights(trainer, "average")
    assert torch.equal(before, weights(trainer, "generator"))
    trainer.step(0.0)
    decay = average_decay(trainer.config.average, 16, 16)
    assert 0.5 < decay < 1
    expected = decay * before + (1 - decay) * weights(trainer, "generator")
    torch.testing.assert_close(weights(trainer, "average"), expected)
    assert not any(parameter.requires_grad for parameter in trainer.average.parameters())
