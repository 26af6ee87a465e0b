"""The alarm rings once for a sign that lasts, and not before."""

from __future__ import annotations

import math

import pytest

from orthogan.gan.watch.alarm import Alarm
from orthogan.gan.watch.detectors import GEOMETRY, STEPS, Detector

LATE = 10_000  # steps
ALL = [*GEOMETRY, *STEPS]
IDS = [detector.key for detector in ALL]


def beyond(detector: Detector, by: float = 1e-13) -> float:
    return detector.threshold + (-by if detector.is_below else by)


@pytest.mark.parametrize("detector", ALL, ids=IDS)
def test_a_sign_is_told_once_after_the_patience(detector: Detector) -> None:
    alarm = Alarm([detector])
    sick = {detector.sign: beyond(detector)}
    for looks in range(1, detector.patience):
        assert alarm.update(sick, LATE) == []
        assert alarm.looks == {detector.key: looks}
        assert alarm.is_suspicious is detector.is_collapse
        assert alarm.lasting == []
    (found,) = alarm.update(sick, LATE)
    assert found.detector is detector
    assert found.sentence.startswith(f"{detector.name}: ")
    assert "{" not in found.sentence
    assert alarm.lasting == [detector]
    assert [alarm.update(sick, LATE) for _ in range(5)] == [[]] * 5


@pytest.mark.parametrize("detector", ALL, ids=IDS)
def test_values_on_the_healthy_side_never_ring(detector: Detector) -> None:
    alarm = Alarm([detector])
    for value in (detector.threshold, 2 * detector.threshold - beyond(detector), math.nan):
        for _ in range(3 * detector.patience):
            assert alarm.update({detector.sign: value}, LATE) == []
        assert not alarm.is_suspicious


@pytest.mark.parametrize("detector", ALL, ids=IDS)
def test_nothing_counts_before_its_time(detector: Detector) -> None:
    alarm, sick = Alarm([detector]), {detector.sign: beyond(detector)}
    for _ in range(2 * detector.patience):
        assert alarm.update(sick, detector.since) == []
    assert alarm.looks == {detector.key: 0}
    rings = [len(alarm.update(sick, detector.since + 1)) for _ in range(detector.patience)]
    assert sum(rings) == 1


def test_a_collapse_that_comes_back_is_told_again() -> None:
    alarm = Alarm(GEOMETRY)
    rings = [
        len(alarm.update({"mode_collapse": value}, LATE)) for value in (1.0, 1.0, 0.0, 1.0, 1.0)
    ]
    assert rings == [0, 1, 0, 0, 1]


def test_a_look_without_a_sign_leaves_its_count() -> None:
    alarm = Alarm(STEPS)
    alarm.update({"overfitting": 0.99}, LATE)
    for _ in range(5):
        assert alarm.update({"win": 0.5}, LATE) == []
    assert alarm.looks["overfitting"] == 1
    assert len(alarm.update({"overfitting": 0.99}, LATE)) == 1


def test_one_sign_may_be_bad_in_both_directions() -> None:
    alarm = Alarm(STEPS)
    for _ in range(2):
        alarm.update({"win": 0.0}, LATE)
    assert (alarm.looks["win_low"], alarm.looks["win"]) == (2, 0)
    alarm.update({"win": 1.0}, LATE)
    assert (alarm.looks["win_low"], alarm.looks["win"]) == (0, 1)


def test_every_row_has_a_key_of_its_own() -> None:
    assert len(set(IDS)) == len(IDS)


def test_state_makes_the_same_alarm_again() -> None:
    alarm = Alarm(GEOMETRY)
    alarm.update({"mode_collapse": 1.0}, LATE)
    again = Alarm(GEOMETRY, **alarm.state())
    assert again.state() == alarm.state()
    assert (
        again.update({"mode_collapse": 1.0}, LATE)
        == alarm.update({"mode_collapse": 1.0}, LATE)
        != []
    )


def test_counts_of_a_version_with_fewer_signs_are_read() -> None:
    alarm = Alarm(GEOMETRY, {"mode_collapse": 1})
    assert alarm.looks["mode_collapse"] == 1
    assert alarm.looks["generator_rank_collapse"] == 0
