"""What a person sees: a live bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import io
import re
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from orthogan.training import progress
from orthogan.training.duration import duration
from orthogan.training.progress import PLAIN_EVERY_S, ProgressDisplay


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


PACE = "59 min 59 s left  9,999,999 images  99,999/s"
NUMBERS = "loss D 0.693 G 0.693  penalty 1.2e-05  fd 35.6 (real images: 0.046)"


def screen_of(
    monkeypatch: pytest.MonkeyPatch, title: str = "run", width: int = 80, **options: Any
) -> tuple[ProgressDisplay, io.StringIO]:
    screen = io.StringIO()
    terminal = partial(Console, file=screen, force_terminal=True, width=width, **options)
    monkeypatch.setattr(progress, "Console", terminal)
    return ProgressDisplay(title), screen


def lines_on(screen: io.StringIO) -> list[str]:
    """What the last refresh drew, without escape sequences."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    return [line for line in plain.replace("\r", "\n").split("\n") if line.strip()]


def test_a_terminal_gets_a_live_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    display, screen = screen_of(monkeypatch, "run[bold]", width=90)
    with display:
        assert display.live
        display.advance(0.25, "64 images [dim]", "loss [red]")
        display._bar.refresh()
        display.note("Resuming.")
        display.advance(0.5, "128 images")
    shown = screen.getvalue()
    assert "run[bold]" in shown
    assert "loss [red]" in shown
    assert "Resuming." in shown
    assert "128 images" in shown
    assert "50%" in shown
    assert shown.endswith("\x1b[2K")  # the lines are cleared at the end


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("title", ["x", "mnist-attention-gan-0", "a-very-long-name-" * 4])
def test_everything_fits_and_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, width: int, title: str
) -> None:
    display, screen = screen_of(monkeypatch, title, width)
    with display:
        display.advance(0.07, "1 s left  32 images  8/s", "loss D 0.6")
        early = lines_on(screen)
        display.advance(1.0, PACE, NUMBERS)
        display._bar.refresh()
        late = lines_on(screen)[-2:]
    assert max(map(len, (*early, *late))) <= width
    assert late[0].endswith(f"100%  {PACE}")
    assert late[1].rstrip() == NUMBERS
    assert early[0].index("%") == late[0].index("%")


def test_the_bar_is_short_of_colours_where_none_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for wish, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", wish)
        monkeypatch.setenv("TERM", "xterm-256color")
        display, screen = screen_of(monkeypatch, color_system="256")
        with display:
            display.advance(0.5, PACE, NUMBERS)
        assert (re.search(r"\x1b\[[0-9;]*[39][0-9]m", screen.getvalue()) is not None) == coloured


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    display, screen = screen_of(monkeypatch)
    with display:
        display.advance(0.5, PACE, NUMBERS)
    assert not display.live
    assert screen.getvalue() == ""
    assert capsys.readouterr().err == f" 50%  {PACE}  {NUMBERS}\n"


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
