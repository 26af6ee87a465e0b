"""Planted cases of the exact flip count, its options and what it refuses."""

import json
import math

import numpy as np
import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError, UnknownNameError
from orthogan.geometry import count_flips, identity_margin
from orthogan.geometry.identity._counting import duplicates, tiles

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_codes_perpendicular_to_all_differences_flip_nothing_at_any_length():
    tokens = torch.cat([draw(40, 5), torch.full((40, 3), 2.0)], 1)
    codes = torch.cat([torch.zeros(6, 5), draw(6, 3, seed=1)], 1)
    for amplitude in (1.0, 1e3, 1e6):
        found = count_flips(tokens, amplitude * codes)
        assert (found.flips, found.kept, found.tolerance) == (0, 1.0, math.inf)
        assert found.worst() == []
    assert found.certified == 0  # the norm bound alone proves none of it


def test_a_code_along_a_difference_flips_beyond_half_the_distance():
    tokens = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 50.0]])
    ahead = torch.nextafter(torch.tensor(2.0), torch.tensor(3.0)).item()
    codes = torch.tensor([[1.9, 0.0], [2.0, 0.0], [ahead, 0.0], [3.0, 0.0]])
    found = count_flips(tokens, codes)
    assert found.flips_per_position.tolist() == [0, 0, 1, 1]
    assert found.flips_per_token.tolist() == [2, 0, 0]
    worst = found.worst(1)[0]
    assert (worst.token, worst.position, worst.becomes) == (0, 3, 1)
    assert worst.margin == pytest.approx(-1.0, rel=1e-12)
    assert found.tolerance == pytest.approx(2 / 3, rel=1e-12)


def test_duplicates_are_collisions_and_flip_with_their_copies():
    tokens = torch.tensor([[0.0], [1.0], [0.0], [-0.0], [9.0]])
    found = count_flips(tokens, torch.tensor([[0.0], [0.6]]))
    assert found.collisions == ((0, 2, 3),)
    assert found.flips_per_token.tolist() == [1, 0, 1, 1, 0]
    assert [(flip.token, flip.becomes) for flip in found.worst()] == [(0, 1), (2, 1), (3, 1)]
    flips = count_flips(tokens, torch.tensor([[-0.6]])).worst()
    assert [(flip.token, flip.becomes) for flip in flips] == [(1, 0)]  # lowest index of the copies


def test_different_rows_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(duplicates, "_hashes", lambda rows: np.zeros(len(rows), dtype=np.uint64))
    found = duplicates.duplicates(torch.tensor([[0.0], [1.0], [0.0], [-0.0], [9.0]]))
    assert found.groups() == ((0, 2, 3),)
    assert found.first.tolist() == [0, 1, 4]
    assert found.kind.tolist() == [0, 1, 0, 0, 2]


@pytest.mark.parametrize("reader", ["euclidean", "logits"])
def test_one_kind_of_token_cannot_flip(reader):
    found = count_flips(torch.ones(5, 3), draw(4, 3), reader)
    assert (found.flips, found.tolerance, found.certified) == (0, math.inf, 1.0)
    assert found.collisions == ((0, 1, 2, 3, 4),)
    assert json.loads(json.dumps(found.to_dict()))["tolerance"] is None


def test_zero_vectors_and_zero_codes():
    tokens = torch.cat([torch.zeros(1, 3), draw(10, 3)])
    found = count_flips(tokens, torch.zeros(2, 3))
    assert (found.flips, found.certified, found.tolerance) == (0, 1.0, math.inf)
    assert count_flips(torch.zeros(3, 2), torch.zeros(1, 2)).flips == 0


def test_certified_is_the_share_of_codes_within_the_safe_radius():
    tokens, codes = draw(50, 4), 0.5 * draw(20, 4, seed=1)
    for reader in ("euclidean", "cosine", "logits"):
        radii = identity_margin(tokens.double(), torch.zeros(4).double(), reader)
        wanted = (codes.double().norm(dim=1) < radii[:, None]).double().mean()
        assert count_flips(tokens, codes, reader).certified == pytest.approx(
            float(wanted), abs=1e-12
        )
        assert reader == "logits" or 0 < float(wanted) < 1


def test_readers_differ_and_a_bias_counts():
    tokens, codes = draw(60, 4), draw(10, 4, seed=1)
    flips = {
        name: count_flips(tokens, codes, name).flips for name in ("euclidean", "cosine", "logits")
    }
    assert len(set(flips.values())) == 3
    bias = 3 * draw(60, seed=2)
    assert count_flips(tokens, codes, "logits", bias).flips != flips["logits"]


def test_the_logit_reader_may_fail_without_any_code():
    found = count_flips(torch.eye(2), torch.zeros(1, 2), "logits", torch.tensor([0.0, 5.0]))
    assert (found.flips, found.tolerance) == (1, 0.0)
    equal = count_flips(torch.ones(2, 2), torch.zeros(1, 2), "logits", torch.tensor([0.0, 5.0]))
    assert equal.worst()[0].margin == -math.inf
    assert equal.to_dict()["worst"][0]["margin"] is None


@pytest.mark.parametrize("factor", [2.0**-400, 2.0**400])
def test_very_small_and_very_large_numbers(factor):
    tokens, codes = draw(40, 5).double(), draw(6, 5, seed=1).double()
    plain, scaled = count_flips(tokens, codes), count_flips(factor * tokens, factor * codes)
    assert scaled.flips_per_token.tolist() == plain.flips_per_token.tolist()
    assert plain.flips > 0
    assert scaled.worst(3)[2].margin == pytest.approx(factor * plain.worst(3)[2].margin, rel=1e-12)


