"""Writing positions back: the copy differs in these bytes and in no other."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from orthogan import files
from orthogan.embeddings import read_tables, save, save_positions
from orthogan.errors import (
    ConfigError,
    DataError,
    OrthoganError,
    ShapeError,
    StorageError,
    UnknownNameError,
)

SOURCE = torch.Generator().manual_seed(0)
TENSORS = {
    "a.first": torch.randn(3, 3, generator=SOURCE),
    "wte.weight": torch.randn(7, 4, generator=SOURCE),
    "wpe.weight": torch.randn(5, 4, generator=SOURCE),
    "z.last": torch.arange(5),
}
NEW = torch.randn(5, 4, generator=SOURCE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path, metadata={"format": "pt", "note": "kept"})
    return path


@pytest.mark.parametrize("chunk", [1, 7, 2**20])
def test_only_the_positions_differ(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(save, "CHUNK_BYTES", chunk)
    before = source.read_bytes()
    out = tmp_path / "new.safetensors"
    assert save_positions(source, str(out), NEW) == out
    assert source.read_bytes() == before
    assert len(out.read_bytes()) == len(before)
    written = load_file(out)
    for name, values in (TENSORS | {"wpe.weight": NEW}).items():
        assert torch.equal(written[name], values), name
    with safe_open(out, "pt") as handle:
        assert handle.metadata() == {"format": "pt", "note": "kept"}
    tables = read_tables(out)
    assert tables.positions is not None
    assert torch.equal(tables.positions, NEW)


def test_what_was_read_is_written_back_byte_for_byte(source: Path, tmp_path: Path) -> None:
    positions = read_tables(source).positions
    assert positions is not None
    out = save_positions(source.parent, tmp_path / "new.safetensors", positions)
    assert out.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_type_stays(tmp_path: Path, dtype: torch.dtype) -> None:
    source = tmp_path / "a.safetensors"
    save_file({"wpe.weight": TENSORS["wpe.weight"].to(dtype)}, source)
    out = save_positions(source, tmp_path / "b.safetensors", NEW.double())
    assert torch.equal(load_file(out)["wpe.weight"], NEW.double().to(dtype))


def test_padding_rows_stay(tmp_path: Path) -> None:
    table = torch.randn(14, 4, generator=SOURCE)
    source = tmp_path / "model.safetensors"
    save_file({"embeddings.position_embeddings.weight": table}, source)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta", "pad_token_id": 1}))
    new = torch.randn(12, 4, generator=SOURCE)
    written = load_file(save_positions(tmp_path, tmp_path / "out.st", new))
    assert torch.equal(
        written["embeddings.position_embeddings.weight"], torch.cat([table[:2], new])
    )


def test_positions_of_images_keep_their_axis(tmp_path: Path) -> None:
    source = tmp_path / "a.safetensors"
    save_file({"pos_embed": torch.zeros(1, 5, 4)}, source)
    written = load_file(save_positions(source, tmp_path / "b.safetensors", NEW.T.contiguous().T))
    assert torch.equal(written["pos_embed"], NEW[None])


def test_the_tensor_can_be_named(source: Path, tmp_path: Path) -> None:
    new = torch.ones(7, 4)
    written = load_file(save_positions(source, tmp_path / "b.st", new, name="wte.weight"))
    assert torch.equal(written["wte.weight"], new)
    assert torch.equal(written["wpe.weight"], TENSORS["wpe.weight"])
    with pytest.raises(UnknownNameError, match=r"Did you mean 'wte\.weight'"):
        save_positions(source, tmp_path / "c.st", new, name="wte.weights")


def test_the_source_is_never_overwritten(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    (tmp_path / "link").symlink_to(source)
    os.link(source, tmp_path / "hard")
    for out in (source, tmp_path / "link", tmp_path / "hard", tmp_path / "." / source.name):
        with pytest.raises(ConfigError, match="never overwritten"):
            save_positions(source, out, NEW)
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("positions", "error", "message"),
    [
        (NEW[:4], ShapeError, r"holds positions of shape \(5, 4\), got \(4, 4\)"),
        (NEW.T, ShapeError, r"got \(4, 5\)"),
        (NEW[None], ShapeError, r"got \(1, 5, 4\)"),
        (NEW / 0, DataError, "positions holds NaN or infinite values"),
        (NEW.long(), DataError, "floating point"),
    ],
)
def test_unusable_positions(
    source: Path, tmp_path: Path, positions: torch.Tensor, error: type[OrthoganError], message: str
) -> None:
    with pytest.raises(error, match=message):
        save_positions(source, tmp_path / "new.st", positions)
    assert not (tmp_path / "new.st").exists()


def test_values_too_large_for_the_type_of_the_file(tmp_path: Path) -> None:
    source = tmp_path / "a.safetensors"
    save_file({"wpe.weight": TENSORS["wpe.weight"].half()}, source)
    with pytest.raises(DataError, match="stores positions as F16, in which these are infinite"):
        save_positions(source, tmp_path / "b.st", NEW * 1e6)


def test_places_that_cannot_be_used(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; name the file"):
        save_positions(source, tmp_path, NEW)
    with pytest.raises(ConfigError, match="is no folder; make it"):
        save_positions(source, tmp_path / "none" / "a.st", NEW)
    with pytest.raises(DataError, match="no such file"):
        save_positions(tmp_path / "none.safetensors", tmp_path / "a.st", NEW)
    save_file({"x": NEW}, tmp_path / "plain.st")
    with pytest.raises(DataError, match="no position table that is recognised"):
        save_positions(tmp_path / "plain.st", tmp_path / "a.st", NEW)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    shards = {
        "model-1.safetensors": ("wte.weight", "a.first"),
        "model-2.safetensors": ("wpe.weight",),
    }
    for shard, names in shards.items():
        save_file({name: TENSORS[name] for name in names}, folder / shard, metadata={"of": shard})
    places = {name: shard for shard, names in shards.items() for name in names}
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    (folder / "vocab.txt").write_text("\n".join("abcdefg"))
    return folder


@pytest.mark.parametrize("by", ["", "model.safetensors.index.json"])
def test_a_model_in_several_files_is_saved_as_a_folder(
    sharded: Path, tmp_path: Path, by: str
) -> None:
    before = {path.name: path.read_bytes() for path in sharded.iterdir()}
    out = save_positions(sharded / by, tmp_path / "new", NEW)
    assert {path.name: path.read_bytes() for path in sharded.iterdir()} == before
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert [name for name in after if after[name] != before[name]] == ["model-2.safetensors"]
    tables = read_tables(out)
    assert tables.positions is not None
    assert torch.equal(tables.positions, NEW)
    assert torch.equal(tables.tokens, TENSORS["wte.weight"])
    assert tables.labels == tuple("abcdefg")


def test_a_shard_that_is_missing_leaves_nothing_behind(sharded: Path, tmp_path: Path) -> None:
    (sharded / "model-1.safetensors").unlink()
    for source in (sharded, sharded / "model.safetensors.index.json"):
        with pytest.raises(DataError, match=r"model-1\.safetensors: missing, although model\."):
            save_positions(source, tmp_path / "new", NEW)
        with pytest.raises(DataError, match=r"model-1\.safetensors: missing, although model\."):
            read_tables(source)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_not_written_into(sharded: Path, tmp_path: Path) -> None:
    for place in (sharded, tmp_path / "file"):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(ConfigError, match="into a folder of its own; name one that is new"):
            save_positions(sharded, place, NEW)
    (tmp_path / "empty").mkdir()
    assert save_positions(sharded, tmp_path / "empty", NEW).is_dir()
    alone = save_positions(sharded / "model-2.safetensors", tmp_path / "one.st", NEW)
    assert torch.equal(load_file(alone)["wpe.weight"], NEW)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("llama", "no positions can be written: rotary model"),
        ("marian", "no positions can be written: the library of 'marian' computes them"),
    ],
)
def test_families_that_store_no_positions(tmp_path: Path, kind: str, why: str) -> None:
    save_file({"model.shared.weight": TENSORS["wte.weight"]}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(DataError, match=why):
        save_positions(tmp_path, tmp_path / "new.st", NEW)


def test_a_full_disk_leaves_what_was_there(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new.st"
    out.write_bytes(b"old")

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(StorageError, match="disk is full"):
        save_positions(source, out, NEW)
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.safetensors", "new.st"]
