"""Tables against the libraries that write them, where these are installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from orthogan.embeddings import capture, read_tables, save_positions

pytestmark = pytest.mark.filterwarnings("ignore")

T = 6
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32,
    "vocab_size": 40, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1,
}  # fmt: skip
GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 4, "vocab_size": 40, "n_positions": 12}
DISTIL = {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 32, "vocab_size": 40}
IMAGES = {"image_size": 8, "patch_size": 4}
# Architecture, settings, the module whose input the heads read, the one that mixes them.
MODELS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "bert": ("Bert", SMALL, "encoder.layer.1.attention", "output.dense"),
    "roberta": ("Roberta", SMALL, "encoder.layer.1.attention", "output.dense"),
    "distilbert": ("DistilBert", DISTIL, "transformer.layer.1.attention", "out_lin"),
    "gpt2": ("GPT2", GPT2, "h.1.attn", "c_proj"),
    "opt": ("OPT", SMALL | {"ffn_dim": 32, "word_embed_proj_dim": 16},
            "decoder.layers.1.self_attn", "out_proj"),
    "vit": ("ViT", SMALL | IMAGES, "layers.1.attention", "o_proj"),
    "gpt-neox": ("GPTNeoX", SMALL, "layers.1.attention", "dense"),
    "llama": ("Llama", SMALL | {"num_key_value_heads": 2}, "layers.1.self_attn", "o_proj"),
    "phi3": ("Phi3", SMALL | {"num_key_value_heads": 2}, "layers.1.self_attn", "o_proj"),
    "falcon": ("Falcon", SMALL, "h.1.self_attention", "dense"),
    "falcon-groups": ("Falcon", SMALL | {"new_decoder_architecture": True, "num_kv_heads": 2},
                      "h.1.self_attention", "dense"),
}  # fmt: skip
IS_ROTARY = {"gpt-neox", "llama", "phi3", "falcon", "falcon-groups"}
IS_CAUSAL = IS_ROTARY | {"gpt2", "opt"}


def build(name: str) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    kind, settings, _, _ = MODELS[name]
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**settings)
    config._attn_implementation = "sdpa"
    model: nn.Module = getattr(transformers, f"{kind}Model")(config).eval()
    for parameter in model.parameters():  # at 0.02 all attention is even
        if parameter.dim() == 2:
            nn.init.normal_(parameter, std=0.5)
    for key, parameter in model.named_parameters():
        if key.endswith("bias") and "norm" not in key.lower():
            nn.init.zeros_(parameter)  # heads hold matrices only
    return model


def inputs(name: str) -> dict[str, Any]:
    if name == "vit":
        source = torch.Generator().manual_seed(1)
        return {"pixel_values": torch.randn(1, 3, 8, 8, generator=source)}
    given: dict[str, Any] = {"input_ids": torch.tensor([[5, 9, 17, 3, 20, 8]])}
    if name in IS_ROTARY:  # at position 0 nothing is turned
        given["position_ids"] = torch.zeros(1, T, dtype=torch.int64)
    return given


def run(model: nn.Module, name: str) -> tuple[Tensor, Tensor]:
    """What the second attention layer reads, and its heads' mixtures before they are joined."""
    _, _, place, mixer = MODELS[name]
    layer = model.get_submodule(place)
    seen: dict[str, Tensor] = {}

    def reads(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen["in"] = args[0] if args else kwargs["hidden_states"]

    def mixes(_: nn.Module, args: tuple[Any, ...]) -> None:
        seen["out"] = args[0]

    hooks = [
        layer.register_forward_pre_hook(reads, with_kwargs=True),
        layer.get_submodule(mixer).register_forward_pre_hook(mixes),
    ]
    with torch.no_grad():
        model(**inputs(name))
    for hook in hooks:
        hook.remove()
    return seen["in"][0], seen["out"].reshape(len(seen["in"][0]), -1)


@pytest.mark.parametrize("name", list(MODELS))
def test_heads_do_what_the_model_does(name: str, tmp_path: Path) -> None:
    model = build(name)
    model.save_pretrained(tmp_path)
    states, mixed = run(model, name)
    for tables in (read_tables(tmp_path), read_tables(model)):
        mixtures = []
        for head in tables.heads[1]:
            logits = states @ head.query @ head.key.T @ states.T / head.query.shape[1] ** 0.5
            if name in IS_CAUSAL:
                above = torch.ones_like(logits).triu(1).bool()
                logits = logits.masked_fill(above, -torch.inf)
            mixtures.append(logits.softmax(-1) @ states @ head.value)
        torch.testing.assert_close(torch.cat(mixtures, 1), mixed, rtol=1e-4, atol=1e-5)
        rotary = any("queries and keys are turned" in note for note in tables.notes)
        assert rotary == (name in IS_ROTARY)


@pytest.mark.parametrize("name", list(MODELS))
def test_captured_parts_do_what_the_model_does(name: str) -> None:
    model = build(name)
    _, mixed = run(model, name)
    found = capture(model, inputs(name))[1]
    shared = found.query.shape[1] // found.key.shape[1]
    key, value = (x.repeat_interleave(shared, 1) for x in (found.key, found.value))
    with torch.no_grad():
        mine = nn.functional.scaled_dot_product_attention(
            found.query, key, value, is_causal=name in IS_CAUSAL
        )
    joined = mine.transpose(1, 2).flatten(2)[0]
    torch.testing.assert_close(joined, mixed, rtol=1e-4, atol=1e-5)


TABLES = {
    "bert": ("embeddings.word_embeddings", "embeddings.position_embeddings"),
    "roberta": ("embeddings.word_embeddings", "embeddings.position_embeddings"),
    "distilbert": ("embeddings.word_embeddings", "embeddings.position_embeddings"),
    "gpt2": ("wte", "wpe"),
    "opt": ("decoder.embed_tokens", "decoder.embed_positions"),
}


@pytest.mark.parametrize("name", list(TABLES))
def test_token_and_position_are_what_the_model_looks_up(name: str, tmp_path: Path) -> None:
    model = build(name)
    model.save_pretrained(tmp_path)
    seen: list[Tensor] = []
    for place in TABLES[name]:
        model.get_submodule(place).register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        model(**inputs(name))
    tables = read_tables(tmp_path)
    assert tables.positions is not None
    tokens, places = tables.tokens[inputs(name)["input_ids"][0]], tables.positions[:T]
    found = sorted((each.reshape(T, -1) for each in seen), key=lambda x: (x - tokens).norm())
    torch.testing.assert_close(found[0], tokens)
    torch.testing.assert_close(found[1], places)


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2"])
def test_the_library_loads_what_was_written_back(name: str, tmp_path: Path) -> None:
    model = build(name)
    model.save_pretrained(tmp_path / "old")
    positions = read_tables(tmp_path / "old").positions
    assert positions is not None
    (tmp_path / "new").mkdir()
    save_positions(tmp_path / "old", tmp_path / "new" / "model.safetensors", positions + 1)
    config = (tmp_path / "old" / "config.json").read_bytes()
    (tmp_path / "new" / "config.json").write_bytes(config)
    loaded = type(model).from_pretrained(tmp_path / "new")
    place = TABLES[name][1]
    moved = loaded.get_submodule(place).weight - model.get_submodule(place).weight
    start = len(moved) - len(positions)
    torch.testing.assert_close(moved[start:], torch.ones_like(moved[start:]))
    assert not moved[:start].any()
    rest = {k: v for k, v in model.state_dict().items() if k != f"{place}.weight"}
    assert all(torch.equal(loaded.state_dict()[key], values) for key, values in rest.items())


def test_patches_are_what_a_model_of_images_makes_of_them(tmp_path: Path) -> None:
    model = build("vit")
    model.save_pretrained(tmp_path)
    tables = read_tables(tmp_path)
    lit = torch.zeros(1, 3, 8, 8)
    lit[0, 1, 2, 3] = 1
    with torch.no_grad():
        patches = model.get_submodule("embeddings.patch_embeddings")(lit)[0]
    assert tables.labels is not None
    row = tables.labels.index("colour 1, row 2, col 3")
    torch.testing.assert_close(tables.tokens[row], patches[0])


WORDS = ["the", "na\u00efve", "\u4e2d\u6587", "a\u00a0b"]
VECTORS = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_vectors_that_gensim_wrote(tmp_path: Path, binary: bool, suffix: str) -> None:
    models = pytest.importorskip("gensim.models")
    vectors = models.KeyedVectors(5)
    vectors.add_vectors(WORDS, VECTORS)
    path = tmp_path / f"vectors{suffix}"
    vectors.save_word2vec_format(str(path), binary=binary)
    tables = read_tables(path)
    assert tables.labels == tuple(vectors.index_to_key)
    np.testing.assert_array_equal(tables.tokens.numpy(), vectors.vectors)
    vectors.save(str(tmp_path / "vectors.kv"))
    with pytest.raises(OSError, match="is a pickle, which is never opened"):
        read_tables(tmp_path / "vectors.kv")


def test_vectors_that_spacy_wrote(tmp_path: Path) -> None:
    spacy: Any = pytest.importorskip("spacy")
    importlib.import_module("spacy.lang.en")
    pipeline = spacy.blank("en")
    for word, vector in zip(WORDS, VECTORS, strict=True):
        pipeline.vocab.set_vector(word, vector)
    pipeline.to_disk(tmp_path)
    tables = read_tables(tmp_path)
    assert tables.labels is not None
    assert set(tables.labels) == set(WORDS)
    for word, row in zip(tables.labels, tables.tokens, strict=True):
        np.testing.assert_array_equal(row.numpy(), pipeline.vocab.get_vector(word))
