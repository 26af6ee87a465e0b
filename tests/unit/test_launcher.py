"""Processes that are launched, lost and started again."""

from __future__ import annotations

import pytest
from launched import fail_once

from orthogan.errors import ConfigError
from orthogan.parallel import launcher
from orthogan.parallel.lost import LostError


def test_lost_processes_are_started_again(tmp_path):
    """And what the first one leaves is its exit code and what it wrote."""
    answer = launcher.launch(fail_once, [str(tmp_path)], 2)
    assert answer == {"code": 4, "output": "rank 0 of 2\n"}
    assert {path.name for path in tmp_path.iterdir()} >= {"1-0", "0-1", "1-1"}


def test_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(launcher, "MOST_RESTARTS", 0)
    with pytest.raises(LostError, match=r"lost 1 times \(exit code [89]\)"):
        launcher.launch(fail_once, [str(tmp_path)], 2)


def test_there_is_at_least_one():
    with pytest.raises(ConfigError, match=r"processes lie in 1\.\.1024, got 0"):
        launcher.launch(fail_once, [], 0)
