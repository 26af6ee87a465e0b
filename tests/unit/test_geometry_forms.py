import json
import math

import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.heads.entropy import (
    EntropyState,
    attention_entropy,
    entropy_bound,
    entropy_reading,
    entropy_state,
    extremal_logits,
    largest_share,
)
from orthogan.geometry.heads.forms import head_forms, keys_from_values, misalignment
from orthogan.geometry.heads.keys import analyze_heads
from orthogan.geometry.heads.logits import TERMS, cross_terms_vanish, four_terms
from orthogan.geometry.heads.tied import previous_token, reversible_chain
from orthogan.rng import stream

EYE = torch.eye(2, dtype=torch.float64)


def cloud(*shape, seed=0):
    return torch.from_numpy(stream(seed, "cloud").standard_normal(shape))


def head(form, **options):
    return analyze_heads(form[None], torch.eye(len(form))[None], **options).heads[0]


@pytest.mark.parametrize(
    ("diagonal", "signature"),
    [
        ([1.0, 2.0], "positive definite"),
        ([1.0, 0.0], "positive semi-definite"),
        ([-1.0, -2.0], "negative definite"),
        ([-1.0, 0.0], "negative semi-definite"),
        ([1.0, -2.0], "indefinite"),
        ([0.0, 0.0], "zero"),
    ],
)
def test_signatures(diagonal, signature):
    found = head(torch.diag(torch.tensor(diagonal)))
    assert found.signature == signature
    assert found.positive == sum(one > 0 for one in diagonal)
    assert found.negative == sum(one < 0 for one in diagonal)
    assert found.rank == sum(one != 0 for one in diagonal)
    assert found.is_change_of_basis == (signature == "positive definite")


def test_a_turn_is_all_direction():
    found = head(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    assert (found.symmetric, found.antisymmetric, found.tied_defect) == (0, 1, 1)
    assert found.signature == "zero"
    leaning = head(torch.tensor([[2.0, 1.0], [-1.0, 2.0]]))
    assert leaning.signature == "positive definite"
    assert not leaning.is_change_of_basis


def test_repulsion_cannot_be_tied():
    assert head(torch.diag(torch.tensor([1.0, -1.0]))).tied_defect == 0.5
    assert head(-EYE).tied_defect == 1


def test_every_optional_input_adds_its_column():
    query, key = cloud(2, 4, 3), cloud(2, 4, 3, seed=1)
    plain = analyze_heads(query, key)
    assert [(one.value_defect, one.whitening_defect) for one in plain.heads] == [(None, None)] * 2
    full = analyze_heads(query, key, value=cloud(2, 4, 2, seed=2), covariance=torch.eye(4))
    assert all(0 < one.value_defect < 1 and 0 < one.whitening_defect <= 1 for one in full.heads)
    square = analyze_heads(query, key, value=cloud(2, 4, 4, seed=2))
    assert all(one.value_defect == pytest.approx(0, abs=1e-20) for one in square.heads)


def test_heads_print_as_a_table_and_are_json():
    found = analyze_heads(cloud(3, 5, 2), cloud(3, 5, 2, seed=1))
    lines = str(found).splitlines()
    assert len(lines) == 4
    assert lines[0].split()[0] == "head"
    assert lines[3].split()[0] == "2"
    assert lines[1].endswith("indefinite")
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [one["head"] for one in read["heads"]] == [0, 1, 2]
    assert read["heads"][1]["rank"] == 2


def test_heads_that_do_nothing_have_no_defect_and_no_direction():
    found = head(torch.zeros(3, 3), value=torch.zeros(1, 3, 2), covariance=torch.eye(3))
    assert (found.norm, found.tied_defect, found.value_defect) == (0, 0, 0)
    assert found.whitening_defect == 1
    assert misalignment(EYE, torch.zeros(2, 2)) == 1


def test_keys_from_a_narrow_value_that_holds_the_rows():
    value = torch.tensor([[1.0], [1.0]])
    form = torch.tensor([[2.0, 2.0], [3.0, 3.0]])
    torch.testing.assert_close(keys_from_values(form, value), torch.tensor([[2.0], [3.0]]).double())
    assert keys_from_values(form.T, value) is None


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        ([[1.0, 0.5], [0.0, 1.0]], "'covariance' is not symmetric"),
        ([[1.0, 1.0], [1.0, 1.0]], "'covariance' is not positive definite"),
        ([[-1.0, 0.0], [0.0, 1.0]], "'covariance' is not positive definite"),
    ],
)
def test_covariances_without_inverse_are_refused(covariance, message):
    with pytest.raises(DataError, match=message):
        head(EYE, covariance=torch.tensor(covariance))


