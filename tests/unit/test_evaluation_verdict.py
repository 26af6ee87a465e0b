"""The sentence at the end: every threshold from both sides, and what is said first."""

from __future__ import annotations

import pytest

from orthogan.evaluation import Score
from orthogan.evaluation.groups import Group
from orthogan.evaluation.traits import Shift
from orthogan.evaluation.verdict import Findings, verdict


def score(value: float, floor: float = 1.0, low: float | None = None) -> Score:
    return Score(value, value if low is None else low, value, floor, 1000)


GOOD = {
    "precision": score(0.9, 0.9),
    "recall": score(0.9, 0.9),
    "coverage": score(0.9, 0.9),
    "memorised": score(0.01, 0.0),
    "repeated": score(0.01, 0.0),
}


def said(changes: dict[str, Score], groups: tuple[Group, ...] = (), **shifts: float) -> str:
    """The verdict on good scores with some changed, and on shifts of these sizes."""
    found = [Shift(word, word, (1 + size) / 2) for word, size in shifts.items()]
    return verdict(Findings(GOOD | changes, groups, found, spread=0.01))


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, "Usable: 90% of the images look like the data, they reach 90% of it, and"),
        ({"coverage": score(0.481, 0.8)}, "Usable"),
        ({"coverage": score(0.479, 0.8)}, "Short of variety: the images cover 48%"),
        ({"coverage": score(0.081, 0.8)}, "Short of variety: the images cover 8%"),
        ({"coverage": score(0.079, 0.8)}, "Collapsed: the images cover 7.9% of the data"),
        ({"coverage": score(0.079, 0.8), "precision": score(0.641, 0.8)}, "Collapsed"),
        ({"coverage": score(0.079, 0.8), "precision": score(0.639, 0.8)}, "Not realistic: 64%"),
        ({"precision": score(0.639, 0.8)}, "Not realistic"),
        ({"recall": score(0.401, 0.8)}, "Usable"),
        ({"recall": score(0.399, 0.8)}, "Short of variety: the images reach 40% of the data"),
        ({"memorised": score(0.2, 0.0, low=0.051)}, "Memorising: 20% of the images"),
        ({"memorised": score(0.2, 0.0, low=0.049)}, "Usable"),
        ({"repeated": score(0.6, 0.0, low=0.51)}, "Collapsed: 60% of the images come again"),
        ({"repeated": score(0.6, 0.0, low=0.49)}, "Usable"),
        ({"modes": score(989.0, 1000.0)}, "Short of classes: 989 of 1000"),
        ({"modes": score(991.0, 1000.0)}, "Usable"),
    ],
)
def test_every_threshold_is_met_from_both_sides(changes: dict[str, Score], start: str) -> None:
    assert said(changes).startswith(start)


def test_fewer_that_look_like_the_data_are_said_even_where_usable() -> None:
    # The standard error of the difference of two such fractions of 1000 is 0.014.
    assert "Of real images" not in said({"precision": score(0.861, 0.9)})
    assert said({"precision": score(0.85, 0.9)}).endswith("Of real images 90% look like the data.")
    assert "Of real images" not in said({"precision": score(0.975, 1.0)})


def test_a_large_shift_is_not_realistic_and_a_small_one_is_said() -> None:
    assert said({}, noisy=0.61).startswith("Not realistic: beside real images they are noisy (80%")
    usable = said({}, blurred=0.59, faded=0.13, red=0.4)
    assert usable.startswith("Usable")
    assert "; but beside real ones they are blurred and faded" in usable
    assert "beside" not in said({}, blurred=0.119)
    # By chance: four standard errors are more than the size.
    loud = Findings(GOOD, (), [Shift("blurred", "blurred", 0.9)], spread=0.21)
    assert verdict(loud).endswith("not copies.")


