"""The command that was typed, to be typed again."""

from __future__ import annotations

import shlex

import pytest
import typer

from orthogan.cli.app import app
from orthogan.cli.command_line import command_line


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("words --limit 4", None),
        ("'my model' --out 'a b.html' --json", None),
        ("--limit 4 -- '-x y'", None),
        ("--json --limit 4 words", "words --limit 4 --json"),
    ],
)
def test_it_can_be_typed_again(typed: str, told: str | None) -> None:
    command = typer.main.get_command(app).commands["geometry"]
    with command.make_context("geometry", shlex.split(typed)) as context:
        assert command_line(context) == f"geometry {typed if told is None else told}"
    with command.make_context("geometry", shlex.split(command_line(context))[1:]) as again:
        assert again.params == context.params


def test_what_can_be_repeated_is_told_as_often() -> None:
    command = typer.main.get_command(app).commands["train"]
    with command.make_context("train", ["--set", "a=1", "--set", "b='x y'"]) as context:
        assert shlex.split(command_line(context)) == ["train", "--set", "a=1", "--set", "b='x y'"]
