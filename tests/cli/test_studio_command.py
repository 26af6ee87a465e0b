"""`orthogan studio` where it cannot be opened: one sentence, and the exit code."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from orthogan.cli import main
from orthogan.studio.serving import LOOPBACK


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["studio", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told == f"orthogan: This needs {package}: pip install 'orthogan[studio]'.\n"


def test_a_folder_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["studio", str(tmp_path / "gone")]) == 3
    assert "gone: does not exist; name the folder that holds the runs." in capsys.readouterr().err


def test_data_that_are_not_there_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["studio", str(tmp_path), "--data", "mnits"]) == 3
    assert "Did you mean 'mnist'?" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["studio", str(tmp_path), "--port", str(port)]) == 2
    assert f"Port {port} is in use, perhaps by another studio" in capsys.readouterr().err
