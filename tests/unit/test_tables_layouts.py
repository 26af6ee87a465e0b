"""Wq, Wk and Wv of every layout, made from heads that are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from orthogan.attention import Attention
from orthogan.embeddings import Layers, module_heads, read_tables
from orthogan.errors import ConfigError, DataError

D, K, H = 8, 3, 4
SOURCE = torch.Generator().manual_seed(1)
TOKENS = torch.randn(7, D, generator=SOURCE)


def heads(num: int, size: int = K) -> list[Tensor]:
    return [torch.randn(D, size, generator=SOURCE) for _ in range(num)]


def rows(projections: list[Tensor]) -> Tensor:
    """Heads one after the other, as the (out, in) weight of a linear layer."""
    return torch.cat([head.T for head in projections]).contiguous()


def read(folder: Path, config: dict[str, Any] | None = None, **tensors: Tensor) -> Any:
    save_file({"wte.weight": TOKENS} | tensors, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return read_tables(folder)


def check(layers: Layers, query: list[Tensor], key: list[Tensor], value: list[Tensor]) -> None:
    assert len(layers[0]) == len(query)
    shared = len(query) // len(key)
    for h, head in enumerate(layers[0]):
        assert torch.equal(head.query, query[h])
        assert torch.equal(head.key, key[h // shared])
        assert torch.equal(head.value, value[h // shared])


@pytest.mark.parametrize(
    "names",
    [
        ("self.query", "self.key", "self.value"),
        ("q_proj", "k_proj", "v_proj"),
        ("q_lin", "k_lin", "v_lin"),
        ("q", "k", "v"),
        ("to_q", "to_k", "to_v"),
        ("query_proj", "key_proj", "value_proj"),
        ("wq", "wk", "wv"),
    ],
)
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("value_size", [K, 5])
def test_separate_projections(
    tmp_path: Path, names: tuple[str, ...], groups: int, value_size: int
) -> None:
    q, k, v = heads(H), heads(groups), heads(groups, value_size)
    weights = {f"layer.0.{n}.weight": rows(w) for n, w in zip(names, (q, k, v), strict=True)}
    tables = read(tmp_path, {"num_attention_heads": H}, **weights)
    check(tables.heads, q, k, v)


def fused(names: str, groups: int, folder: Path, kind: str = "other", **settings: Any) -> Any:
    q, k, v = heads(H), heads(groups), heads(groups)
    shared = H // groups
    order = {
        "in order": [*q, *k, *v],
        "in groups": [
            w for g in range(groups) for w in (*q[g * shared : (g + 1) * shared], k[g], v[g])
        ],
    }
    return q, k, v, {name: rows(ws) for name, ws in order.items()}


@pytest.mark.parametrize("name", ["attn.qkv", "attn.Wqkv", "self_attn.qkv_proj", "in_proj"])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_fused_in_order(tmp_path: Path, name: str, groups: int) -> None:
    q, k, v, weights = fused(name, groups, tmp_path)
    config = {"n_head": H, "head_dim": K}
    tables = read(tmp_path, config, **{f"h.0.{name}.weight": weights["in order"]})
    check(tables.heads, q, k, v)


def test_fused_weight_of_torch(tmp_path: Path) -> None:
    q, k, v, weights = fused("", H, tmp_path)
    config = {"num_heads": H, "head_dim": K}
    tables = read(tmp_path, config, **{"0.attn.in_proj_weight": weights["in order"]})
    check(tables.heads, q, k, v)


@pytest.mark.parametrize("is_turned", [True, False])
def test_gpt2_stores_its_fused_weight_turned(tmp_path: Path, is_turned: bool) -> None:
    q, k, v = heads(H, 2), heads(H, 2), heads(H, 2)
    weight = rows([*q, *k, *v])
    stored = weight.T.contiguous() if is_turned else weight
    tables = read(tmp_path, {"n_head": H}, **{"h.0.attn.c_attn.weight": stored})
    check(tables.heads, q, k, v)


@pytest.mark.parametrize("kind", ["gpt_neox", "bloom", "falcon"])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_fused_in_groups(tmp_path: Path, kind: str, groups: int) -> None:
    q, k, v, weights = fused("", groups, tmp_path)
    config = {"model_type": kind, "num_attention_heads": H, "head_dim": K}
    name = "layers.0.attention.query_key_value.weight"
    check(read(tmp_path, config, **{name: weights["in groups"]}).heads, q, k, v)


def test_an_unknown_order_is_not_guessed(tmp_path: Path) -> None:
    weight = fused("", H, tmp_path)[3]["in order"]
    for kind, leaf in (("glm", "query_key_value"), ("codegen", "qkv_proj")):
        config = {"model_type": kind, "num_attention_heads": H, "head_dim": K}
        tables = read(tmp_path, config, **{f"h.0.{leaf}.weight": weight})
        assert len(tables.heads) == 0
        assert any(f"order inside of the fused '{leaf}' is not known" in n for n in tables.notes)


@pytest.mark.parametrize("kind", [[], {}, ["gpt_neox"], 3, None, float("nan")])
def test_a_type_that_is_no_text_says_nothing_of_the_order(tmp_path: Path, kind: object) -> None:
    q, k, v = heads(H, 2), heads(H, 2), heads(H, 2)
    weight = rows([*q, *k, *v])
    config = {"model_type": kind, "num_attention_heads": H}
    check(read(tmp_path, config, **{"h.0.attn.qkv.weight": weight}).heads, q, k, v)


def test_layers_are_in_natural_order_and_read_lazily(tmp_path: Path) -> None:
    weights = {
        f"layer.{n}.{part}.weight": torch.full((D, D), float(n))
        for n in range(12)
        for part in ("query", "key", "value")
    }
    tables = read(tmp_path, {"num_attention_heads": 2}, **weights)
    assert tables.heads.names == tuple(f"layer.{n}" for n in range(12))
    assert [float(layer[0].query[0, 0]) for layer in tables.heads] == list(range(12))
    assert tables.heads[2:4].names == ("layer.2", "layer.3")
    assert float(tables.heads[-1][1].key[0, 0]) == 11
    with pytest.raises(IndexError):
        _ = tables.heads[12]


def test_the_number_of_heads_can_be_given(tmp_path: Path) -> None:
    q, k, v = heads(H), heads(H), heads(H)
    weights = {f"0.{n}.weight": rows(w) for n, w in zip("qkv", (q, k, v), strict=True)}
    tables = read(tmp_path, None, **weights)
    assert len(tables.heads) == 0
    assert any("give num_heads=" in note for note in tables.notes)
    check(read_tables(tmp_path, num_heads=H).heads, q, k, v)
    assert read_tables(tmp_path, num_heads=6).heads[0][0].query.shape == (D, 2)
    with pytest.raises(ConfigError, match="num_heads = 5 does not divide the layer '0'"):
        read_tables(tmp_path, num_heads=5)


def test_layers_that_do_not_fit_are_left_out_with_a_note(tmp_path: Path) -> None:
    square = torch.ones(D, D)
    weights = {f"a.{part}.weight": torch.ones(12, 12) for part in ("query", "key", "value")}
    weights |= {"b.q.weight": square, "b.k.weight": torch.ones(D, 6), "b.v.weight": square + 1}
    weights |= {f"c.{part}.weight": torch.ones(9, D) for part in ("query", "key", "value")}
    weights |= {"d.qkv.weight": torch.ones(25, D)}
    tables = read(tmp_path, {"num_attention_heads": 4}, **weights)
    assert len(tables.heads) == 0
    text = " ".join(tables.notes)
    for why in (
        "they read vectors of width 12, the tokens have 8",
        "made of vectors of different widths",
        "9 + 9 + 9 rows are not made of 4 heads",
        "the fused 'qkv' of 25 rows is not made of 4 heads",
    ):
        assert why in text, why


def test_biases_are_noted(tmp_path: Path) -> None:
    weights = {f"a.{part}.weight": torch.ones(D, D) for part in "qkv"}
    assert "Biases" not in " ".join(read(tmp_path, {"n_head": 2}, **weights).notes)
    tables = read(tmp_path, {"n_head": 2}, **weights, **{"a.q.bias": torch.ones(D)})
    assert "Biases of queries, keys and values are left out of the heads." in tables.notes


def test_a_text_part_beside_a_part_for_images(tmp_path: Path) -> None:
    weights = {
        f"{tower}.0.{part}.weight": torch.ones(D, D)
        for tower in ("text_model", "vision_model")
        for part in ("q_proj", "k_proj", "v_proj")
    }
    config = {
        "text_config": {"num_attention_heads": 2},
        "vision_config": {"num_attention_heads": 4},
    }
    tables = read(tmp_path, config, **weights)
    assert [len(layer) for layer in tables.heads] == [2, 4]


def test_a_decoder_with_heads_of_its_own(tmp_path: Path) -> None:
    weights = {
        f"{side}.0.{part}.weight": torch.ones(D, D)
        for side in ("encoder", "decoder")
        for part in ("q_proj", "k_proj", "v_proj")
    }
    config = {"encoder_attention_heads": 2, "decoder_attention_heads": 4}
    tables = read(tmp_path, config, **weights)
    assert dict(zip(tables.heads.names, map(len, tables.heads), strict=True)) == {
        "decoder.0": 4,
        "encoder.0": 2,
    }


@pytest.mark.parametrize("kdim", [None, 8])
def test_attention_of_torch(kdim: int | None) -> None:
    layer = nn.MultiheadAttention(8, 2, kdim=kdim, vdim=kdim and 6, bias=False)
    (first,) = module_heads(layer)
    matrices = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
    q, k, v = layer.in_proj_weight.chunk(3) if kdim is None else matrices
    assert torch.equal(torch.cat([head.query for head in first], 1).T, q)
    assert torch.equal(torch.cat([head.key for head in first], 1).T, k)
    assert torch.equal(torch.cat([head.value for head in first], 1).T, v)


def test_our_own_attention() -> None:
    layer = Attention(8, heads=2, key_size=4, value_size=6)
    (first,) = module_heads(layer)
    tokens = torch.randn(1, 5, 8)
    logits = [tokens[0] @ h.query @ h.key.T @ tokens[0].T for h in first]
    weights = torch.stack([(z / 2**0.5).softmax(-1) for z in logits])
    torch.testing.assert_close(weights, layer.weights(tokens)[0])
    mixed = torch.cat([w @ tokens[0] @ h.value for w, h in zip(weights, first, strict=True)], 1)
    torch.testing.assert_close(layer.output(mixed), layer(tokens)[0])


def test_heads_of_a_module_can_be_counted_by_the_caller() -> None:
    layer = nn.ModuleDict({name: nn.Linear(8, 8) for name in ("query", "key", "value")})
    with pytest.raises(ConfigError, match="number of heads is not known, give num_heads="):
        module_heads(layer)
    assert len(module_heads(layer, num_heads=4)[0]) == 4
    with pytest.raises(ConfigError, match="num_heads = 3 does not divide"):
        module_heads(layer, num_heads=3)


def test_modules_without_attention_and_layers_that_cannot_be_read() -> None:
    with pytest.raises(ConfigError, match="Linear: no attention layer can be read: no weights"):
        module_heads(nn.Linear(2, 2))
    mixed = nn.ModuleList([nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2, kdim=6)])
    with pytest.warns(UserWarning, match=r"1 attention layers were left out: .* different widths"):
        assert module_heads(mixed).names == ("0",)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wte = nn.Embedding(7, 8)
        self.wpe = nn.Embedding(5, 8)
        self.layers = nn.ModuleList([Attention(8, heads=2), Attention(8, heads=4)])


def test_a_module_is_a_source_of_tables() -> None:
    model = Tiny()
    tables = read_tables(model)
    assert torch.equal(tables.tokens, model.wte.weight)
    assert tables.positions is not None
    assert torch.equal(tables.positions, model.wpe.weight)
    assert not tables.tokens.requires_grad
    assert [len(layer) for layer in tables.heads] == [2, 4]
    assert read_tables(model, embedding="wpe.weight").tokens.shape == (5, 8)
    assert read_tables(model, limit=2).tokens.shape == (2, 8)
    embedding = nn.Embedding(5, 3)
    found = read_tables(nn.Sequential(embedding, nn.Linear(3, 5), nn.Linear(5, 3)))
    assert torch.equal(found.tokens, embedding.weight)
    with pytest.raises(DataError, match="Sequential: no tensor is recognised"):
        read_tables(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
