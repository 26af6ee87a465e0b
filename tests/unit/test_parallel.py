"""Which process this is, what its rows are, and who is told if the others do not fit."""

from __future__ import annotations

import threading
import time
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from orthogan.errors import ConfigError, ResumeError
from orthogan.gan.config import TrainingConfig
from orthogan.gan.sharing import refuse_unshared
from orthogan.parallel import ALONE, Place, agreement, heart, meeting, place
from orthogan.parallel.lost import EndedElsewhereError, LostError
from orthogan.parallel.rows import RowDraws, num_own
from orthogan.parallel.several import SeveralRanks
from orthogan.parallel.store import Store, prefixed, tcp_store

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "n1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "2",
}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "gpu[07-09]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "0",
}


def test_torchrun_says_which_process_this_is():
    found = place(TORCHRUN)
    assert (found.rank, found.count, found.local_rank, found.local_count) == (3, 4, 1, 2)
    assert (found.address, found.port, found.restarts) == ("n1", 29500, 2)


def test_srun_says_which_process_this_is():
    found = place(SRUN)
    assert (found.rank, found.count, found.local_rank, found.local_count) == (5, 6, 1, 2)
    assert found.address == "gpu07"
    ports = {place(SRUN | {"SLURM_JOB_ID": str(job)}).port for job in range(50)}
    assert len(ports) == 50
    assert all(60_000 <= port < 61_000 for port in ports)


def test_what_torchrun_says_comes_before_what_srun_says():
    assert place(SRUN | TORCHRUN).count == 4
    assert place(SRUN | {"MASTER_ADDR": "elsewhere"}).address == "elsewhere"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "0"},  # a batch script, which no srun has started
        {"RANK": "0", "WORLD_SIZE": "1"},
    ],
)
def test_one_process_is_on_its_own(environment):
    assert place(environment) is None


@pytest.mark.parametrize("wrong", [{"RANK": "4"}, {"RANK": "x"}, {"MASTER_PORT": ""}])
def test_an_environment_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"process 4 of 4|RANK is 'x'|MASTER_PORT is ''"):
        place(TORCHRUN | wrong)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("num_rows", [1, 4, 7, 15])
def test_the_rows_of_all_are_the_batch(count, num_rows):
    rows = torch.arange(num_rows)
    own = [_several(rank, count).own(rows) for rank in range(count)]
    assert torch.cat(own).sort().values.tolist() == rows.tolist()
    assert [num_own(count, rank, num_rows) for rank in range(count)] == list(map(len, own))