def test_weights_of_other_sizes_are_refused():
    cases = [
        ((cloud(1, 4, 3), cloud(2, 4, 3)), {}, "same number of heads, got 1 and 2"),
        ((cloud(1, 4, 3), cloud(1, 5, 3)), {}, "same width, got 4 and 5"),
        ((cloud(1, 4, 3), cloud(1, 4, 2)), {}, "same key size, got 3 and 2"),
        ((cloud(1, 4, 3),) * 2, {"value": cloud(2, 4, 3)}, "same number of heads, got 1 and 2"),
        ((cloud(1, 4, 3),) * 2, {"value": cloud(1, 5, 3)}, "same width, got 4 and 5"),
        ((cloud(1, 4, 3),) * 2, {"covariance": torch.eye(5)}, "same width, got 5 and 4"),
    ]
    for weights, options, message in cases:
        with pytest.raises(ShapeError, match=message):
            unchecked(analyze_heads)(*weights, **options)


def unchecked(function):
    """The function without the shape checks that only tests have."""
    from jaxtyping import config

    def call(*arguments, **options):
        config.update("jaxtyping_disable", True)
        try:
            return function(*arguments, **options)
        finally:
            config.update("jaxtyping_disable", False)

    return call


def test_products_beyond_float64_are_refused():
    with pytest.raises(DataError, match="overflows float64"):
        head_forms(1e200 * EYE[None], 1e200 * EYE[None])


def test_a_chain_that_is_symmetric_but_not_positive_may_swing():
    chain = reversible_chain(torch.tensor([[0.0, 5.0], [5.0, 0.0]]))
    assert not chain.is_positive
    assert chain.spectrum[-1] < -0.9
    assert chain.gap == pytest.approx(1 - chain.spectrum[1])


def test_a_chain_prints_and_is_json_and_takes_large_logits():
    chain = reversible_chain(torch.tensor([[900.0, 0.0], [0.0, 900.0]]))
    assert chain.stationary == (0.5, 0.5)
    assert chain.gap == pytest.approx(0, abs=1e-12)
    assert str(chain).startswith("reversible chain of 2 tokens, spectrum 1 to 1, gap ")
    json.dumps(chain.to_dict(), allow_nan=False)
    assert reversible_chain(torch.ones(1, 1)).gap == 1


def test_logits_that_are_not_symmetric_make_no_reversible_chain():
    with pytest.raises(DataError, match="'logits' are not symmetric"):
        reversible_chain(torch.tensor([[0.0, 1.0], [0.5, 0.0]]))


def test_a_free_form_makes_the_previous_token_head_that_a_tied_one_cannot():
    shift = torch.roll(torch.eye(5), 1, 0).T  # row i prefers column i - 1
    found = previous_token(shift.T, cyclic=True)
    assert found.is_previous_token_head
    assert (found.margin, found.mean_lead, found.range) == (1, 1, 1)
    assert str(found) == "a cyclic previous-token head, margin 1"
    assert not previous_token(shift, cyclic=True).is_previous_token_head
    assert str(previous_token(shift)).startswith("not a previous-token head")
    json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(ShapeError, match="at least 3 tokens to tell both neighbours apart, got 2"):
        previous_token(torch.eye(2))


@pytest.mark.parametrize("term", range(4))
def test_each_term_is_the_one_it_is_named_for(term):
    asks, asked = divmod(term, 2)  # 0 content, 1 position
    form = torch.zeros(1, 2, 2)
    form[0, asks, asked] = 1
    content = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [4.0, 0.0]]])
    position = torch.tensor([[0.0, 1.0], [0.0, 3.0], [0.0, 9.0]])
    found = four_terms(content, position, form)
    shares = dict(zip(TERMS, found.shares[0].tolist(), strict=True))
    assert [name for name, share in shares.items() if share] == [TERMS[term]]
    assert shares[TERMS[term]] == 1
    assert found.interference.tolist() == [0]


def test_what_softmax_ignores_has_no_energy():
    content, position = cloud(2, 4, 3), torch.ones(4, 3, dtype=torch.float64)
    found = four_terms(content, position, cloud(1, 3, 3))
    assert found.energies[0, 1] == pytest.approx(0, abs=1e-20)
    assert found.energies[0, 3] == pytest.approx(0, abs=1e-20)
    nothing = four_terms(content[:, :1], position[:1], cloud(1, 3, 3))
    assert nothing.shares.tolist() == [[0, 0, 0, 0]]


def test_the_scale_scales_and_must_be_finite():
    inputs = cloud(2, 4, 3), cloud(4, 3, seed=1), cloud(2, 3, 3, seed=2)
    found = four_terms(*inputs, scale=0.5)
    torch.testing.assert_close(found.logits, 0.5 * four_terms(*inputs).logits)
    with pytest.raises(ConfigError, match="scale of the logits must be finite, got nan"):
        four_terms(*inputs, scale=float("nan"))


