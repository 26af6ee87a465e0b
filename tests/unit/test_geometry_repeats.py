"""Codes among themselves, turns of whole tables, and controls that are drawn many times."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from pages import Page

from orthogan.analysis.api import analyze
from orthogan.analysis.control_draws import ControlDraws
from orthogan.analysis.motion import motion
from orthogan.embeddings import Tables
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.positions import (
    code_product,
    code_repeats,
    first_near_return,
    largest_turn,
    sinusoids,
    split_displacement,
    turns,
)
from orthogan.report import geometry_report
from orthogan.rng import normal, stream
from orthogan.statistics.student import student_quantile


@pytest.mark.parametrize(("width", "within"), [(2, 0.2), (4, 0.2), (6, 0.3), (8, 0.2)])
def test_of_sinusoids_it_is_the_first_near_return(width: int, within: float) -> None:
    codes = sinusoids(300, width)
    found = code_repeats(codes, within)
    expected = first_near_return(width, within=within, num_positions=299)
    assert found.first_return == expected
    product = code_product(torch.arange(300.0), width) / (width / 2)
    assert found.products == pytest.approx(product.tolist(), abs=1e-12)
    assert found.by_distance == pytest.approx(1.0)


def test_planted_codes_return_where_they_were_planted() -> None:
    basis = torch.eye(7)
    found = code_repeats(torch.cat([basis, basis]))
    assert found.first_return == 7
    assert found.closest in {(k, k + 7) for k in range(7)}
    assert found.closest_distance == 0.0
    assert code_repeats(basis).first_return is None
    assert code_repeats(basis).closest_distance == pytest.approx(math.sqrt(2))


def test_distance_explains_nothing_of_codes_that_do_not_stand_in_order() -> None:
    codes = sinusoids(60, 16)[torch.from_numpy(stream(0, "order").permutation(60))]
    assert code_repeats(codes).by_distance < 0.2


def test_codes_without_length_and_single_ones() -> None:
    assert code_repeats(torch.zeros(3, 2)).products == (1.0, 0.0, 0.0)
    assert code_repeats(torch.ones(1, 2)).closest is None
    with pytest.raises(ConfigError, match="'within'"):
        code_repeats(torch.eye(2), within=2.0)
    with pytest.raises(DataError, match="'codes' holds NaN"):
        code_repeats(torch.full((2, 2), math.nan))


def test_turns_are_those_of_single_codes_and_below_the_bound() -> None:
    tokens, codes = (
        normal((30, 5), stream(1, "t")).double(),
        normal((9, 5), stream(2, "c")).double(),
    )
    found = turns(tokens, codes)
    for place, code in enumerate(codes):
        assert torch.equal(found[:, place], split_displacement(tokens, code).turn)
    for i, token in enumerate(tokens):
        for t, code in enumerate(codes):
            assert found[i, t] <= largest_turn(float(token.norm()), float(code.norm())) + 1e-12
    with pytest.raises(ShapeError):
        turns(tokens, codes[:, :3])


def test_motion_names_the_largest_turn_and_its_bound() -> None:
    token, code = torch.tensor([[2.0, 0.0], [0.0, 9.0]]), torch.tensor([[-0.5, math.sqrt(0.75)]])
    found = motion(token, code)
    # cos(e, p) = -1/2 = -|p| / |e|: the bound itself.
    assert found.largest == pytest.approx(30.0, abs=1e-4)
    assert found.largest_bound == pytest.approx(30.0, abs=1e-4)
    assert found.median_length == pytest.approx(2 / math.hypot(2, 9), rel=1e-5)
    assert motion(torch.zeros(2, 2), code) is None


def test_a_control_says_where_one_more_draw_would_lie() -> None:
    tables = Tables(normal((60, 6), stream(0, "tokens")), normal((9, 6), stream(0, "codes")))
    found = analyze(tables, corrections=())
    rotated, fixed = found.control_draws["rotated"], found.control_draws["sinusoidal"]
    shares = [count.flips / count.pairs for count in rotated.counts]
    assert len(set(shares)) > 5
    reach = student_quantile(0.95, 19) * statistics.stdev(shares) * math.sqrt(1 + 1 / 20)
    mean = statistics.fmean(shares)
    assert rotated.interval == pytest.approx((max(0.0, mean - reach), min(1.0, mean + reach)))
    assert fixed.interval is None
    assert ControlDraws(rotated.counts[:1]).interval is None
    tree = found.to_dict()["controls"]["rotated"]
    assert (tree["draws"], tree["flips"]) == (20, rotated.counts[0].flips)
    inside = sum(rotated.interval[0] <= share <= rotated.interval[1] for share in shares)
    assert inside >= 18


def test_the_verdict_compares_with_all_draws() -> None:
    # Codes along the difference of every two tokens flip more than any rotation of them.
    tokens = torch.eye(12)
    codes = 0.8 * (tokens[1:] - tokens[:-1]) / math.sqrt(2)
    text = Page(geometry_report(analyze(Tables(tokens, codes), corrections=()))).text
    assert "more than any control" in text
    assert "one more draw" in text


def test_the_words_are_explained_before_they_are_used() -> None:
    tables = Tables(torch.eye(6), 0.1 * torch.ones(4, 6))
    page = Page(geometry_report(analyze(tables, corrections=())))
    assert page.sections[0] == "words"
    explained = page.text[page.text.index("What do the words mean?") :].partition("What was read?")
    for word in ("Token", "Positional encoding", "Pair", "Identity", "Margin"):
        assert word in explained[0]
    assert "There are 6 x 4 of them" in explained[0]


def test_places_of_an_image_are_drawn_as_a_grid() -> None:
    tokens = torch.tensor([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0]])
    codes = torch.zeros(7, 2)
    codes[1 + 4] = torch.tensor([0.9, 0.0])  # of a class token and 2 x 3 places: row 1, column 1
    tables = Tables(tokens, codes, grid=(2, 3), sample="two images")
    page = Page(geometry_report(analyze(tables, corrections=())))
    assert "All of them at row 1, column 1." in page.text
    heats = [found for tag, found in page.tags if tag == "table" and found.get("class") == "heat"]
    assert len(heats) >= 3  # flips, lengths, cosines
    assert not [found for _, found in page.tags if found.get("id") == "flips-by-position"]
    assert "a sample of 3 tokens (from two images)" in page.text
    assert "change identity" in page.text
    assert "of this sample" in page.text
    with pytest.raises(ShapeError, match="grid of 3 x 3 places"):
        Tables(tokens, codes, grid=(3, 3))


def test_a_code_longer_than_its_token_may_turn_it_by_any_angle() -> None:
    tables = Tables(torch.eye(3), torch.tensor([[-2.0, 0.1, 0.0]]))
    text = Page(geometry_report(analyze(tables, corrections=()))).text
    assert "longer than the token, and can turn it by any angle" in text
    assert "arcsin" not in text


def test_nothing_is_recommended_where_nothing_flips() -> None:
    calm = analyze(Tables(100 * torch.eye(6), 0.01 * torch.ones(4, 6)), within=0.01)
    assert (calm.flip_count.flips, calm.recommendation) == (0, None)
    sections = Page(geometry_report(calm)).sections
    assert not {"repairs", "allowances"} & set(sections)
