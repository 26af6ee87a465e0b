"""A run that falls ill goes back to a healthy checkpoint, says so, and gives up in the end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import EACH_STEP, NEVER, Killed, at_step, final_bits, plant_nan, record
from trainers import advance, bits, saved, weights

from orthogan.errors import DivergedError
from orthogan.gan import watched_session
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch import eyes, saturation
from orthogan.gan.watch.detectors import STEPS
from orthogan.gan.watch.eyes import Eyes
from orthogan.gan.watch.remedies import Remedies
from orthogan.models.bundle import load_bundle
from orthogan.report.timeline_sections import EVENTS
from orthogan.training.checkpoint import load_checkpoint

BATCH, MILESTONE = 16, 64


@pytest.fixture(autouse=True)
def _close_milestones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_session, "LEAST_MILESTONE", MILESTONE)
    # Networks as small as these take longer to unfold than the runs here last.
    monkeypatch.setattr(saturation, "SUSPICIOUS_SPREAD", 0.0)


def written(run: Path, event: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def ill_until(
    monkeypatch: pytest.MonkeyPatch, step: int, rollbacks: int, fault: Callable[[Trainer], object]
) -> None:
    """A fault each time that a run passes a step, until it has gone back so often."""
    whole = Trainer.step

    def stepped(trainer: Trainer, progress: float) -> Any:
        found = whole(trainer, progress)
        if trainer.images_seen == step * BATCH and trainer.remedies.rollbacks < rollbacks:
            fault(trainer)
        return found

    monkeypatch.setattr(Trainer, "step", stepped)


def test_a_run_goes_back_and_on_with_half_the_rate(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    ill_until(monkeypatch, 12, 1, plant_nan)
    run = train_tiny(tmp_path / "run", NEVER, show_progress=True)
    assert (run.status, run.images_seen) == ("done", 320)
    (line,) = written(run.path, "rollback")
    # The look at step 8 is the last that found nothing; it shows the generator of step 7.
    assert (line["left_at"], line["images_seen"]) == (12 * BATCH, MILESTONE)
    assert (line["number"], line["most"]) == (1, 3)
    assert line["change"] == "half the learning rates"
    told = capsys.readouterr().err
    assert f"At {line['left_at']} images the run goes back to the checkpoint at 64 images" in told
    assert "with half the learning rates (rollback 1 of at most 3)." in told
    said = EVENTS["rollback"](line)
    assert said.endswith("Left this course at 192 images, and went on from here with half the "
                         "learning rates.")  # fmt: skip
    checkpoint = load_checkpoint(run.path)
    assert checkpoint is not None
    assert checkpoint.state["remedies"] == {"rate": 0.5, "penalty": 1.0, "rollbacks": 1}
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.tensors.values())


@pytest.mark.parametrize("stop", [6, 11, 12, 15])
@pytest.mark.parametrize("setting", [NEVER, EACH_STEP])
def test_stopped_before_or_after_a_rollback_the_bits_are_the_same(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, setting: str
) -> None:
    ill_until(monkeypatch, 12, 1, plant_nan)
    train_tiny(tmp_path / "whole", NEVER)
    with monkeypatch.context() as patch:
        at_step(patch, stop, lambda _: signal.raise_signal(signal.SIGINT))
        run = train_tiny(tmp_path / "parts", setting)
        assert run.status in ("interrupted", "done")
    train_tiny(tmp_path / "parts", setting)
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


def test_killed_right_after_going_back(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill_until(monkeypatch, 12, 1, plant_nan)
    train_tiny(tmp_path / "whole", NEVER)
    go_back = watched_session.go_back

    def die_after(*given: Any) -> Any:
        go_back(*given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(watched_session, "go_back", die_after)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "parts", NEVER)
    train_tiny(tmp_path / "parts", NEVER)
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


def test_a_fault_that_stays_is_given_up_with_a_healthy_model(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill_until(monkeypatch, 12, 99, plant_nan)
    with pytest.raises(DivergedError) as caught:
        train_tiny(tmp_path / "run", NEVER, "rollbacks=2")
    assert caught.value.exit_code == 4
    rates = [line["number"] for line in written(tmp_path / "run", "rollback")]
    assert rates == [1, 2]
    assert record(tmp_path / "run")["status"] == "diverged"
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    bundle = load_bundle(tmp_path / "run" / "bundle")
    assert bundle.card["images seen"] == checkpoint.images_seen > 0
    for name, tensor in bundle.tensors.items():
        assert torch.equal(tensor, checkpoint.tensors[f"average/{name}"])
        assert bool(tensor.isfinite().all())


def test_before_the_first_milestone_a_run_starts_again(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 3, plant_nan)
    run = train_tiny(tmp_path / "run", NEVER)
    assert run.status == "done"
    assert written(run.path, "rollback") == []
    (line,) = written(run.path, "escape")
    assert (line["attempt"], line["abandoned_at"]) == (1, 48)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The eyes count from the second look on, so that the tests are short."""
    early = tuple(replace(each, since=8) for each in STEPS if each.sign.endswith("moved"))
    monkeypatch.setattr(eyes, "STEPS", early)
    monkeypatch.setattr(watched_session, "UNFOLDED_STEPS", 8)


