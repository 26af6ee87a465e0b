"""A signal in the middle of a score or a verdict ends it there, and it is made again later."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from disturbances import NEVER, final_bits, record

from orthogan.evaluation import LiveScore
from orthogan.gan import session, watched_session
from orthogan.gan.watch import saturation
from orthogan.training import clock as clock_module
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.clock import Clock
from orthogan.training.config import BudgetConfig
from orthogan.training.run_folder import read_metrics
from orthogan.training.session import FIRST_CHECKPOINT_S
from orthogan.training.stop_signals import StopNow, StopSignals

IMAGES, MILESTONE = 128, 64


@pytest.fixture(autouse=True)
def _one_milestone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_session, "LEAST_MILESTONE", MILESTONE)
    # Networks as small as these take longer to unfold than the runs here last.
    monkeypatch.setattr(saturation, "SUSPICIOUS_SPREAD", 0.0)
    monkeypatch.setattr(session, "SUSPICIOUS_SPREAD", 0.0)
    # A verdict is asked for, at once, and does not describe a thousand images.
    monkeypatch.setattr(session, "UNFOLDED_STEPS", 0)
    monkeypatch.setattr(session, "judged", lambda *_: None)


def what_was_read(run: Path) -> list[dict[str, Any]]:
    """The scores, and what the run is judged by."""
    scores = [
        {name: value for name, value in line.items() if name != "elapsed_s"}
        for line in read_metrics(run / "metrics.jsonl")
        if line["event"] == "score"
    ]
    checkpoint = load_checkpoint(run)
    assert checkpoint is not None
    return [*scores, checkpoint.state["course"]]


@pytest.mark.parametrize(("number", "place"), [(0, "read"), (1, "read"), (0, "judged")])
def test_stopped_in_the_middle_everything_is_read_later(
    train_tiny,
    scored_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    place: str,
) -> None:
    options = {"source": scored_file, "images": IMAGES}
    train_tiny(tmp_path / "whole", NEVER, **options)
    holder: Any = LiveScore if place == "read" else session
    whole, calls = getattr(holder, place), []

    def interrupted(*given: Any) -> Any:
        calls.append(len(calls))
        if calls[-1] == number:
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("a signal in the middle of it is heeded at its end")
        return whole(*given)

    with monkeypatch.context() as patch:
        patch.setattr(holder, place, interrupted)
        run = train_tiny(tmp_path / "parts", NEVER, **options)
    at = MILESTONE if (number, place) == (0, "read") else IMAGES
    assert (run.status, run.images_seen) == ("preempted", at)
    assert record(run.path)["reason"] == f"Stopped at {at} images; everything is saved."
    assert train_tiny(tmp_path / "parts", NEVER, **options).status == "done"
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")
    assert what_was_read(tmp_path / "parts") == what_was_read(tmp_path / "whole")


def test_a_signal_of_before_ends_it_before_it_begins() -> None:
    stop = StopSignals()
    with stop.noted():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(StopNow), stop.at_once():
            pytest.fail("it has begun")
    assert stop.received == signal.SIGINT


def test_the_first_checkpoint_comes_early(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FIRST_CHECKPOINT_S < 10
    now = [0.0]
    monkeypatch.setattr(clock_module.time, "perf_counter", lambda: now[0])
    clock, due = Clock(BudgetConfig(images=1), started=0.0), []
    for second in range(60):
        now[0] = float(second)
        if clock.is_due("checkpoint", 20.0, FIRST_CHECKPOINT_S):
            due.append(second)
    assert due == [5, 25, 45]
