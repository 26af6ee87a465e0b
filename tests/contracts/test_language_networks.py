"""What every language Transformer does, whatever its score, keys and positions."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch.nn import functional

from orthogan import rng
from orthogan.attention import key_names, score_names
from orthogan.attention.scores import score_traits
from orthogan.errors import ConfigError, ShapeError, UnknownNameError
from orthogan.language.transformer import LanguageNetworkConfig, LanguageTransformer, Positions

KEYS = [name for name in key_names() if name != "whitened"]  # refused, tested below
TINY = {"vocabulary": 7, "context": 6, "width": 8, "heads": 2, "blocks": 2}

pytestmark = pytest.mark.usefixtures("one_thread")


def make(**settings: Any) -> LanguageTransformer:
    with rng.initialization(0, "language test"):
        return LanguageNetworkConfig(**(TINY | settings)).build().double()


def text(rows: int = 2, length: int = 6) -> torch.Tensor:
    return torch.from_numpy(rng.stream(0, "text").integers(0, 7, (rows, length)))


ALL = [{"score": name} for name in score_names()]
ALL += [{"keys": name, "score": score} for name in KEYS for score in ("softmax", "none")]
ALL += [{"positions": name} for name in get_args(Positions)]
ALL += [{"embedding": 3}, {"blocks": 3, "expansion": 1}]
ALL += [{"key_size": 4, "positions": name} for name in ("rotary", "untied")]


@pytest.mark.parametrize("settings", ALL, ids=str)
def test_no_logit_depends_on_a_later_token(settings: dict[str, Any]) -> None:
    network, tokens = make(**settings), text()
    vectors = network.embed(tokens).detach().requires_grad_()
    network.embed = lambda _: vectors  # type: ignore[method-assign]
    logits = network(tokens)
    weights = rng.normal(tuple(logits.shape[2:]), rng.stream(0, "weights")).double()
    for place in range(tokens.shape[1]):
        (gradient,) = torch.autograd.grad(
            (logits[:, place] @ weights).sum(), vectors, retain_graph=True
        )
        assert bool((gradient[:, place + 1 :] == 0).all())
        assert bool((gradient[:, place] != 0).any())
    assert bool((gradient[:, 0] != 0).any())  # the last one reads the first


@pytest.mark.parametrize("settings", ALL, ids=str)
def test_a_prefix_has_the_same_logits_alone(settings: dict[str, Any]) -> None:
    network, tokens = make(**settings), text()
    whole = network(tokens)
    for length in (1, 4):
        torch.testing.assert_close(
            network(tokens[:, :length]), whole[:, :length], rtol=1e-12, atol=1e-12
        )
    assert bool(whole.isfinite().all())


@pytest.mark.parametrize("score", score_names())
def test_attention_maps_are_causal_and_are_those_applied(score: str) -> None:
    network, tokens = make(score=score), text()
    maps = network.attention_maps(tokens)
    assert maps.shape == (2, 2, 2, 6, 6)
    assert bool((maps.triu(1) == 0).all())
    if score_traits(score).sums_to_one:
        torch.testing.assert_close(maps.sum(-1), torch.ones_like(maps[..., 0]))
    block: Any = network.blocks[0]
    read = block.attention_norm(network.embed(tokens))
    _, values = block.attention.key_value(read).split([8, 8], dim=-1)
    mixed = maps[:, 0] @ values.unflatten(-1, (2, 4)).transpose(1, 2)
    by_hand = block.attention.output(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(block.attention(read, mask=network.causal(6)), by_hand)


@pytest.mark.parametrize("embedding", [None, 3])
def test_the_output_shares_the_vectors_of_the_input(embedding: int | None) -> None:
    network, tokens = make(embedding=embedding, positions="none"), text()
    table = network.vectors()
    assert table.shape == (7, 8)
    expected = network.embedding.weight
    if network.dense is not None:
        expected = functional.linear(expected, network.dense.weight, network.dense.bias)
    torch.testing.assert_close(table, expected)
    torch.testing.assert_close(network.embed(tokens), network.factor * table[tokens])
    hidden = rng.normal((2, 6, 8), rng.stream(0, "hidden")).double()
    network.embed = lambda _: hidden  # type: ignore[method-assign]
    network.blocks = torch.nn.ModuleList()
    network.bias.data += torch.arange(7.0)
    normed = hidden * hidden.square().mean(-1, keepdim=True).rsqrt()
    expected = normed * network.norm.weight @ table.T + torch.arange(7.0)
    torch.testing.assert_close(network(tokens), expected)


@pytest.mark.parametrize("positions", get_args(Positions))
def test_positions_tell_the_order(positions: str) -> None:
    """With one block, only the code tells which of two earlier tokens came first."""
    network = make(positions=positions, blocks=1)
    first, second = network(torch.tensor([[1, 2, 3], [2, 1, 3]]))[:, -1]
    assert torch.allclose(first, second, rtol=1e-10) == (positions == "none")


@pytest.mark.parametrize(
    "settings",
    [
        *({"score": name} for name in score_names() if name != "softmax"),
        *({"keys": name} for name in KEYS if name != "learned"),
        *({"positions": name} for name in get_args(Positions) if name != "rotary"),
        {"embedding": 4},
        {"width": 16},
        {"blocks": 1},
        {"heads": 1},
        {"key_size": 4},
        {"expansion": 1},
        {"vocabulary": 9},
        {"context": 9},
    ],
    ids=str,
)
def test_every_setting_changes_the_network(settings: dict[str, Any]) -> None:
    usual, other = make(), make(**settings)
    if "context" in settings:
        assert other(text(1, 9)).shape == (1, 9, 7)
        with pytest.raises(ShapeError):
            usual(text(1, 9))
        return
    one, two = usual(text()), other(text())
    assert one.shape != two.shape or not torch.allclose(one, two)


def test_a_fresh_network_expects_every_token_about_alike() -> None:
    network = make(vocabulary=60, width=64, heads=4, context=32)
    tokens = torch.from_numpy(rng.stream(1, "text").integers(0, 60, (4, 33)))
    loss = functional.cross_entropy(network(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    uniform = torch.tensor(60.0).log()
    assert abs(float((loss - uniform).detach())) < 0.3


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"keys": "whitened"}, ConfigError, "use keys=identity"),
        ({"keys": "lerned"}, UnknownNameError, "learned"),
        ({"score": "sofmax"}, UnknownNameError, "softmax"),
        ({"positions": "sinus"}, ConfigError, "positions"),
        ({"heads": 3}, ConfigError, "must be a multiple of heads = 3"),
        ({"heads": 8}, ConfigError, "key size a head divisible by 2"),
        ({"heads": 3, "positions": "learned"}, ConfigError, "must be a multiple of heads = 3"),
        ({"width": 9, "heads": 1, "positions": "sinusoidal"}, ConfigError, "even width"),
        ({"keys": "values", "key_size": 4}, ConfigError, "have their size 8, got key size 4"),
        ({"keys": "dual", "score": "cosine"}, ConfigError, "Dual keys"),
        ({"blocks": 0}, ConfigError, "blocks"),
        ({"vocabulary": 1}, ConfigError, "vocabulary"),
    ],
)
def test_impossible_networks_are_refused(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make(**settings)


@pytest.mark.parametrize(
    "tokens",
    [
        torch.zeros(2, 0, dtype=torch.int64),
        torch.zeros(2, 7, dtype=torch.int64),
        torch.zeros(6, dtype=torch.int64),
        torch.zeros(2, 6),
    ],
    ids=lambda tokens: f"{tokens.dtype} {tuple(tokens.shape)}",
)
def test_sequences_of_another_form_are_refused(tokens: torch.Tensor) -> None:
    network = make()
    for ask in (network, network.embed, network.attention_maps):
        with pytest.raises(ShapeError, match=r"of shape \(batch, 1 to 6\), got"):
            ask(tokens)
