"""Runs of several processes: one folder, one outcome, and one reason where there is none."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest
import torch
from process_parity import ADAM
from processes import run_together

from orthogan.errors import DivergedError, OrthoganError
from orthogan.gan.trainer import Trainer
from orthogan.training.checkpoint import newest_checkpoint, standing
from orthogan.training.run_folder import read_metrics

# What leaves nothing but the order of sums: Muon and half precision amplify it.
EXACT = (*ADAM, "precision=float32")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs forks")


def test_two_processes_make_one_run(train_tiny, tmp_path):
    """Both return the run, the first one writes it, and any other number can go on with it."""

    def work(rank):
        return train_tiny(tmp_path / "run", *EXACT, images=80).to_dict()

    first, second = run_together(tmp_path, 2, work)
    assert first == second
    assert first["result"]["status"] == "done"
    metrics = list(read_metrics(tmp_path / "run" / "metrics.jsonl", print))
    assert [line["event"] for line in metrics].count("verdict") <= 1
    assert train_tiny(tmp_path / "run", *EXACT, images=160).num_seen == 160
    longer = run_together(
        tmp_path, 4, lambda _: train_tiny(tmp_path / "run", *EXACT, images=240).num_seen
    )
    assert longer == [{"result": 240}] * 4
    for images in (80, 160, 240):
        train_tiny(tmp_path / "alone", *EXACT, images=images)
    _assert_alike(tmp_path / "run", tmp_path / "alone")


@pytest.mark.parametrize(
    ("other", "code", "sentence"),
    [
        ({"seed": 1}, 6, "Process 1 on .* differs from process 0: seed is 1 and not 0"),
        ({"source": "many_file"}, 6, "Process 1 on .* differs from process 0: data is"),
        ({"source": "nowhere"}, 3, "Process 1 on .*: .*nowhere"),
    ],
)
def test_a_process_that_differs_is_named_before_training(
    train_tiny, tmp_path, many_file, other, code, sentence
):
    own = dict(other)
    if "source" in own:
        own["source"] = many_file if own["source"] == "many_file" else tmp_path / "nowhere"

    def work(rank):
        return train_tiny(tmp_path / "run", **(own if rank else {})).status

    first, second = run_together(tmp_path, 2, work)
    assert (first["code"], second["code"]) == (code, code)
    assert (first["is_told"], second["is_told"]) == (False, True)
    assert re.search(sentence, first["why"]), first["why"]
    assert not (tmp_path / "run").exists()


def test_other_code_is_named(train_tiny, tmp_path, monkeypatch):
    from orthogan.parallel import agreement

    def work(rank):
        monkeypatch.setattr(agreement, "code_digest", lambda: f"code of {rank}")
        return train_tiny(tmp_path / "run").status

    first, _ = run_together(tmp_path, 2, work)
    assert "code is code of 1 and not code of 0" in first["why"]


def test_a_batch_that_is_not_divided_evenly_is_refused_by_all(train_tiny, tmp_path):
    found = run_together(tmp_path, 3, lambda _: train_tiny(tmp_path / "run").status)
    assert [each["code"] for each in found] == [2, 2, 2]
    assert "3 processes do not divide a batch of 16; use 2, 4, 8, 16" in found[0]["why"]


def test_a_classifier_trains_in_one_process(classify_tiny, tmp_path):
    first, _ = run_together(tmp_path, 2, lambda _: classify_tiny(tmp_path / "run").status)
    assert first["code"] == 2
    assert "a run of 'classify' trains in one" in first["why"]


def test_a_signal_to_any_process_stops_all_with_everything_saved(train_tiny, tmp_path, monkeypatch):
    def work(rank):
        if rank == 1:
            _after_a_step(monkeypatch, signal.SIGTERM)
        return train_tiny(tmp_path / "run", images=10**6).status

    assert run_together(tmp_path, 2, work) == [{"result": "preempted"}] * 2
    _assert_goes_on(train_tiny, tmp_path / "run")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_others_at_once(train_tiny, tmp_path, monkeypatch, rank):
    settings = ("checkpoint_every_s=0.1",)
    started = time.monotonic()

    def work(own):
        if own == rank:
            _after_a_step(monkeypatch, signal.SIGKILL)
        return train_tiny(tmp_path / "run", *settings, images=10**6).status

    found = run_together(tmp_path, 2, work)
    assert found[rank] == {"exit": -signal.SIGKILL}
    other = found[1 - rank]
    assert 8 in other.values(), other
    assert time.monotonic() - started < 60  # of which most is for the processes to begin
    _assert_goes_on(train_tiny, tmp_path / "run", *settings)


def test_a_process_that_fails_says_why_to_all(train_tiny, tmp_path, monkeypatch):
    def work(rank):
        if rank == 1:
            monkeypatch.setattr(Trainer, "heed", _fails)
        return train_tiny(tmp_path / "run").status

    first, second = run_together(tmp_path, 2, work)
    assert (first["code"], second["code"]) == (1, 1)
    assert first["why"] == "Process 1 has ended: no room left"


def test_all_start_again_together(train_tiny, tmp_path, monkeypatch):
    """Where the first process starts the run again, the others do, and go on from there."""
    true = Trainer.step

    def step(trainer, progress):
        record = true(trainer, progress)
        if trainer.images_seen == 64 and trainer.attempt == 0:
            raise DivergedError("The generator's loss is nan.")
        return record

    def work(rank):
        if rank == 0:
            monkeypatch.setattr(Trainer, "step", step)
        return train_tiny(tmp_path / "run", *EXACT, images=96).num_seen

    assert run_together(tmp_path, 2, work) == [{"result": 96}] * 2
    monkeypatch.setattr(Trainer, "step", step)
    train_tiny(tmp_path / "alone", *EXACT, images=96)
    _assert_alike(tmp_path / "run", tmp_path / "alone")


def _fails(*_):
    raise OrthoganError("no room left")


def _after_a_step(monkeypatch, number):
    """This process gets a signal once it has seen 64 images."""
    true = Trainer.step

    def step(trainer, progress):
        record = true(trainer, progress)
        if trainer.images_seen == 64:
            os.kill(os.getpid(), number)
        return record

    monkeypatch.setattr(Trainer, "step", step)


def _assert_goes_on(train_tiny, run, *settings):
    """One process goes on with the run."""
    stands = standing(run).num_seen
    assert train_tiny(run, *settings, images=stands + 32).num_seen == stands + 32


def _assert_alike(run, other):
    """Two runs have the same weights to rounding.

    On average: Adam makes steps of the rounding of gradients that are 0 but for it. Another batch
    moves all weights by a thousandth in one step.
    """
    gap = (_weights(run) - _weights(other)).abs().mean()
    assert gap < 2e-5


def _weights(run):
    tensors = newest_checkpoint(run).tensors
    parts = ("generator/", "discriminator/", "average/")
    return torch.cat(
        [tensors[name].flatten() for name in sorted(tensors) if name.startswith(parts)]
    )
