"""Checkpoints: exact round trip, rotation, and falling back when one is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from orthogan import files
from orthogan.errors import ConfigError, ResumeError, StorageError
from orthogan.training import checkpoint
from orthogan.training.checkpoint import load_checkpoint, save_checkpoint


def save(run: Path, images: int, keep: int = 3) -> Path:
    return save_checkpoint(run, images, {"w": torch.full((4,), float(images))}, {"i": images}, keep)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def loaded_images(run: Path) -> int:
    checkpoint = load_checkpoint(run)
    assert checkpoint is not None
    assert checkpoint.tensors["w"].tolist() == [checkpoint.images_seen] * 4
    assert checkpoint.state == {"i": checkpoint.images_seen}
    return checkpoint.images_seen


def as_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    (tmp_path / "checkpoints").mkdir()
    assert load_checkpoint(tmp_path) is None


def test_round_trip_keeps_every_bit_dtype_and_shape(tmp_path: Path) -> None:
    flat = torch.randn(6)
    tensors = {
        "view": flat[2:5],
        "whole": flat,
        "tied": flat,
        "strided": torch.randn(3, 4).T,
        "half": torch.randn(5).bfloat16(),
        "step": torch.tensor(7, dtype=torch.int64),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.tensor([float("nan"), -0.0])),
    }
    state = {"lr": 0.1 + 0.2, "best": float("inf"), "rng": [2**63 - 1], "nested": {"a": None}}
    folder = save_checkpoint(tmp_path, 1_234, tensors, state)
    assert folder == tmp_path / "checkpoints" / "000001234"
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert (checkpoint.images_seen, checkpoint.state, checkpoint.note) == (1_234, state, "")
    assert checkpoint.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        got = checkpoint.tensors[name]
        assert got.dtype == tensor.dtype
        assert got.shape == tensor.shape
        assert as_bytes(got) == as_bytes(tensor)


def test_latest_names_a_folder_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever a kill comes, `latest` has never named a checkpoint that is not whole."""
    write = checkpoint.write_atomic

    def written(path: Path, data: bytes) -> None:
        assert (path.parent / data.decode() / "state.json").exists()
        write(path, data)

    monkeypatch.setattr(checkpoint, "write_atomic", written)
    save(tmp_path, 16)
    save(tmp_path, 32)
    assert (tmp_path / "checkpoints" / "latest").read_text() == "000000032"


def test_rotation_keeps_the_last_ones(tmp_path: Path) -> None:
    for images in range(100, 600, 100):
        save(tmp_path, images)
    assert names(tmp_path) == ["000000300", "000000400", "000000500", "latest"]
    save(tmp_path, 600, keep=1)
    assert names(tmp_path) == ["000000600", "latest"]


def test_rotation_drops_the_course_that_was_given_up(tmp_path: Path) -> None:
    for images in (100, 200, 300):
        save(tmp_path, images)
    save(tmp_path, 150)
    assert names(tmp_path) == ["000000100", "000000150", "latest"]
    assert loaded_images(tmp_path) == 150


def test_saving_the_same_image_count_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, 100)
    save_checkpoint(tmp_path, 100, {"w": torch.zeros(1)}, {})
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.tensors["w"].tolist() == [0.0]


def test_keeping_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep=0"):
        save(tmp_path, 100, keep=0)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def claim_a_huge_header(path: Path) -> None:
    path.write_bytes((2**40).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, claim_a_huge_header, Path.unlink])
def test_damaged_weights_fall_back_and_say_so(tmp_path: Path, damage) -> None:
    save(tmp_path, 100)
    damage(save(tmp_path, 200) / "tensors.safetensors")
    assert loaded_images(tmp_path) == 100
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert "000000200" in checkpoint.note
    assert "Resuming from 100 images" in checkpoint.note