def test_opposite_terms_interfere():
    content = cloud(1, 4, 3)
    found = four_terms(content, -0.5 * content[0], torch.eye(3)[None])
    assert found.interference[0] == pytest.approx(0.5**4 / 1.5625 - 1)


def test_four_terms_print_and_are_json():
    found = four_terms(cloud(2, 4, 3), cloud(4, 3, seed=1), cloud(2, 3, 3, seed=2))
    assert [line.split()[0] for line in str(found).splitlines()] == ["head", "0", "1"]
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert sum(read["heads"][1]["shares"].values()) == pytest.approx(1)


def test_the_tolerance_of_cross_terms_does_something():
    tokens, places = torch.tensor([[1.0, 0.0]]), torch.tensor([[1e-3, 1.0]])
    assert cross_terms_vanish(tokens, places, EYE[None]) == (False,)
    assert cross_terms_vanish(tokens, places, EYE[None], tolerance=0.01) == (True,)


def test_euclidean_right_angles_are_not_enough():
    tokens, places = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    forms = torch.stack([EYE, torch.tensor([[1.0, 0.5], [0.5, 1.0]])])
    assert cross_terms_vanish(tokens, places, forms) == (True, False)


def test_entropy_of_known_rows():
    found = attention_entropy(torch.tensor([[[1.0, 0.0, 0.0, 0.0]], [[0.25] * 4]]))
    assert found.tolist() == [[0.0], [pytest.approx(math.log(4))]]


@pytest.mark.parametrize("rows", [[[0.5, 0.4]], [[1.5, -0.5]], [[float("nan"), 1.0]], [[0.0, 0.0]]])
def test_rows_that_are_no_distributions_are_refused(rows):
    with pytest.raises(DataError, match="'weights'"):
        attention_entropy(torch.tensor(rows))


def test_the_bound_falls_with_the_norm_from_uniform_to_zero():
    bounds = [entropy_bound(norm, 10) for norm in (0.0, 1.0, 3.0, 10.0, 1000.0)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] == pytest.approx(math.log(10))
    assert bounds[-1] == pytest.approx(0, abs=1e-12)
    assert entropy_bound(3.0, 1) == 0
    assert extremal_logits(3.0, 1).tolist() == [0]


@pytest.mark.parametrize(("norm", "tokens"), [(-1.0, 3), (math.inf, 3), (1.0, 0)])
def test_bounds_of_nothing_are_refused(norm, tokens):
    for function in (entropy_bound, extremal_logits):
        with pytest.raises(ConfigError, match=r"norm of logits|at least 1 token"):
            function(norm, tokens)


def test_the_share_of_the_strongest_direction():
    assert largest_share(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(0.9)
    assert largest_share(torch.outer(torch.ones(3), torch.ones(3))) == pytest.approx(1)
    assert largest_share(torch.zeros(2, 2)) == 0


def test_the_state_of_extremal_rows_lies_on_its_bound():
    rows = extremal_logits(2.5, 6).repeat(3, 1)
    state = entropy_state(rows + 100, EYE)
    assert state.entropy == pytest.approx(state.bound, abs=1e-12)
    assert state.uniform == math.log(6)
    loose = entropy_state(torch.cat([rows, torch.zeros(3, 6)]), EYE)
    assert loose.bound < loose.entropy < loose.uniform
    assert str(state).endswith("strongest direction 50.0%")
    json.dumps(state.to_dict(), allow_nan=False)


def test_only_a_fall_with_concentration_is_malignant():
    early = EntropyState(2.0, 1.0, 9, 0.3)

    def verdict(entropy, share, **options):
        return entropy_reading(early, EntropyState(entropy, 0.0, 9, share), **options).verdict

    assert verdict(0.5, 0.8) == "collapsed"
    assert verdict(0.5, 0.2) == "healthy"
    assert verdict(1.9, 0.8) == "healthy"
    assert verdict(1.9, 0.8, threshold=0.96) == "collapsed"
    assert "selection, not collapse" in str(entropy_reading(early, EntropyState(0.5, 0.0, 9, 0.2)))
    at_threshold = EntropyState(0.5 * early.entropy, 0.0, 9, early.largest_share)
    assert entropy_reading(early, at_threshold).verdict == "healthy"
    dead = EntropyState(0.0, 0.0, 9, 0.3)
    assert entropy_reading(dead, dead).verdict == "healthy"
    with pytest.raises(ShapeError, match="same number of tokens, got 9 and 8"):
        entropy_reading(early, EntropyState(1.0, 0.0, 8, 0.3))
