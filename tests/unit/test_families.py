"""Families of models: small checkpoints of which the sum of token and position is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from orthogan.analysis.api import analyze
from orthogan.embeddings import Tables, read_tables
from orthogan.embeddings.families import Family, Formula, computed_rows, family_of, known_families
from orthogan.errors import DataError

D = 16
SOURCE = torch.Generator().manual_seed(3)
TOKENS = torch.randn(12, D, generator=SOURCE)
PLACES = torch.randn(10, D, generator=SOURCE)
BERT = {"word_embeddings": "embeddings.word_embeddings.weight",
        "places": "embeddings.position_embeddings.weight"}  # fmt: skip
BART = {"word_embeddings": "model.encoder.embed_tokens.weight",
        "places": "model.encoder.embed_positions.weight"}  # fmt: skip


def read(folder: Path, config: dict[str, Any], **tensors: Tensor) -> Tables:
    save_file({k.replace("/", "."): v for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return read_tables(folder)


# Kind, settings, names of both tables, factor of the tokens, first row of the positions.
STORED = [
    ("bert", {}, BERT, 1.0, 0),
    ("roberta", {"pad_token_id": 1}, BERT, 1.0, 2),
    ("xlm-roberta", {"pad_token_id": 4}, BERT, 1.0, 5),
    ("mra", {}, BERT, 1.0, 2),
    ("big_bird", {"rescale_embeddings": True}, BERT, 4.0, 0),
    ("bart", {"scale_embedding": True}, BART, 4.0, 2),
    ("bart", {"scale_embedding": False}, BART, 1.0, 2),
    ("bart", {}, BART, 1.0, 2),
    ("biogpt", {}, BART, 4.0, 2),
    ("plbart", {"scale_embedding": False}, BART, 1.0, 2),
    ("blenderbot", {"scale_embedding": True}, BART, 4.0, 0),
    ("opt", {}, BART, 1.0, 2),
    ("deberta", {}, BERT, 1.0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings", "names", "scale", "first"), STORED)
def test_the_sum_is_that_of_the_family(
    tmp_path: Path, kind: str, settings: Any, names: Any, scale: float, first: int
) -> None:
    config = {"model_type": kind, "hidden_size": D} | settings
    tensors = {names["word_embeddings"]: TOKENS, names["places"]: PLACES}
    tables = read(tmp_path, config, **tensors)
    assert torch.equal(tables.tokens, scale * TOKENS)
    assert tables.positions is not None
    assert torch.equal(tables.positions, PLACES[first:])
    assert tables.codes == "own"
    assert any("multiplied by 4" in note for note in tables.notes) == (scale == 4)


NONE = [
    ("llama", {"rope_theta": 1e4}, "queries and keys are turned"),
    ("roformer", {}, "queries and keys are turned"),
    ("bert", {"position_embedding_type": "relative_key"}, "relative position bias"),
    ("bert", {"position_embedding_type": "relative_key_query"}, "relative position bias"),
    ("esm", {"position_embedding_type": "rotary"}, "queries and keys are turned"),
    ("deberta-v2", {"position_biased_input": False}, "relative position bias"),
    ("falcon", {"alibi": True}, "ALiBi"),
    ("falcon", {"alibi": False}, "queries and keys are turned"),
    ("bloom", {}, "ALiBi"),
    ("t5", {}, "relative position bias"),
    ("mamba", {}, "one after the other"),
]


@pytest.mark.parametrize(("kind", "settings", "why"), NONE)
def test_nothing_is_added_and_a_table_that_lies_there_is_not_used(
    tmp_path: Path, kind: str, settings: dict[str, Any], why: str
) -> None:
    tensors = {BERT["word_embeddings"]: TOKENS, BERT["places"]: PLACES}
    tables = read(tmp_path, {"model_type": kind} | settings, **tensors)
    assert (tables.codes, tables.positions) == ("none", None)
    assert any(why in note for note in tables.notes)
    found = analyze(tables, corrections=())
    assert found.codes is None  # never sinusoids in their stead


def test_the_factor_of_a_family_without_codes(tmp_path: Path) -> None:
    name = "model.embed_tokens.weight"
    for kind, settings, factor in (
        ("gemma2", {}, 4.0),
        ("granite", {"embedding_multiplier": 12.0}, 12.0),
        ("granite", {"embedding_multiplier": "much"}, 1.0),
        ("llama", {"scale_embedding": True}, 1.0),
    ):
        tables = read(tmp_path, {"model_type": kind} | settings, **{name: TOKENS})
        assert torch.equal(tables.tokens, factor * TOKENS), kind


def halved(first: int, count: int, steps: float) -> Tensor:
    """Sines and cosines by the formula, in plain Python."""
    angles = [
        [p / 10000 ** (i / steps) for i in range(D // 2)] for p in range(first, first + count)
    ]
    rows = [[*map(math.sin, row), *map(math.cos, row)] for row in angles]
    return torch.tensor(rows)


@pytest.mark.parametrize(
    ("kind", "settings", "first", "steps", "scale"),
    [
        ("marian", {"scale_embedding": True}, 0, D / 2, 4.0),
        ("pegasus", {}, 0, D / 2, 1.0),
        ("xglm", {}, 2, D / 2 - 1, 4.0),
        ("m2m_100", {"pad_token_id": 1}, 2, D / 2 - 1, 4.0),
        ("fsmt", {"pad_token_id": 5}, 6, D / 2 - 1, 4.0),
    ],
)
def test_computed_sinusoids(
    tmp_path: Path, kind: str, settings: Any, first: int, steps: float, scale: float
) -> None:
    config = {"model_type": kind, "max_position_embeddings": 7} | settings
    tables = read(tmp_path, config, **{"model.shared.weight": TOKENS})
    assert torch.equal(tables.tokens, scale * TOKENS)
    assert tables.positions is not None
    torch.testing.assert_close(tables.positions, halved(first, 7, steps), rtol=0, atol=1e-6)
    assert tables.codes == "own"
    assert any("are computed as the library" in note for note in tables.notes)


def test_the_row_of_the_padding_token_is_zero_where_the_library_has_it_so(tmp_path: Path) -> None:
    for kind, padding, zero in (("xglm", 1, None), ("xglm", 3, 1), ("m2m_100", 3, None)):
        config = {"model_type": kind, "pad_token_id": padding}
        rows = read(tmp_path, config, **{"model.shared.weight": TOKENS}).positions
        assert rows is not None
        assert [n for n, row in enumerate(rows) if not row.any()] == (
            [] if zero is None else [zero]
        )


def test_the_order_of_sines_and_cosines() -> None:
    cosine_first = computed_rows(Formula(is_cosine_first=True), 1, 1, 4)[0]
    in_turns = computed_rows(Formula(is_halved=False), 1, 1, 5)[0]
    sines, cosines = [math.sin(1), math.sin(0.01)], [math.cos(1), math.cos(0.01)]
    assert cosine_first.tolist() == pytest.approx([*cosines, *sines], abs=1e-6)
    steps = 10000 ** (-1 / 2.5)
    assert in_turns.tolist() == pytest.approx(
        [sines[0], cosines[0], math.sin(steps), math.cos(steps), 0.0], abs=1e-6
    )


def test_tokens_are_projected_to_the_width_of_the_sum(tmp_path: Path) -> None:
    narrow, matrix = TOKENS[:, :6].contiguous(), torch.randn(D, 6, generator=SOURCE)
    tensors = {
        "model.decoder.embed_tokens.weight": narrow,
        "model.decoder.embed_positions.weight": PLACES,
        "model.decoder.project_in.weight": matrix,
    }
    config = {"model_type": "opt", "hidden_size": D, "word_embed_proj_dim": 6}
    tables = read(tmp_path, config, **tensors)
    torch.testing.assert_close(tables.tokens, narrow @ matrix.T)
    assert tables.positions is not None
    assert torch.equal(tables.positions, PLACES[2:])


def test_an_unknown_family_is_called_unknown_and_gets_no_sinusoids(tmp_path: Path) -> None:
    config = {"model_type": "nobody-knows"}
    tables = read(tmp_path, config, **{"wte.weight": TOKENS})
    assert (tables.codes, tables.positions) == ("unknown", None)
    assert any("'nobody-knows' is not known here" in note for note in tables.notes)
    assert analyze(tables, corrections=()).codes is None
    assert analyze(tables, corrections=(), num_positions=3).codes is not None
    tables = read(tmp_path, config, **{"wte.weight": TOKENS, "wpe.weight": PLACES})
    assert tables.codes == "unknown"
    assert tables.positions is not None
    assert any("'wpe.weight' is read, but whether" in note for note in tables.notes)
    plain = read_tables(
        tmp_path / "model.safetensors", embedding="wte.weight", positions="wpe.weight"
    )
    assert torch.equal(plain.tokens, TOKENS)


def test_settings_of_a_turn_beside_a_table_leave_an_unknown_family_unknown(tmp_path: Path) -> None:
    config = {"model_type": "nobody-knows", "rope_theta": 1e4}
    tables = read(tmp_path, config, **{"wte.weight": TOKENS, "wpe.weight": PLACES})
    assert tables.codes == "unknown"
    assert tables.positions is not None
    config = {"model_type": "x", "text_config": config, "vision_config": {"model_type": "vit"}}
    vision = {"visual.pos_embed": PLACES[None].clone()}
    tables = read(tmp_path, config, **{"wte.weight": TOKENS}, **vision)
    assert (tables.codes, tables.positions) == ("none", None)


def test_a_stored_table_that_is_not_there(tmp_path: Path) -> None:
    tables = read(tmp_path, {"model_type": "gpt2"}, **{"wte.weight": TOKENS})
    assert tables.codes == "unknown"
    assert any("adds a stored table of positions, and none" in note for note in tables.notes)


@pytest.mark.parametrize("kind", ["canine", "reformer"])
def test_sums_of_another_kind_are_refused_with_the_reason(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=f"family '{kind}' has no table of tokens to read: it"):
        read(tmp_path, {"model_type": kind}, **{"wte.weight": TOKENS})
    assert len(read_tables(tmp_path, embedding="wte.weight").tokens) == 12


def test_parts_of_a_nested_configuration(tmp_path: Path) -> None:
    config = {
        "model_type": "encoder-decoder",
        "encoder": {"model_type": "bert", "hidden_size": D},
        "decoder": {"model_type": "roberta", "pad_token_id": 2, "hidden_size": D},
    }
    tensors = {f"{side}.{name}": TOKENS for side in ("encoder", "decoder")
               for name in BERT.values() if "word" in name}  # fmt: skip
    tensors |= {f"{side}.{BERT['places']}": PLACES for side in ("encoder", "decoder")}
    tensors = {name: values.clone() for name, values in tensors.items()}
    encoder = read(tmp_path, config, **tensors)
    assert encoder.positions is not None
    assert len(encoder.positions) == 10
    decoder = read_tables(tmp_path, embedding=f"decoder.{BERT['word_embeddings']}")
    assert decoder.positions is not None
    assert torch.equal(decoder.positions, PLACES[3:])


def test_text_and_images_of_one_model(tmp_path: Path) -> None:
    config = {
        "model_type": "some-vlm",
        "text_config": {"model_type": "gemma2"},
        "vision_config": {"model_type": "siglip_vision_model", "image_size": 4, "patch_size": 2},
    }
    kernel = torch.randn(D, 3, 2, 2, generator=SOURCE)
    tensors = {
        "language_model.embed_tokens.weight": TOKENS,
        "vision_tower.embeddings.patch_embedding.weight": kernel,
        "vision_tower.embeddings.position_embedding.weight": PLACES[:4].clone(),
    }
    text = read(tmp_path, config, **tensors)
    assert (text.codes, text.positions) == ("none", None)
    assert torch.equal(text.tokens, 4 * TOKENS)
    images = read_tables(tmp_path, embedding="vision_tower.embeddings.patch_embedding.weight")
    assert (images.codes, images.grid, images.num_prefix) == ("own", (2, 2), 0)
    assert images.positions is not None
    assert torch.equal(images.positions, PLACES[:4])


def test_a_configuration_that_contradicts_the_table(tmp_path: Path) -> None:
    config = {"model_type": "x", "text_config": {"model_type": "gemma2", "hidden_size": 48}}
    with pytest.raises(DataError, match=r"says hidden_size 48, .* 16 columns"):
        read(tmp_path, config, **{"language_model.embed_tokens.weight": TOKENS})


@pytest.mark.parametrize(
    ("rows", "settings", "names", "grid", "before"),
    [
        (5, {"image_size": 4, "patch_size": 2}, ("cls_token",), (2, 2), 1),
        (6, {"image_size": 4, "patch_size": 2}, ("cls_token", "distillation_token"), (2, 2), 2),
        (6, {"image_size": [4, 6], "patch_size": 2}, (), (2, 3), 0),
        (5, {}, ("cls_token",), (2, 2), 1),
        (4, {}, (), (2, 2), 0),
        (7, {}, (), None, 0),
    ],
)
def test_the_grid_and_what_stands_before_it(
    tmp_path: Path, rows: int, settings: Any, names: Any, grid: Any, before: int
) -> None:
    tensors = {
        "embeddings.patch_embeddings.projection.weight": torch.randn(D, 3, 2, 2),
        "embeddings.position_embeddings": torch.randn(1, rows, D),
    } | {f"embeddings.{name}": torch.zeros(1, 1, D) for name in names}
    tables = read(tmp_path, {"model_type": "vit"} | settings, **tensors)
    assert (tables.grid, tables.num_prefix) == (grid, before)


@pytest.mark.parametrize(
    ("settings", "name", "shown"),
    [
        ({"quantization_config": {"quant_method": "gptq"}}, "x.qweight", r"\(gptq\): 'x.qweight'"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, None, r"config\.json says so"),
        ({}, "layers.0.q_proj.weight_packed", "holds packed weights"),
        ({}, "h.0.weight.quant_state.bitsandbytes__nf4", "holds packed weights"),
    ],
)
def test_quantised_checkpoints_are_refused_as_such(
    tmp_path: Path, settings: Any, name: str | None, shown: str
) -> None:
    tensors = {"wte.weight": TOKENS}
    if name is not None:
        tensors[name] = torch.zeros(4, 4, dtype=torch.uint8)
    with pytest.raises(DataError, match=f"the model is quantised.*{shown}.*dequantised"):
        read(tmp_path, {"model_type": "llama"} | settings, **tensors)


def test_every_known_family_says_how() -> None:
    for name in known_families():
        family = family_of(name, {})
        assert isinstance(family, Family), name
        assert family.codes in {"stored", "computed", "none", "refused"}, name
        assert bool(family.why) == (family.codes in {"none", "refused"}), name
        assert (family.formula is not None) == (family.codes == "computed"), name
        assert name == name.replace("-", "_")
