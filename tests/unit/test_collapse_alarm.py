"""The alarm rings once for a collapse that lasts, and not before."""

from __future__ import annotations

import pytest

from orthogan.gan.collapse_alarm import PATIENCE, SIGNS, THRESHOLD, CollapseAlarm

HEALTHY = dict.fromkeys(SIGNS, 0.4)


@pytest.mark.parametrize("sign", list(SIGNS))
def test_a_complete_collapse_is_told_once_after_the_patience(sign: str) -> None:
    alarm = CollapseAlarm()
    for _ in range(PATIENCE - 1):
        assert alarm.update(HEALTHY | {sign: 1.0}) == []
    (told,) = alarm.update(HEALTHY | {sign: 1.0})
    assert told.startswith(sign.removeprefix("generator_").removeprefix("discriminator_")[:4])
    assert "100%" in told
    assert [alarm.update(HEALTHY | {sign: 1.0}) for _ in range(5)] == [[]] * 5


def test_a_collapse_that_comes_back_is_told_again() -> None:
    alarm = CollapseAlarm()
    rings = [len(alarm.update({"mode_collapse": value})) for value in (1, 1, 0, 1, 1, 1)]
    assert rings == [0, 1, 0, 0, 1, 0]


@pytest.mark.parametrize("value", [0.0, THRESHOLD - 0.01, None])
def test_other_readings_never_ring(value: float | None) -> None:
    alarm = CollapseAlarm()
    for _ in range(3 * PATIENCE):
        assert alarm.update(dict.fromkeys(SIGNS, value)) == []
    assert alarm.update({"unreadable": "'states' holds NaN"}) == []


def test_state_makes_the_same_alarm_again() -> None:
    alarm = CollapseAlarm()
    alarm.update({"mode_collapse": 1.0})
    again = CollapseAlarm(**alarm.state())
    assert again.state() == alarm.state()
    assert again.update({"mode_collapse": 1.0}) == alarm.update({"mode_collapse": 1.0}) != []
