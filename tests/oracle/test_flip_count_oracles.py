"""The exact flip count against brute force: float64 on random tables, fractions on tied ones."""

import math
import sys
from fractions import Fraction

import pytest
import torch

from orthogan.geometry.identity._counting import candidates, guarded, many_candidates, pairs, tiles
from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.margins import identity_margin, tolerance


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def leads(tokens, codes, reader="euclidean", bias=None):
    """By how much the best other token is ahead, and which it is, at every place: (N, T)."""
    table, offsets = tokens.double(), torch.zeros(len(tokens), dtype=torch.float64)
    directions = table
    if reader == "cosine":
        directions = table / table.norm(dim=1, keepdim=True)
    elif reader == "logits" and bias is not None:
        offsets = bias.double()
    elif reader == "euclidean":
        offsets = -table.square().sum(1) / 2
    ahead, becomes = [], []
    for code in codes.double():
        scores = (table + code) @ directions.T + offsets
        others = scores - scores.diagonal()[:, None]
        others.fill_diagonal_(-torch.inf)
        best = others.max(1)
        ahead.append(best.values)
        becomes.append(best.indices)
    return torch.stack(ahead, 1), torch.stack(becomes, 1)


def exact_flips(tokens, codes, reader="euclidean", bias=None):
    """Flips in rational arithmetic, (N, T)."""
    rows = [[Fraction(float(x)) for x in row] for row in tokens]
    shifts = [[Fraction(float(x)) for x in row] for row in codes]
    extra = [Fraction(0)] * len(rows) if bias is None else [Fraction(float(b)) for b in bias]

    def dot(left, right):
        return sum(a * b for a, b in zip(left, right, strict=True))

    def key(place, j):
        if reader == "euclidean":
            return 2 * dot(place, rows[j]) - dot(rows[j], rows[j])
        if reader == "logits":
            return dot(place, rows[j]) + extra[j]
        product = dot(place, rows[j])  # the sign and the square of |x| cos(x, e_j)
        return product * abs(product) / dot(rows[j], rows[j])

    def flips(i, code):
        place = [a + b for a, b in zip(rows[i], code, strict=True)]
        return any(key(place, j) > key(place, i) for j in range(len(rows)))

    return torch.tensor([[flips(i, code) for code in shifts] for i in range(len(rows))])


def agree(found, flips):
    assert found.flips == int(flips.sum())
    assert torch.equal(found.flips_per_token, flips.sum(1))
    assert torch.equal(found.flips_per_position, flips.sum(0))
    assert found.kept == pytest.approx(1 - found.flips / flips.numel(), abs=1e-15)


