import json

import pytest
import torch

from orthogan.errors import ConfigError, ShapeError
from orthogan.geometry.collapse.decomposition import (
    CollapseSums,
    two_collapses,
    two_collapses_of_batches,
)
from orthogan.geometry.collapse.fake_to_real import collapse_ratio
from orthogan.geometry.collapse.readings import CollapseReading, collapse_reading, learn_threshold
from orthogan.rng import stream


def cloud(*shape, seed=0):
    return torch.from_numpy(stream(seed, "cloud").standard_normal(shape))


def verdicts(states):
    return [reading.verdict for reading in two_collapses(states).readings()]


def test_planted_collapses_are_read_and_independent_states_are_not():
    assert verdicts(cloud(1, 5, 3).expand(8, -1, -1)) == ["collapsed", "healthy"]
    assert verdicts(cloud(8, 1, 3).expand(-1, 5, -1)) == ["healthy", "collapsed"]
    assert verdicts(cloud(8, 5, 3)) == ["healthy", "healthy"]
    assert verdicts(torch.full((8, 5, 3), 0.1)) == ["collapsed", "collapsed"]


def test_readings_grow_with_the_planted_collapse():
    def mode(strength):
        return two_collapses(cloud(8, 5, 3) + strength * cloud(1, 5, 3, seed=1)).position

    assert mode(0) < mode(1) < mode(10) < 1


def test_independent_states_have_the_null_shares():
    found = two_collapses(cloud(12, 9, 4000))
    for share, null in zip(found.shares, found.null_shares, strict=True):
        assert share == pytest.approx(null, rel=0.05)
    assert found.null_shares == (8 / 107, 11 / 107, 88 / 107)


def test_each_reading_stands_beside_the_null_of_its_own_share():
    mode, rank = two_collapses(cloud(12, 4, 3)).readings()
    assert (mode.null, rank.null) == (3 / 47, 11 / 47)
    assert (mode.threshold, rank.threshold) == (25 / 47, 29 / 47)


def test_one_image_or_one_token_cannot_tell():
    one_image, one_token = two_collapses(cloud(1, 5, 3)), two_collapses(cloud(5, 1, 3))
    assert one_image.position == 1
    assert one_image.readings()[0].verdict == "undecided"
    assert one_token.context == 1
    assert one_token.readings()[1].verdict == "undecided"
    assert "one token cannot tell" in str(one_token.readings()[1])
    with pytest.raises(ShapeError, match="at least 2 states to vary, got 1"):
        two_collapses(cloud(1, 1, 3))


def test_no_batch_and_other_batches_are_refused():
    with pytest.raises(ShapeError, match="at least one batch of states, got none"):
        two_collapses_of_batches([])
    with pytest.raises(ShapeError, match=r"of the batches before, \(4, 3\), got \(5, 3\)"):
        CollapseSums().add(cloud(2, 4, 3)).add(cloud(2, 5, 3))


def test_a_large_common_offset_does_not_drown_the_parts():
    states = cloud(30, 5, 3)
    moved = two_collapses_of_batches((states + 1e8).split(7))
    assert moved.shares == pytest.approx(two_collapses(states).shares, rel=1e-6)


def test_ratio_of_fake_to_real_warns_of_both_collapses():
    real = two_collapses(cloud(30, 6, 4) + cloud(1, 6, 4, seed=1))
    alike = collapse_ratio(two_collapses(cloud(1, 6, 4).expand(30, -1, -1)), real)
    assert alike.variation == 0
    assert [one.verdict for one in alike.readings()] == ["collapsed", "healthy"]
    flat = collapse_ratio(two_collapses(cloud(30, 1, 4).expand(-1, 6, -1)), real)
    assert flat.detail == 0
    assert [one.verdict for one in flat.readings()] == ["healthy", "collapsed"]
    assert [one.verdict for one in alike.readings(threshold=2.0)] == ["undecided"] * 2
    faint = collapse_ratio(two_collapses(0.5 * cloud(30, 6, 4)), real)
    assert {one.verdict for one in faint.readings(threshold=1e-9)} == {"healthy"}
    assert {one.verdict for one in faint.readings()} == {"collapsed"}
    shrunk = collapse_ratio(two_collapses(0.1 * cloud(30, 6, 4)), two_collapses(cloud(30, 6, 4)))
    assert shrunk.energy == pytest.approx((0.01,) * 3)
    assert shrunk.share == pytest.approx((1,) * 3)