@pytest.mark.parametrize(("pairs", "fraction"), [(8, 0.5), (12, 0.3), (100, 0.07), (64, 0.99)])
def test_penalised_pairs_are_the_same_as_those_of_one_process(pairs, fraction):
    whole, count = int(np.ceil(fraction * pairs)), 4
    own = [_several(rank, count).penalised(pairs, fraction) for rank in range(count)]
    numbers = [int(np.ceil(part * (pairs // count))) for part, _ in own]
    assert numbers == [num_own(count, rank, whole) for rank in range(count)]
    # The mean over processes of their weighted means is the mean over all pairs.
    assert sum(weight / count for _, weight in own) == pytest.approx(1)


def test_draws_are_those_of_one_process():
    alone = np.random.default_rng(1).standard_normal((14, 3), dtype=np.float32)
    for rank in range(3):
        draws = RowDraws(np.random.default_rng(1), rank, 3, 7)
        own = [*range(rank, 7, 3), *range(7 + rank, 14, 3)]
        found = draws.standard_normal((len(own), 3), dtype=np.float32)
        np.testing.assert_array_equal(found, alone[own])


def test_alone_every_answer_is_trivial():
    rows = torch.arange(3)
    assert ALONE.own(rows) is rows
    assert ALONE.penalised(64, 0.5) == (0.5, 1.0)
    assert ALONE.averaging(max) is max
    assert ALONE.together(lambda: 7, dict) == 7


@pytest.mark.parametrize(
    ("settings", "count", "sentence"),
    [
        (["batch_size=64"], 3, "3 processes do not divide a batch of 64; use 2, 4, 8"),
        (["penalty.share=0.02"], 4, "penalises 2 of 64 pairs"),
        (["decorrelation=1", "penalty.share=0.96"], 4, "leaves 2 of 64 pairs"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused(settings, count, sentence):
    config = TrainingConfig().evolve(*settings)
    with pytest.raises(ConfigError, match=sentence):
        refuse_unshared(config, count)
    refuse_unshared(config, 1)
    refuse_unshared(config, 2)


def test_what_differs_is_named_with_the_process():
    answers = [{"host": "a", "facts": {"code": "1", "data": "x"}} for _ in range(3)]
    agreement._refuse_differences(answers, 0)
    answers[2] = {"host": "b", "facts": {"code": "1", "data": "y", "seed": "3"}}
    with pytest.raises(ResumeError, match="Process 2 on b differs from process 0: data is y") as it:
        agreement._refuse_differences(answers, 0)
    assert it.value.exit_code == 6
    with pytest.raises(EndedElsewhereError) as elsewhere:
        agreement._refuse_differences(answers, 1)
    assert (elsewhere.value.exit_code, elsewhere.value.is_told) == (6, True)


def test_the_first_process_tells_why_another_could_not():
    answers = [{"host": "a", "facts": {}}, {"host": "b", "why": "No such file.", "exit_code": 3}]
    with pytest.raises(EndedElsewhereError, match=r"Process 1 on b: No such file\.") as told:
        agreement._refuse_failures(answers, 0, None)
    assert (told.value.exit_code, told.value.is_told) == (3, False)


def test_a_dead_master_is_named(monkeypatch):
    monkeypatch.setenv("TORCH_CPP_LOG_LEVEL", "ERROR")
    with pytest.raises(
        LostError, match=r"no answer from localhost:1 within 1 s.*MASTER_ADDR"
    ) as it:
        meeting.connected(_place(1, 2, port=1), 1.0, is_host=False)
    assert it.value.exit_code == 8


def test_processes_meet_and_those_who_do_not_come_are_named():
    store = tcp_store("localhost", 0, 10.0, is_host=True)
    store.set("meeting", "of an earlier generation")
    store.set("begin/of an earlier generation", "of an earlier generation someone")
    found = {}

    def come(rank):
        own = tcp_store("localhost", store.port, 10.0, is_host=False)
        found[rank] = meeting.meet(own, _place(rank, 3), 20.0)

    threads = [threading.Thread(target=come, args=(rank,)) for rank in (1, 2)]
    for thread in threads:
        thread.start()
    name = meeting.meet(store, _place(0, 3), 20.0)
    for thread in threads:
        thread.join()
    assert found == {1: name, 2: name}
    with pytest.raises(LostError, match="2 of 3 processes did not come: 1 and 2"):
        meeting.meet(store, _place(0, 3), 0.2)
    with pytest.raises(LostError, match="Process 1 waited in vain"):
        meeting.meet(prefixed("elsewhere", store), _place(1, 3), 0.2)


def test_a_process_that_does_not_beat_is_missed(monkeypatch, capfd):
    codes = []
    monkeypatch.setattr(heart, "BEAT_S", 0.02)
    monkeypatch.setattr(heart.os, "_exit", codes.append)
    store = tcp_store("localhost", 0, 10.0, is_host=True)
    own, other = (tcp_store("localhost", store.port, 10.0, is_host=False) for _ in "ab")
    first, second = heart.Heart(own, 0, 2), heart.Heart(other, 1, 2)
    first.start()
    second.start()
    second.received = lambda: 15
    _until(lambda: first.asked)
    assert first.asked == 15  # a signal that another process has received
    assert not codes
    second.stop()
    _until(lambda: codes)
    first.stop()
    assert codes[0] == 8
    assert "process 1 has not been heard of" in capfd.readouterr().err


def _until(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def _place(rank, count, port=1):
    return Place(
        rank=rank, count=count, local_rank=rank, local_count=count, address="localhost", port=port
    )


def _several(rank, count):
    return SeveralRanks(_place(rank, count), Mock(spec=Store), None)