def edit(**changes: object):
    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        Path.unlink,
        edit(state={"i": 999}),
        edit(format=99),
        edit(images_seen="200"),
        edit(images_seen=-200),
        edit(sha256=None),
        edit(state=[]),
        lambda path: path.write_text("[]"),
        lambda path: path.write_bytes(b"[" * 200_000),
    ],
)
def test_a_damaged_state_falls_back(tmp_path: Path, damage) -> None:
    save(tmp_path, 100)
    damage(save(tmp_path, 200) / "state.json")
    assert loaded_images(tmp_path) == 100


def test_all_damaged_is_refused_rather_than_begun_again(tmp_path: Path) -> None:
    for images in (100, 200):
        truncate(save(tmp_path, images) / "tensors.safetensors")
    with pytest.raises(ResumeError, match=r"no checkpoint can be read.*another --run"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("pointer", [None, b"", b"garbage", b"\xff"])
def test_without_a_pointer_the_newest_counts(tmp_path: Path, pointer: bytes | None) -> None:
    save(tmp_path, 100)
    save(tmp_path, 200)
    latest = tmp_path / "checkpoints" / "latest"
    latest.unlink() if pointer is None else latest.write_bytes(pointer)
    assert loaded_images(tmp_path) == 200


def test_a_pointer_to_nothing_falls_back_and_says_so(tmp_path: Path) -> None:
    save(tmp_path, 100)
    (tmp_path / "checkpoints" / "latest").write_text("000000150")
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.images_seen == 100
    assert "000000150" in checkpoint.note


def test_the_pointer_is_followed_before_newer_folders(tmp_path: Path) -> None:
    save(tmp_path, 100)
    save(tmp_path, 200)
    (tmp_path / "checkpoints" / "latest").write_text("000000100")
    assert loaded_images(tmp_path) == 100
    truncate(tmp_path / "checkpoints" / "000000100" / "state.json")
    assert loaded_images(tmp_path) == 200


def test_a_full_disk_keeps_the_earlier_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 100)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        save(tmp_path, 200)
    monkeypatch.undo()
    assert names(tmp_path) == ["000000100", "latest"]
    assert loaded_images(tmp_path) == 100


def test_the_pointer_is_moved_after_its_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, pointed = Path.replace, []

    def watched(self: Path, target: Path) -> Path:
        if target.name == "latest":
            pointed.append((target.parent / self.read_text()).is_dir())
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    for images in (100, 200, 200):
        save(tmp_path, images)
    assert pointed == [True, True, True]


@pytest.mark.parametrize("pointer", ["\u00b2", "9" * 5000, "1" * 19, "000000100x", "-1"])
def test_a_damaged_pointer_is_said(tmp_path: Path, pointer: str) -> None:
    save(tmp_path, 100)
    save(tmp_path, 200)
    (tmp_path / "checkpoints" / "latest").write_text(pointer, encoding="utf-8")
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.images_seen == 200
    assert "latest: names no checkpoint" in checkpoint.note


def test_a_pointer_with_a_line_end_is_followed(tmp_path: Path) -> None:
    save(tmp_path, 100)
    save(tmp_path, 200)
    (tmp_path / "checkpoints" / "latest").write_text("000000100\n")
    assert loaded_images(tmp_path) == 100


def test_foreign_folders_are_no_checkpoints(tmp_path: Path) -> None:
    save(tmp_path, 100)
    for name in ("\u00b2", "9" * 200, "notes"):
        (tmp_path / "checkpoints" / name).mkdir()
    assert loaded_images(tmp_path) == 100
    save(tmp_path, 200)  # which also rotates
    assert loaded_images(tmp_path) == 200


def test_a_checkpoint_under_another_name_is_not_taken(tmp_path: Path) -> None:
    save(tmp_path, 100)
    save(tmp_path, 200).rename(tmp_path / "checkpoints" / "000000300")
    (tmp_path / "checkpoints" / "latest").write_text("000000300")
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.images_seen == 100
    assert "is of 200 images" in checkpoint.note