def clusters(n, width, seed, spread=0.05):
    centres = draw(max(n // 10, 1), width, seed=seed)
    return centres.repeat_interleave(10, 0)[:n] + spread * draw(n, width, seed=seed + 1)


TABLES = {
    "random": draw(150, 24, seed=1),
    "one dimension": draw(80, 1, seed=2),
    "many in few dimensions": draw(200, 2, seed=3),
    "clustered": clusters(150, 16, seed=4),
    "tight clusters": clusters(60, 16, seed=5, spread=1e-5),
    "far from the origin": draw(80, 12, seed=6) + 1000,
    "one giant": torch.cat([draw(60, 8, seed=7), 1e5 * draw(1, 8, seed=8)]),
    "uneven lengths": draw(80, 8, seed=9) * torch.logspace(-3, 3, 80)[:, None],
    "two tokens": draw(2, 5, seed=10),
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("limit", [128, 0], ids=["few candidates", "many"])
@pytest.mark.parametrize("reader", ["euclidean", "cosine", "logits"])
@pytest.mark.parametrize("name", TABLES)
def test_count_and_worst_and_tolerance_agree_with_float64(name, reader, limit, monkeypatch):
    monkeypatch.setattr(candidates, "MAX_CANDIDATES", limit)
    if limit == 0:  # far tokens and several groups of positions too
        monkeypatch.setattr(many_candidates, "NEAR", 3)
        monkeypatch.setattr(many_candidates, "ROWS_AT_ONCE", 50)
        monkeypatch.setattr(guarded, "GROUP", 4)
    tokens = TABLES[name]
    bias = draw(len(tokens), seed=11) if reader == "logits" else None
    for scale in (0.1, 3.0):
        codes = scale * draw(9, tokens.shape[1], seed=12)
        ahead, _ = leads(tokens, codes, reader, bias)
        found = count_flips(tokens, codes, reader, bias, keep=25)
        agree(found, ahead > 0)
        margins = torch.stack(
            [identity_margin(tokens.double(), code.double(), reader, bias) for code in codes], 1
        )
        deepest = margins[ahead > 0].sort().values[:25]
        kept = torch.tensor([flip.margin for flip in found.worst_flips], dtype=torch.float64)
        torch.testing.assert_close(kept, deepest, rtol=1e-7, atol=1e-12)
        factors = [tolerance(tokens.double(), code.double(), reader, bias).min() for code in codes]
        wanted = float(min(factors))
        wanted = wanted if wanted < 1000 else math.inf
        assert found.tolerance == pytest.approx(wanted, rel=1e-7)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("reader", ["euclidean", "cosine", "logits"])
def test_every_worst_flip_is_the_one_brute_force_finds(reader):
    tokens, codes = draw(150, 6, seed=1), draw(9, 6, seed=2)
    ahead, becomes = leads(tokens, codes, reader)
    found = count_flips(tokens, codes, reader, keep=10_000)
    assert len(found.worst_flips) == found.flips > 50
    for flip in found.worst_flips:
        assert ahead[flip.token, flip.position] > 0
        assert becomes[flip.token, flip.position] == flip.becomes
        margin = identity_margin(tokens.double(), codes[flip.position].double(), reader)
        assert margin[flip.token] == pytest.approx(flip.margin, rel=1e-9)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("limit", [128, 0], ids=["few candidates", "many"])
@pytest.mark.parametrize("reader", ["euclidean", "cosine", "logits"])
def test_ties_are_decided_as_by_fractions(reader, limit, monkeypatch):
    monkeypatch.setattr(candidates, "MAX_CANDIDATES", limit)
    source = torch.Generator().manual_seed(3)
    tokens = torch.randint(-2, 3, (40, 2), generator=source).float()
    tokens = tokens[(tokens != 0).any(1)]
    codes = torch.randint(-2, 3, (12, 2), generator=source).float() / 2
    flips = exact_flips(tokens, codes, reader)
    ahead, _ = leads(tokens, codes, reader)
    assert int((ahead.abs() < 1e-9).sum()) > 20  # many ties, so the test tells something
    agree(count_flips(tokens, codes, reader), flips)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_last_bit_decides(dtype):
    """Places on a wall, and the next number beyond it or before it."""
    tokens = draw(20, 7, seed=1).to(dtype)
    i, j = torch.arange(0, 20, 2), torch.arange(1, 20, 2)
    half = ((tokens[j].double() - tokens[i].double()) / 2).to(dtype)
    beyond = torch.nextafter(half.float(), torch.inf * half.float().sign())
    before = torch.nextafter(half.float(), torch.zeros_like(half.float()))
    codes = torch.cat([half, beyond.to(dtype), before.to(dtype)])
    flips = exact_flips(tokens, codes)
    assert 0 < int(flips.sum()) < flips.numel()
    agree(count_flips(tokens, codes), flips)


@pytest.fixture
def reduced_precision():
    """Float32 products that may be taken in bfloat16, as a program can allow them to be."""
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    yield settings
    settings.fp32_precision = before


@pytest.mark.usefixtures("one_thread")
def test_two_thousand_tokens_whatever_precision_is_allowed(reduced_precision):
    tokens = clusters(2000, 32, seed=1, spread=0.2) + 3
    codes = 0.6 * draw(40, 32, seed=2)
    ahead, _ = leads(tokens, codes)
    seen = []
    found = count_flips(
        tokens,
        codes,
        progress=lambda done, _: seen.append((done, reduced_precision.fp32_precision)),
    )
    agree(found, ahead > 0)
    assert 0 < found.flips < 80_000
    assert seen[-1] == (2000, "ieee")
    assert reduced_precision.fp32_precision == "bf16"


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("reader", ["euclidean", "cosine", "logits"])
def test_positions_in_several_passes_and_small_blocks_give_the_same(reader, monkeypatch):
    tokens, codes = clusters(120, 6, seed=1, spread=0.3), draw(50, 6, seed=2)
    whole = count_flips(tokens, codes, reader, keep=30)
    inside = sys.modules["orthogan.geometry.identity.count"]
    monkeypatch.setattr(inside, "MAX_PROJECTIONS", 120 * 7)
    monkeypatch.setattr(tiles, "TILE", 11)
    monkeypatch.setattr(pairs, "BLOCK_VALUES", 64)
    monkeypatch.setattr(pairs, "BLOCK_PAIRS", 5)
    parts = count_flips(tokens, codes, reader, keep=30)
    assert torch.equal(parts.flips_per_token, whole.flips_per_token)
    assert torch.equal(parts.flips_per_position, whole.flips_per_position)
    assert parts.certified == whole.certified
    assert parts.tolerance == pytest.approx(whole.tolerance, rel=1e-12)
    for part, one in zip(parts.worst_flips, whole.worst_flips, strict=True):
        assert (part.token, part.position, part.becomes) == (one.token, one.position, one.becomes)
        assert part.margin == pytest.approx(one.margin, rel=1e-12)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("reader", ["euclidean", "cosine", "logits"])
def test_codes_of_very_unequal_lengths_do_not_blur_each_other(reader, monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 32)
    tokens = clusters(100, 6, seed=1, spread=1e-3)
    codes = torch.cat([1e-3 * draw(20, 6, seed=2), 1e6 * draw(2, 6, seed=3)])
    ahead, _ = leads(tokens, codes, reader)
    found = count_flips(tokens, codes, reader)
    agree(found, ahead > 0)
    assert 0 < int((ahead[:, :20] > 0).sum()) < 2000
