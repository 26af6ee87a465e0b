"""What a person sees: a live line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import io
from functools import partial
from types import SimpleNamespace

import pytest
from rich.console import Console

from orthogan.training import progress
from orthogan.training.progress import PLAIN_EVERY_S, ProgressDisplay, duration


def test_plain_lines_are_few_and_go_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = SimpleNamespace(s=50.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now.s))
    with ProgressDisplay("run") as display:
        for step in range(5):
            display.advance(step / 8, f"{step} images")
            now.s += PLAIN_EVERY_S / 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "  0%  0 images\n 25%  2 images\n 50%  4 images\n"


def test_nothing_is_shown_if_nobody_wants_to_see(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay("run", show=False) as display:
        display.advance(0.5, "facts")
        display.note("A sentence.")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_a_note_stays_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "fd[digits-cls@1a2b3c] 3.2 " + "and so on " * 40
    with ProgressDisplay("run") as display:
        display.note(sentence)
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_terminal_gets_one_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", partial(Console, file=screen, force_terminal=True, width=90)
    )
    with ProgressDisplay("run[bold]") as display:
        assert display.live
        display.advance(0.25, "64 images [dim]")
        display.note("Resuming.")
        display.advance(0.5, "128 images")
    shown = screen.getvalue()
    assert "run[bold]" in shown
    assert "Resuming." in shown
    assert "128 images" in shown
    assert "50%" in shown
    assert shown.endswith("\x1b[2K")  # the line is cleared at the end


def test_an_error_still_puts_the_terminal_right(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", partial(Console, file=screen, force_terminal=True, width=90)
    )
    with pytest.raises(ValueError, match="odd"), ProgressDisplay("run"):
        raise ValueError("odd")
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is shown again


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (90_000.0, "25 h 0 min"),
    ],
)
def test_durations_are_rounded_before_they_are_split(seconds: float, words: str) -> None:
    assert duration(seconds) == words
