"""The clock of a run: what of its budget is used up, what is due, how long it will take."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from disturbances import at_step

from orthogan.gan.trainer import Trainer
from orthogan.training import clock as clock_module
from orthogan.training import session as sitting
from orthogan.training.clock import Clock
from orthogan.training.config import BudgetConfig


class FakeTime(SimpleNamespace):
    """A clock that only steps move."""

    def __init__(self) -> None:
        super().__init__(now=100.0)

    def perf_counter(self) -> float:
        return float(self.now)


def test_a_time_budget_counts_every_sitting(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime()
    monkeypatch.setattr(clock_module, "time", clock)
    monkeypatch.setattr(sitting, "Clock", lambda budget: Clock(budget, started=clock.now))
    step = Trainer.step
    progress: list[float] = []

    def timed(trainer: Trainer, share: float) -> Any:
        progress.append(share)
        clock.now += 0.0625
        return step(trainer, share)

    monkeypatch.setattr(Trainer, "step", timed)
    with monkeypatch.context() as patch:
        at_step(patch, 5, lambda _: signal.raise_signal(signal.SIGINT))
        assert train_tiny(tmp_path / "run", minutes=1 / 60).images_seen == 80
    clock.now += 1000  # the night between two sittings does not count
    run = train_tiny(tmp_path / "run", minutes=1 / 60)
    assert (run.status, run.images_seen, run.seconds) == ("done", 16 * 16, 1.0)
    assert progress == [number / 16 for number in range(16)]


def test_a_short_time_budget_in_real_time(train_tiny, tmp_path: Path) -> None:
    started = time.monotonic()
    run = train_tiny(tmp_path / "run", minutes=0.3 / 60)
    assert run.status == "done"
    assert 0.3 <= run.seconds <= time.monotonic() - started
    assert run.images_seen > 0


def test_things_are_due_once_in_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = FakeTime()
    monkeypatch.setattr(clock_module, "time", now)
    clock = Clock(BudgetConfig(images=100), before_s=5.0, started=now.perf_counter())
    found = []
    for _ in range(8):
        now.now += 0.5
        found.append(clock.is_due("a", 1.0))
    assert found == [False, True] * 4
    assert clock.elapsed_s == 9.0
    assert clock.progress(50) == 0.5


def test_the_pace_is_that_of_this_sitting_and_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    now = FakeTime()
    monkeypatch.setattr(clock_module, "time", now)
    clock = Clock(BudgetConfig(images=1000), before_s=500.0, started=now.perf_counter())
    clock.mark(200)  # resumed: the 500 s before count for nothing
    now.now += 2.0
    assert clock.pace(300) == (pytest.approx(14.0), pytest.approx(50.0))
    clock.mark(0)  # escaped
    now.now += 4.0
    assert clock.pace(400) == (pytest.approx(6.0), pytest.approx(100.0))
    assert clock.pace(1000)[0] == clock.pace(1010)[0] == 0.0
    clock = Clock(BudgetConfig(seconds=60.0), before_s=10.0, started=now.perf_counter())
    clock.mark(80)
    now.now += 20.0
    assert clock.pace(280) == (pytest.approx(30.0), pytest.approx(10.0))
