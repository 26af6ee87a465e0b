"""Time in which the process did not run: found, told, and no part of any budget."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orthogan.classification.trainer import ClassifierTrainer
from orthogan.language.trainer import LanguageTrainer
from orthogan.training import clock as clock_module
from orthogan.training import pulse as pulse_module
from orthogan.training import sitting
from orthogan.training.clock import Clock
from orthogan.training.pulse import LEAST_STOP_S, PULSE_S, Pulse
from orthogan.training.run_folder import read_metrics
from orthogan.training.trainer import Trainer


class FakeTime(SimpleNamespace):
    """Clocks that only the test moves: the time of day, and the work of the process."""

    def __init__(self) -> None:
        super().__init__(now=100.0, worked=0.0)

    def perf_counter(self) -> float:
        return float(self.now)

    def process_time(self) -> float:
        return float(self.worked)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    made = FakeTime()
    for module in (clock_module, pulse_module):
        monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(sitting, "Clock", lambda budget: Clock(budget, started=made.now))
    return made


@pytest.fixture
def beating(fake: FakeTime, monkeypatch: pytest.MonkeyPatch) -> Pulse:
    """A pulse that beats when the test says so."""
    pulse = Pulse()
    monkeypatch.setattr(pulse, "_is_beating", True)
    pulse.beat()
    return pulse


@pytest.mark.parametrize("stop_s", [LEAST_STOP_S + 0.1, 20.0, 40_000.0])
@pytest.mark.parametrize("first", ["pulse", "reader"])
def test_a_gap_without_work_is_a_stop(
    fake: FakeTime, beating: Pulse, stop_s: float, first: str
) -> None:
    before = beating.stopped_until(fake.now)
    fake.now += stop_s
    fake.worked += 0.4  # before the stop and after it
    if first == "pulse":
        beating.beat()
    assert beating.stopped_until(fake.now) - before == pytest.approx(stop_s - PULSE_S)
    beating.beat()
    assert beating.stopped_until(fake.now) - before == pytest.approx(stop_s - PULSE_S)


@pytest.mark.parametrize(
    ("gap_s", "worked"),
    [
        (LEAST_STOP_S - 0.1, 0.0),  # a loaded machine
        (60.0, 59.0),  # a compiler that keeps the interpreter
        (60.0, 31.0),  # the same with half a core
        (60.0, 480.0),  # on eight
    ],
)
def test_a_late_beat_and_a_busy_one_are_training(
    fake: FakeTime, beating: Pulse, gap_s: float, worked: float
) -> None:
    before = beating.stopped_until(fake.now)
    for _ in range(3):
        fake.now += gap_s
        fake.worked += worked
        assert beating.stopped_until(fake.now) == before
        beating.beat()
        assert beating.stopped_until(fake.now) == before


def test_waiting_is_training_as_long_as_the_pulse_beats(fake: FakeTime, beating: Pulse) -> None:
    before = beating.stopped_until(fake.now)
    for _ in range(100):  # a step of 50 s on a device, or a slow disk
        fake.now += PULSE_S
        beating.beat()
    assert beating.stopped_until(fake.now) == before


def test_outside_of_training_nothing_is_looked_at(fake: FakeTime) -> None:
    pulse = Pulse()
    fake.now += 1000.0
    assert pulse.stopped_until(fake.now) == 0.0
    with pulse.beating():
        assert pulse.stopped_until(fake.now) == 0.0
    fake.now += 1000.0
    assert pulse.stopped_until(fake.now) == 0.0


@pytest.mark.parametrize("kind", ["gan", "classifier", "language"])
def test_a_stop_lengthens_no_budget(
    train_tiny: Callable[..., Any],
    classify_tiny: Callable[..., Any],
    learn_tiny: Callable[..., Any],
    fake: FakeTime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    trainer, train = {
        "gan": (Trainer, train_tiny),
        "classifier": (ClassifierTrainer, classify_tiny),
        "language": (LanguageTrainer, learn_tiny),
    }[kind]
    step, steps = trainer.step, []

    def timed(self: Any, progress: float) -> Any:
        steps.append(progress)
        fake.now += 20.0 if len(steps) == 5 else 0.0625
        return step(self, progress)

    monkeypatch.setattr(trainer, "step", timed)
    monkeypatch.setattr(sitting, "METRICS_EVERY_S", 0.0)
    run = train(tmp_path / "run", minutes=2 / 60, show_progress=True)
    assert run.status == "done"
    assert run.seconds == pytest.approx(2.0, abs=0.0626)
    # The stopped step counts at most as long as a beat: of 32 steps 24 fit beside it.
    assert 24 <= len(steps) <= 32
    assert all(0 <= share < 1 for share in steps)
    assert "The process was stopped for 20 s; that does not" in capsys.readouterr().err
    records = read_metrics(tmp_path / "run" / "metrics.jsonl")
    (stop,) = [line for line in records if line["event"] == "stop"]
    assert stop["stopped_s"] == pytest.approx(19.8, abs=0.4)
    assert max(line["elapsed_s"] for line in records) <= run.seconds


PROGRAM = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from orthogan import api
run = api.train(
    sys.argv[1], run=sys.argv[2], minutes=4 / 60, threads=1, settings=json.loads(sys.argv[3])
)
print(json.dumps([run.status, run.seconds, run.images_seen]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_process_that_is_stopped_trains_its_time_out(
    tiny_file: Path, tiny_settings: Callable[..., tuple[str, ...]], tmp_path: Path
) -> None:
    path = tmp_path / "run"
    words = [str(tiny_file), str(path), json.dumps(tiny_settings())]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        while not read_metrics(path / "metrics.jsonl"):
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(signal.SIGSTOP)
        time.sleep(6)
        child.send_signal(signal.SIGCONT)
        told, said = child.communicate(timeout=240)
    finally:
        child.kill()
    status, seconds, images_seen = json.loads(told)
    records = read_metrics(path / "metrics.jsonl")
    (stop,) = [line for line in records if line["event"] == "stop"]
    assert 4.5 <= stop["stopped_s"] <= 12
    assert "The process was stopped for " in said
    assert status == "done"
    assert images_seen > stop["images_seen"]
    assert stop["elapsed_s"] < 4 <= seconds
