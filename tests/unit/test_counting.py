"""The countdown of a long count."""

import pytest

from orthogan.cli import counting
from orthogan.training.progress import ProgressDisplay


class Screen(ProgressDisplay):
    def __init__(self):
        super().__init__("counting", show=False)
        self.shown = []

    def advance(self, share, pace, numbers=""):
        self.shown.append((share, pace))


@pytest.fixture
def clock(monkeypatch):
    times = [0.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: times[0])
    return times


def test_a_long_count_shows_its_share_and_the_time_left(clock):
    screen = Screen()
    countdown = counting.Countdown(screen)
    clock[0] = 10.0
    countdown.advance(1, 4)
    clock[0] = 40.0
    countdown.advance(4, 4)
    clock[0] = 45.0  # the next count began when the last one ended
    countdown.advance(2, 4)
    assert screen.shown == [(0.25, "30 s left"), (1.0, "0 s left"), (0.5, "5 s left")]


def test_short_counts_and_announcements_start_anew(clock, capsys):
    screen = Screen()
    countdown = counting.Countdown(screen)
    clock[0] = 1.0
    countdown.advance(1, 2)
    clock[0] = 30.0
    countdown.announce("counting again")
    clock[0] = 31.0
    countdown.advance(1, 2)
    assert screen.shown == []
    assert capsys.readouterr().err == "counting again\n"
