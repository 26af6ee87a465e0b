"""Results on stdout: rich on a terminal, plain elsewhere, NO_COLOR respected."""

from __future__ import annotations

import json
import os
import sys

import pytest

from orthogan.cli import output


def test_a_plain_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_table(["name", "n"], [["a", "10"], ["longer", "2"]])
    assert capsys.readouterr().out == "name    n\na       10\nlonger  2\n"


def test_a_terminal_gets_a_drawn_table_without_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    output.show_table(["name"], [["fd[digits]"]])
    printed = capsys.readouterr().out
    assert "fd[digits]" in printed
    assert len(printed.splitlines()) > 3
    assert "\x1b[3" not in printed


def test_json_has_no_numbers_that_are_not_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"a": [float("nan"), 1.0], "b": (float("-inf"),), 3: os})
    tree = json.loads(capsys.readouterr().out)
    assert tree["a"] == [None, 1.0]
    assert tree["b"] == [None]
    assert tree["3"].startswith("<module")
