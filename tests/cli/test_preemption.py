"""SIGTERM where nothing is trained yet, or any more: one sentence and the code of schedulers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orthogan import cli

SENTENCE = "orthogan: Preempted outside of training; nothing is lost, repeat the command.\n"

# A process that sends SIGTERM to itself when a module is imported or a function is called.
WHILE_IMPORTING = """
import os, signal, sys
from orthogan.cli import main

class Terminator:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Terminator())
sys.exit(main(["train", "--images", "32", "--run", "run", "--threads", "1"]))
"""
WHILE_LOADING = """
import os, signal, sys
from orthogan import data
from orthogan.cli import main

data.load = lambda *args, **options: os.kill(os.getpid(), signal.SIGTERM)
sys.exit(main(["train", "--images", "32", "--run", "run", "--threads", "1"]))
"""


@pytest.mark.parametrize(
    "program",
    [
        WHILE_IMPORTING.format(name="orthogan.cli.entry"),
        WHILE_IMPORTING.format(name="torch"),
        WHILE_LOADING,
    ],
    ids=["early", "torch", "data"],
)
def test_before_training_it_is_one_sentence(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.returncode, done.stdout, done.stderr) == (cli.PREEMPTED, "", SENTENCE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "classify", "language", "compare"])
def test_the_handler_is_put_back(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def run(words: list[str]) -> int:
        seen.append(signal.getsignal(signal.SIGTERM))
        return 0

    monkeypatch.setattr("orthogan.cli.entry.run", run)
    assert cli.main([command]) == cli.main(["sample", "x"]) == 0
    assert seen == [cli._leave, before]
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_train_without_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr("orthogan.cli.entry.run", lambda words: 0)
    thread = threading.Thread(target=lambda: codes.append(cli.main(["train"])))
    thread.start()
    thread.join()
    assert codes == [0]
