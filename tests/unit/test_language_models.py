"""The Python face of language models: settings, generation, scores, tables, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch.nn import functional

from orthogan import rng
from orthogan.analysis.api import analyze
from orthogan.attention import attention_weights, causal_mask, key_names
from orthogan.attention.dual import dual_queries
from orthogan.classification import model as classifier_model
from orthogan.errors import BundleError, ConfigError, DataError, UnknownNameError
from orthogan.language import api as language_models
from orthogan.language import model as language_model
from orthogan.language import tables_of_language
from orthogan.language.model import LanguageModel
from orthogan.language.tables import tables_of_network
from orthogan.language.tokenizer import Tokenizer
from orthogan.language.transformer import LanguageNetworkConfig, LanguageTransformer, Positions
from orthogan.models import generator
from orthogan.models.bundle import load_bundle, save_bundle


@pytest.fixture
def trained(learn_tiny, tmp_path: Path) -> LanguageModel:
    found: LanguageModel = learn_tiny(
        tmp_path / "trained", "precision=float32", "optimizer.learning_rate=0.05"
    ).load()
    return found


# ---- settings


def test_later_words_win_over_earlier_ones(tiny_text: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("batch_size = 8\nseed = 5\n[network]\nwidth = 16\n[optimizer]\nbeta1 = 0.5")
    config = language_models.resolve_language(
        tiny_text,
        config=file,
        seed=7,
        tokens=1000,
        tokenizer="bytes",
        settings=["batch_size=4", "network.blocks=1"],
    )
    assert (config.batch_size, config.optimizer.beta1, config.seed) == (4, 0.5, 7)
    assert config.budget.to_dict() == {"tokens": 1000, "seconds": None}
    assert (config.data.source, config.data.tokenizer) == (str(tiny_text), "bytes")
    assert (config.network.width, config.network.blocks, config.network.vocabulary) == (16, 1, 256)
    assert config.precision in {"float32", "bfloat16"}
    file.with_suffix(".json").write_text(json.dumps(config.to_dict()))
    assert language_models.resolve_language(config=file.with_suffix(".json")) == config


def test_budgets(tiny_text: Path) -> None:
    assert language_models.resolve_language(tiny_text).budget.seconds == 300
    assert language_models.resolve_language(tiny_text, minutes=2.0).budget.seconds == 120


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"minutes": 1.0, "tokens": 10}, ConfigError, "exclude one another"),
        ({"tokens": 0}, ConfigError, "tokens"),
        ({"tokenizer": "word"}, UnknownNameError, "Did you mean 'words'"),
        ({"settings": ["batchsize=3"]}, ConfigError, "Did you mean 'batch_size'"),
        ({"settings": ["network.score=sofmax"]}, UnknownNameError, "softmax"),
        ({"settings": ["network.heads=7"]}, ConfigError, "multiple of heads = 7"),
        ({"settings": ["budget.tokens=5"]}, ConfigError, "either tokens or seconds"),
        ({"settings": ["data.held_out=1"]}, ConfigError, "held_out"),
        ({"settings": ["network.context=5000"]}, DataError, "shorter context"),
        ({"seed": -1}, ConfigError, "seed"),
        ({"config": "nowhere.toml"}, ConfigError, "nowhere.toml"),
    ],
)
def test_impossible_requests_are_refused(
    tiny_text: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        language_models.resolve_language(tiny_text, **options)


def test_the_shipped_corpus_is_the_default() -> None:
    assert language_models.resolve_language().data.source == "austen"
    with pytest.raises(ConfigError, match="Name the text to learn from"):
        language_models.resolve_language("")
    with pytest.raises(DataError, match="neither an existing text file"):
        language_models.resolve_language("nowhere.txt")


def test_devices_threads_and_the_default_run_folder(
    learn_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="Unknown device 'gpu'"):
        learn_tiny(None, device="gpu")
    assert not Path("runs").exists()
    run = learn_tiny(None, tokens=32, seed=3, threads=1)
    assert run.path == Path("runs/rhyme-language-3")
    tree = json.loads(json.dumps(run.to_dict(), allow_nan=False))
    assert tree["path"] == "runs/rhyme-language-3"
    torch.set_num_threads(2)
    learn_tiny(None, tokens=32, seed=3)
    assert torch.get_num_threads() == 1  # as many as it had
    assert len(language_model.load_language("rhyme-language-3", threads=2).tokenizer) == 12
    assert torch.get_num_threads() == 2
    with pytest.raises(UnknownNameError, match="Unknown device 'gpu'"):
        language_model.load_language("rhyme-language-3", device="gpu")


def test_settings_without_effect_are_told(learn_tiny, tmp_path: Path, capsys) -> None:
    learn_tiny(
        tmp_path / "run",
        "optimizer.weight_decay=0.5",
        "data.min_count=2",
        tokens=32,
        tokenizer="bytes",
        show_progress=True,
    )
    said = capsys.readouterr().err
    assert "optimizer.weight_decay has no effect with optimizer.kind=muon." in said
    assert "data.min_count has no effect with data.tokenizer=bytes." in said


# ---- a trained model


def test_text_goes_on(trained: LanguageModel) -> None:
    first = trained.generate("the cat", length=40)
    assert len(first) == 40
    assert trained.generate("the cat", length=40) == first
    assert trained.generate("the cat", length=40, seed=1) != first
    assert trained.generate("sat on", length=40) != first
    assert trained.generate(length=5, temperature=0.0) == trained.generate(".", length=5, top=1)
    assert "\N{REPLACEMENT CHARACTER}" not in trained.generate("the", length=60, temperature=99.0)
    with pytest.raises(ConfigError, match="At least 1 token"):
        trained.generate(length=0)


def test_a_prompt_that_is_no_unicode_is_refused(trained: LanguageModel) -> None:
    with pytest.raises(ConfigError, match=r"Character 4 of the prompt is half of a surrogate"):
        trained.generate("caf\udce9", length=1)


def test_words_and_bytes_go_on(learn_tiny, tmp_path: Path) -> None:
    words = learn_tiny(tmp_path / "words", "network.embedding=4", tokenizer="words")
    assert words.scores["perplexity"] > 1
    text = words.load().generate("The cat", length=6)
    assert set(text.replace(".", "").split()) <= {"the", "cat", "sat", "on", "mat"}
    model = learn_tiny(tmp_path / "bytes", tokens=32, tokenizer="bytes").load()
    assert isinstance(model.generate("\u00e9", length=4), str)


def test_the_score_of_another_text(trained: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text("the cat sat on the mat. " * 9)
    (tmp_path / "other.txt").write_text("tam eht no tas tac eht. " * 9)
    same, other = (trained.score(tmp_path / name) for name in ("same.txt", "other.txt"))
    assert same.bits < other.bits
    assert same.num_tokens == 24 * 9 - 1


def test_attention_of_a_text(trained: LanguageModel) -> None:
    maps = trained.attention("the cat")
    assert maps.shape == (1, 2, 7, 7)
    assert bool((maps.triu(1) == 0).all())


# ---- tables


LETTERS = Tokenizer("characters", tuple(" aehmt"))


def fresh(**settings: Any) -> LanguageTransformer:
    tiny = {"vocabulary": 6, "context": 8, "width": 8, "heads": 2, "blocks": 1}
    with rng.initialization(0, "language test"):
        network = LanguageNetworkConfig(**(tiny | settings)).build().double()
    block: Any = network.blocks[0]
    block.attention_norm.weight.data += torch.linspace(-0.5, 0.5, 8)
    return network.requires_grad_(False)


@pytest.mark.parametrize(
    ("keys", "size"),
    [*((name, None) for name in key_names() if name != "whitened"), ("learned", 4)],
)
def test_the_heads_of_the_tables_make_the_logits(keys: str, size: int | None) -> None:
    network = fresh(keys=keys, key_size=size, positions="learned", embedding=3)
    text = "the mat"
    found = tables_of_network(network, LETTERS)
    assert found.labels is not None
    assert found.positions is not None
    rows = [found.labels.index(letter) for letter in text]
    tokens = found.tokens[rows] + found.positions[: len(text)]
    torch.testing.assert_close(tokens, network.embed(LETTERS.encode(text)[None])[0])
    read = functional.rms_norm(tokens, (8,))
    (layer,) = found.heads
    query, key, value = (
        torch.stack([read @ getattr(head, name) for head in layer])[None]
        for name in ("query", "key", "value")
    )
    if keys == "dual":  # corrected by what each place may read
        query = dual_queries(query, key, 1.0, causal_mask(len(text)))
        assert "before their correction" in found.notes[-1]
    expected = attention_weights(query, key, mask=causal_mask(len(text)))
    maps = network.attention_maps(LETTERS.encode(text)[None])[0]
    torch.testing.assert_close(expected[0], maps[0], rtol=1e-12, atol=1e-12)
    block: Any = network.blocks[0]
    _, values = block.attention.key_value(block.attention_norm(tokens)).split(
        [block.attention.num_projected, 8], dim=-1
    )
    torch.testing.assert_close(value[0].transpose(0, 1).flatten(1), values)


@pytest.mark.parametrize("positions", get_args(Positions))
def test_tables_say_where_positions_act(positions: str) -> None:
    found = tables_of_network(fresh(positions=positions), LETTERS)
    moved = positions in {"sinusoidal", "learned"}
    assert (found.positions is not None) == moved
    said = " ".join(found.notes).lower()
    assert ("tokens are not displaced" in said) != moved


def test_the_tables_of_a_bundle(trained: LanguageModel) -> None:
    found = tables_of_language(load_bundle(trained.path, "language"))
    assert torch.equal(found.tokens, trained.tables().tokens)
    assert found.labels == trained.tokenizer.entries
    assert found.source == str(trained.path)
    assert len(tables_of_language(load_bundle(trained.path, "language"), limit=2).tokens) == 2


def test_the_first_tokens_alone(trained: LanguageModel) -> None:
    few = trained.tables(limit=3)
    assert len(few.tokens) == 3
    assert few.labels == ("<unk>", *few.labels[1:])
    assert torch.equal(few.tokens, trained.tables().tokens[:3])
    with pytest.raises(ConfigError, match="limit is at least 1"):
        trained.tables(limit=0)


def test_an_analysis_of_a_language_model() -> None:
    network = fresh(positions="sinusoidal").float()
    found = analyze(tables_of_network(network, LETTERS))
    assert found.own
    assert found.flip_count is not None
    assert list(found.heads) == ["blocks.0.attention"]
    assert found.to_dict()["tokens"] == 6


# ---- refusals


def test_networks_of_other_kinds_are_refused(learn_tiny, classify_tiny, tmp_path: Path) -> None:
    learn_tiny(tmp_path / "language", tokens=32)
    classify_tiny(tmp_path / "classifier", images=16)
    for load in (generator.load, classifier_model.load_classifier):
        with pytest.raises(BundleError, match=r"a language model, not a .*; use it with"):
            load(tmp_path / "language")
    with pytest.raises(BundleError, match="holds a classifier, not a language model; use it with"):
        language_model.load_language(tmp_path / "classifier")


def test_damaged_models_are_refused(learn_tiny, tmp_path: Path) -> None:
    learn_tiny(tmp_path / "run", tokens=32)

    def changed(change: Callable[[dict[str, Any]], None]) -> Path:
        folder = tmp_path / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "run" / "bundle", folder)
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    load = language_model.load_language
    assert load(changed(lambda _: None)).network.config.width == 8
    with pytest.raises(BundleError, match="weights do not fit the network"):
        load(changed(lambda c: c["language"].update(width=16)))
    with pytest.raises(BundleError, match="no network can be built"):
        load(changed(lambda c: c["language"].update(score="quantum")))
    with pytest.raises(BundleError, match="newer orthogan"):
        load(changed(lambda c: c.update(format=99)))
    with pytest.raises(BundleError, match="checksum differs"):
        load(changed(lambda c: c["data"].update(vocabulary_sha256="0")))
    folder = changed(lambda _: None)
    (folder / "vocabulary.json").write_text('{"tokeniser": "words", "entries": ["a", "b"]}')
    with pytest.raises(BundleError, match=r"vocabulary\.json: damaged"):
        load(folder)
    (folder / "vocabulary.json").unlink()
    with pytest.raises(BundleError, match=r"vocabulary\.json: cannot be read"):
        load(folder)


def test_a_vocabulary_of_another_size_is_refused(learn_tiny, tmp_path: Path) -> None:
    learn_tiny(tmp_path / "run", tokens=32)
    stored = load_bundle(tmp_path / "run" / "bundle", "language")
    save_bundle(
        tmp_path / "other",
        role="language",
        network_config=stored.network_config,
        vocabulary={"tokeniser": "words", "entries": ["a", "b"]},
        tensors=stored.tensors,
        data={},
        card={},
    )
    with pytest.raises(BundleError, match="the vocabulary has 2 entries, the network 12"):
        language_model.load_language(tmp_path / "other")
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        save_bundle(tmp_path, role="language", network_config={}, tensors={}, data={}, card={})