def test_ratios_to_parts_that_do_not_exist_are_none():
    flat = two_collapses(cloud(4, 1, 3).expand(-1, 5, -1))
    found = collapse_ratio(two_collapses(cloud(4, 5, 3)), flat)
    assert (found.energy[0], found.energy[2]) == (None, None)
    assert "position - (- in share)" in str(found)
    nothing = two_collapses(torch.zeros(4, 5, 3))
    assert collapse_ratio(nothing, nothing).readings() == ()
    with pytest.raises(ShapeError, match=r"same tokens and width, got \(5, 3\) and \(4, 3\)"):
        collapse_ratio(flat, two_collapses(cloud(4, 4, 3)))


def test_results_print_and_are_json():
    found = two_collapses(cloud(3, 2, 5))
    assert str(found).startswith("3 images x 2 tokens: position ")
    records = (
        found,
        collapse_ratio(found, found),
        *found.readings(),
        learn_threshold([0.0], [1.0]),
    )
    for record in records:
        json.dumps(record.to_dict(), allow_nan=False)
        assert "\n" not in str(record)
    assert found.to_dict()["null"]["position"] == 1 / 5
    assert str(found.readings()[0]).startswith("mode collapse 0.")


def test_a_reading_is_collapsed_at_its_threshold_and_beyond():
    def verdict(value, **options):
        return collapse_reading("x", value, **options).verdict

    assert [verdict(v, threshold=0.5) for v in (0.4, 0.5, 0.6)] == [
        "healthy",
        "collapsed",
        "collapsed",
    ]
    assert [verdict(v, threshold=0.5, collapse_is_high=False) for v in (0.4, 0.6)] == [
        "collapsed",
        "healthy",
    ]
    assert verdict(0.7) == "undecided"
    assert verdict(0.7, null=0.9, threshold=0.5) == "undecided"
    with pytest.raises(ConfigError, match="'x' must be finite, got nan"):
        verdict(float("nan"))


def test_a_reading_prints_what_it_stands_on():
    reading = CollapseReading("x", 0.25, 1.0, 0.5, "collapsed", False, "why")
    assert str(reading) == "x 0.25, null 1, collapse below 0.5: collapsed; why"
    assert str(collapse_reading("x", 2.0)) == "x 2: undecided"


def test_a_threshold_separates_what_can_be_separated():
    found = learn_threshold([0.1, 0.2, 0.6], [0.5, 0.8, 0.9])
    assert found.threshold == pytest.approx(0.35)  # as good as 0.7, and in a wider gap
    assert found.caught - found.false_alarms == pytest.approx(2 / 3)
    low = learn_threshold([5.0, 6.0], [1.0, 2.0], collapse_is_high=False)
    assert (low.threshold, low.caught, low.false_alarms) == (3.5, 1, 0)
    assert str(low) == "collapse below 3.5: catches 100%, false alarms 0%"
    assert collapse_reading("x", 2.0, threshold=3.5, collapse_is_high=False).verdict == "collapsed"


@pytest.mark.parametrize(
    ("healthy", "failed", "message"),
    [
        ([], [1.0], "at least one healthy and one failed"),
        ([1.0], [], "at least one healthy and one failed"),
        ([1.0], [float("inf")], "must be finite"),
        ([1.0], [1.0], "do not lie on the side"),
        ([2.0], [1.0], "do not lie on the side"),
    ],
)
def test_thresholds_that_cannot_be_learned_are_refused(healthy, failed, message):
    with pytest.raises(ConfigError, match=message):
        learn_threshold(healthy, failed)