def test_blurred_images_are_near_one_another_and_not_called_repeated() -> None:
    repeated = {"repeated": score(0.9, 0.0, low=0.8)}
    assert said(repeated, blurred=0.9).startswith("Not realistic")
    assert said(repeated, blurred=0.5).startswith("Collapsed")


def test_spoilt_images_that_differ_are_not_called_collapsed() -> None:
    """Noise may take all images to one place of feature space, and one image is too dark."""
    far = {"coverage": score(0.04, 0.9)}
    assert said(far, noisy=0.9).startswith("Not realistic")
    assert said(far | {"repeated": score(0.9, 0.0, low=0.8)}, dark=0.9).startswith("Collapsed")
    assert said(far, dark=0.5).startswith("Collapsed")


def test_copies_come_again_as_they_are_drawn_and_are_called_copies() -> None:
    repeated = {"repeated": score(0.6, 0.0, low=0.55)}
    assert said(repeated | {"memorised": score(0.9, 0.0, low=0.8)}).startswith("Memorising")
    assert said(repeated | {"memorised": score(0.2, 0.0, low=0.1)}).startswith("Collapsed")


def test_strongly_blurred_images_are_called_copies_only_if_most_are() -> None:
    some = {"memorised": score(0.3, 0.0, low=0.2)}
    assert said(some, blurred=0.9).startswith("Not realistic: beside real images they are blurred")
    assert said(some, blurred=0.3).startswith("Memorising")


def test_what_is_memorised_may_be_noisy_as_well() -> None:
    copies = said({"memorised": score(0.9, 0.0, low=0.8)}, noisy=0.9)
    assert copies.startswith("Memorising: 90%")
    assert copies.endswith("; beside real ones they are noisy.")


def part(share: float, certain: bool = True, name: str = "class bag", real: float = 0.1) -> Group:
    return Group(name, share, real, (1, 2) if name.startswith("group") else (), certain)


def test_parts_are_short_below_six_tenths_of_their_share() -> None:
    short = said({}, (part(0.059), part(0.3, name="class boot")))
    assert short == "Short of classes: class bag (5.9% instead of 10.0%)."
    assert said({}, (part(0.059, certain=False),)).endswith("not copies.")
    assert said({}, (part(0.0, name="group 3"),)).startswith("Short of groups: group 3 (0.0%")
    few = said({}, (part(0.061),))
    assert few.startswith("Usable")
    assert few.endswith("Class bag is met too little: 6.1% instead of 10.0%.")
    many = said({}, (part(0.3, name="group 2"),))
    assert many.endswith("Group 2 is met too much: 30.0% instead of 10.0%.")


@pytest.mark.parametrize(("real", "start"), [(0.0009, "Usable"), (0.0011, "Short of classes")])
def test_classes_rarer_than_one_in_a_thousand_are_not_missed(real: float, start: str) -> None:
    assert said({}, (part(0.0, real=real),)).startswith(start)


def test_the_gravest_problem_is_named_first() -> None:
    bad = {
        "coverage": score(0.05, 0.95),
        "memorised": score(0.6, 0.0),
        "recall": score(0.1, 0.9),
    }
    assert said(bad).startswith("Collapsed")
    assert said(bad | {"coverage": score(0.9, 0.95)}, noisy=0.9).startswith("Memorising")
    later = bad | {"coverage": score(0.9, 0.95), "memorised": score(0.0, 0.0)}
    assert said(later, noisy=0.9).startswith("Not realistic: beside")
    assert said(later, (part(0.0),)).startswith("Short of classes")
    assert said(later, noisy=0.2).endswith("(real images: 90%); beside real ones they are noisy.")


def test_what_was_not_measured_is_not_called_usable() -> None:
    found = Findings({"precision": score(0.9, 0.9)})
    assert verdict(found).startswith("No verdict: recall, coverage, memorised not measured")


def test_an_extractor_of_other_images_gives_no_verdict() -> None:
    found = verdict(Findings(GOOD, stranger="handwritten digits"))
    assert found.startswith("No verdict: the extractor knows handwritten digits only")