def freeze(trainer: Trainer) -> None:
    trainer.generator_optimizer.step = lambda: None


def test_a_frozen_player_is_found_and_acted_upon(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    monkeypatch.setattr(Eyes, "is_to_ask", staticmethod(lambda _: False))
    at_step(monkeypatch, 16, freeze)
    with pytest.raises(DivergedError, match="Frozen generator: its weights have not changed"):
        train_tiny(tmp_path / "run", NEVER, "rollbacks=1", images=1280)
    (line,) = written(tmp_path / "run", "rollback")
    assert line["change"] == "a generator that starts afresh"
    # From the look at step 16 to those at 24, 32 and 40 nothing moved. The milestone of step 12 is
    # the last before the look at 16, and it has outlived seven later ones.
    assert (line["left_at"], line["images_seen"]) == (40 * BATCH, 12 * BATCH)
    assert load_bundle(tmp_path / "run" / "bundle").card["images seen"] == line["images_seen"]


def test_without_rollbacks_it_is_only_told(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    at_step(monkeypatch, 16, freeze)
    run = train_tiny(tmp_path / "run", NEVER, "rollbacks=0", images=960)
    assert (run.status, run.images_seen) == ("done", 960)
    told = [reason for line in written(run.path, "finding") for reason in line["reasons"]]
    assert "frozen generator: its weights have not changed from look to look" in told
    assert written(run.path, "rollback") == []


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_renewed_player_starts_afresh_and_the_other_goes_on(make_trainer, player: str) -> None:
    other = {"generator": "discriminator", "discriminator": "generator"}[player]
    trainer = advance(make_trainer(), 3)
    before = {name: weights(trainer, name) for name in (player, other, "average")}
    trainer.renew(player)
    assert not torch.equal(weights(trainer, player), before[player])
    assert torch.equal(weights(trainer, other), before[other])
    follows = torch.equal(weights(trainer, "average"), weights(trainer, "generator"))
    assert follows is (player == "generator")
    again = advance(make_trainer(), 3)
    again.renew(player)
    assert bits(again) == bits(trainer)
    trainer.step(0.1)


def test_remedies_change_the_next_step_and_are_restored(make_trainer) -> None:
    trainer = advance(make_trainer(), 2)
    trainer.remedies = Remedies().with_another("rate").with_another("penalty")
    tensors, state = saved(trainer)
    trainer.step(0.0)
    group = trainer.generator_optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(2.2e-3 / 2)
    rest = make_trainer()
    rest.restore(tensors, state)
    assert rest.remedies == Remedies(rate=0.5, penalty=2.0, rollbacks=2)
    rest.step(0.0)
    assert bits(rest) == bits(trainer)
    plain = advance(make_trainer(), 2)
    plain.step(0.0)
    assert bits(plain) != bits(trainer)


def test_the_eyes_change_nothing(make_trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = advance(make_trainer("penalty.share=1.0"), 9)
    monkeypatch.setattr(Eyes, "look", lambda *_: None)
    monkeypatch.setattr(Eyes, "ask", lambda *_: None)
    assert bits(advance(make_trainer("penalty.share=1.0"), 9)) == bits(seen)
