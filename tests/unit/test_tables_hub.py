"""Models of the hub, against a stand-in for `huggingface_hub`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from orthogan.embeddings import read_tables
from orthogan.errors import DataError, MissingExtraError

TOKENS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Hub:
    """A hub whose files lie in a folder; remembers what was fetched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []
        self.error: Exception | None = None

    def list_repo_files(self, name: str) -> list[str]:
        if self.error is not None:
            raise self.error
        assert name == "someone/model"
        files = (p for p in self.folder.rglob("*") if p.is_file())
        return [str(path.relative_to(self.folder)) for path in files]

    def hf_hub_download(self, name: str, file: str) -> str:
        assert name == "someone/model"
        if not (self.folder / file).is_file():
            raise FileNotFoundError(f"404 for {file}\nmore")
        self.fetched.append(file)
        return str(self.folder / file)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    stand_in = Hub(tmp_path)
    module = SimpleNamespace(
        list_repo_files=stand_in.list_repo_files, hf_hub_download=stand_in.hf_hub_download
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return stand_in


def test_only_safe_files_are_fetched(hub: Hub) -> None:
    save_file({"wte.weight": TOKENS}, hub.folder / "model.safetensors")
    (hub.folder / "vocab.txt").write_text("a\nb\nc\nd\n")
    (hub.folder / "config.json").write_text('{"model_type": "gpt2"}')
    (hub.folder / "onnx").mkdir()
    for name in ("pytorch_model.bin", "modeling_own.py", "README.md", "onnx/model.safetensors"):
        (hub.folder / name).write_bytes(b"x")
    tables = read_tables("hf:someone/model")
    assert torch.equal(tables.tokens, TOKENS)
    assert tables.labels == ("a", "b", "c", "d")
    assert sorted(hub.fetched) == ["config.json", "model.safetensors", "vocab.txt"]
    assert tables.source == "hf:someone/model"
    assert read_tables("hf:someone/model", limit=2).labels == ("a", "b")


def test_models_in_several_files(hub: Hub) -> None:
    save_file({"wte.weight": TOKENS}, hub.folder / "model-1.safetensors")
    index = hub.folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"wte.weight": "model-1.safetensors"}}))
    assert torch.equal(read_tables("hf:someone/model").tokens, TOKENS)
    index.write_text(json.dumps({"weight_map": {"wte.weight": "model-2.safetensors"}}))
    with pytest.raises(DataError, match=r"cannot be fetched: 404 for model-2\.safetensors$"):
        read_tables("hf:someone/model")
    index.write_text("{}")
    for places in ([1], 3, "x", {}, None):
        index.write_text(json.dumps({"weight_map": places}))
        with pytest.raises(DataError, match="has no 'weight_map'"):
            read_tables("hf:someone/model")
    index.write_text(json.dumps({"weight_map": {"wte.weight": "../x.safetensors"}}))
    with pytest.raises(DataError, match="is not the name of a safetensors file beside it"):
        read_tables("hf:someone/model")
    index.write_text("{}")
    with pytest.raises(DataError, match="has no 'weight_map'"):
        read_tables("hf:someone/model")


def test_a_model_of_pickles_is_refused(hub: Hub) -> None:
    (hub.folder / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(
        DataError,
        match=r"only as pytorch_model\.bin: .*from_pretrained\('someone/model'\)\.save_pretrained",
    ):
        read_tables("hf:someone/model")
    assert hub.fetched == []


def test_nothing_to_read(hub: Hub) -> None:
    with pytest.raises(DataError, match=r"holds no \.safetensors file"):
        read_tables("hf:someone/model")


@pytest.mark.parametrize(
    "error", [ConnectionError("no network"), ValueError("bad name\nmore"), RuntimeError()]
)
def test_failures_are_one_sentence(hub: Hub, error: Exception) -> None:
    hub.error = error
    with pytest.raises(DataError, match=r"hf:someone/model: cannot be fetched: \w+") as caught:
        read_tables("hf:someone/model")
    assert "\n" not in str(caught.value)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"orthogan\[hub\]"):
        read_tables("hf:someone/model")