def test_keep_says_how_many_of_the_worst_there_are():
    tokens, codes = draw(40, 3), draw(6, 3, seed=1)
    few, many = count_flips(tokens, codes, keep=5), count_flips(tokens, codes, keep=1000)
    assert few.worst(5) == many.worst(5) == list(many.worst_flips[:5])
    assert many.worst(1000) == list(many.worst_flips)
    assert len(many.worst_flips) == many.flips
    with pytest.raises(ConfigError, match="keep=6"):
        few.worst(6)
    with pytest.raises(ConfigError, match="0 or more"):
        few.worst(-1)


def test_a_sample_states_its_interval_and_covers_the_share():
    tokens, codes = draw(120, 4), 0.4 * draw(15, 4, seed=1)
    whole = count_flips(tokens, codes)
    assert whole.low == whole.kept == whole.high
    sampled = count_flips(tokens, codes, sample=600, seed=3)
    assert sampled.pairs == 600
    assert sampled.low < sampled.kept < sampled.high
    assert sampled.low < whole.kept < sampled.high
    assert sampled.tolerance is None
    assert int(sampled.flips_per_token.sum()) == int(sampled.flips_per_position.sum())
    assert count_flips(tokens, codes, sample=600, seed=3).to_dict() == sampled.to_dict()
    assert count_flips(tokens, codes, sample=600, seed=4).to_dict() != sampled.to_dict()
    all_kept = count_flips(tokens, 0 * codes, sample=50)
    assert (all_kept.kept, all_kept.high) == (1.0, 1.0)
    assert 0.9 < all_kept.low < 1


def test_sampled_flips_are_those_of_the_whole_table():
    tokens = torch.randint(-2, 3, (30, 2), generator=torch.Generator().manual_seed(0)).float()
    codes = torch.tensor([[0.5, 0.0], [0.5, 0.5], [0.25, 0.0], [1.0, -0.5]])
    whole = {(f.token, f.position): f for f in count_flips(tokens, codes, keep=1000).worst_flips}
    sampled = count_flips(tokens, codes, sample=400, keep=1000)
    for flip in sampled.worst_flips:
        same = whole[flip.token, flip.position]
        assert flip.becomes == same.becomes
        assert flip.margin == pytest.approx(same.margin, rel=1e-12)
    assert sampled.flips > 0
    many = count_flips(
        tokens, codes, sample=3000, keep=1000
    )  # of 120 pairs, so that none is missed
    assert {(flip.token, flip.position) for flip in many.worst_flips} == set(whole)


def test_progress_is_called_to_the_end(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 128)
    seen = []
    count_flips(draw(300, 3), draw(2, 3), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(150, 300), (250, 300), (300, 300)]  # the first block meets all others


def test_the_answer_is_plain_data():
    found = count_flips(draw(30, 3), draw(4, 3, seed=1))
    plain = json.loads(json.dumps(found.to_dict()))
    assert {"tokens", "positions", "kept", "flips", "certified", "tolerance", "worst"} <= set(plain)
    assert plain["flips"] == found.flips == sum(plain["flips_per_token"].values())
    assert plain["worst"][0] == {
        "token": found.worst()[0].token,
        "position": found.worst()[0].position,
        "becomes": found.worst()[0].becomes,
        "margin": found.worst()[0].margin,
    }


def test_inputs_are_left_alone_and_gradients_are_not_needed():
    tokens = draw(20, 3).requires_grad_()
    copy = tokens.detach().clone()
    count_flips(tokens, draw(3, 3))
    assert torch.equal(tokens.detach(), copy)


@pytest.mark.parametrize(
    ("tokens", "codes", "options", "error", "message"),
    [
        (torch.ones(3), torch.ones(1, 3), {}, ShapeError, "'tokens' needs the axes"),
        (torch.ones(0, 3), torch.ones(1, 3), {}, ShapeError, "'tokens' needs the axes"),
        (torch.ones(2, 3), torch.ones(3), {}, ShapeError, "'codes' needs the axes"),
        (torch.ones(2, 3), torch.ones(1, 2), {}, ShapeError, "'codes' must be as wide"),
        (torch.tensor([[math.nan]]), torch.ones(1, 1), {}, DataError, "'tokens' holds NaN"),
        (torch.ones(2, 1), torch.tensor([[math.inf]]), {}, DataError, "'codes' holds NaN"),
        (torch.ones(2, 1) + 0j, torch.ones(1, 1), {}, DataError, "'tokens' holds complex"),
        (torch.eye(2), torch.eye(2), {"reader": "euclidian"}, UnknownNameError, "'euclidean'"),
        (torch.eye(2), torch.eye(2), {"bias": torch.ones(2)}, ConfigError, "'logits' reader"),
        (
            torch.eye(2),
            torch.eye(2),
            {"reader": "logits", "bias": torch.ones(3)},
            ShapeError,
            "'bias' needs one number a token",
        ),
        (
            torch.eye(2),
            torch.eye(2),
            {"reader": "logits", "bias": torch.tensor([0.0, math.nan])},
            DataError,
            "'bias' holds NaN",
        ),
        (torch.zeros(2, 1), torch.ones(1, 1), {"reader": "cosine"}, DataError, "2 zero rows"),
        (torch.eye(2), torch.eye(2), {"sample": 0}, ConfigError, "'sample' must be at least 1"),
        (torch.eye(2), torch.eye(2), {"keep": 0}, ConfigError, "'keep' must be at least 1"),
    ],
)
def test_bad_input_is_refused_by_name(tokens, codes, options, error, message):
    with pytest.raises(error, match=message):
        count_flips(tokens, codes, **options)
