"""A run that is asked to stop by a file in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from disturbances import at_step, final_bits

from orthogan.errors import StorageError
from orthogan.training import session
from orthogan.training.stop_request import ask_to_stop, is_asked_to_stop, withdraw_stop


def test_a_run_stops_saves_and_goes_on_to_the_same_bits(
    train_tiny, whole: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOOK_FOR_STOP_EVERY_S", 0.0)
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(patch, 7, lambda _: ask_to_stop(path))
        run = train_tiny(path)
    assert (run.status, run.images_seen) == ("interrupted", 7 * 16)
    assert not is_asked_to_stop(path)
    assert train_tiny(path).status == "done"
    assert final_bits(path) == whole


def test_a_wish_of_before_stops_nothing(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOOK_FOR_STOP_EVERY_S", 0.0)
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(patch, 3, lambda _: ask_to_stop(path))
        train_tiny(path)
    ask_to_stop(path)
    assert train_tiny(path).status == "done"
    assert not is_asked_to_stop(path)


def test_where_no_wish_can_be_left_is_said(tmp_path: Path) -> None:
    assert not withdraw_stop(tmp_path)
    with pytest.raises(StorageError, match="gone"):
        ask_to_stop(tmp_path / "gone")
