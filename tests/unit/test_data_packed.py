"""Packed sets: what comes back, the same order, and shards that are missing or damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import final_bits

from orthogan.data import ImageSet, load
from orthogan.data.catalogue import LoadOptions
from orthogan.data.facts import Facts, Note
from orthogan.data.formats import packed as packed_format
from orthogan.data.in_memory import keep
from orthogan.data.inspection import inspect
from orthogan.data.ordering import Arrangement, ordered
from orthogan.data.packed import images as packed_images
from orthogan.data.packed import layout, writing
from orthogan.data.packed.layout import read_layout
from orthogan.data.packed.reading import verify
from orthogan.data.packed.writing import pack_images
from orthogan.errors import ConfigError, DataError
from orthogan.gan.conditions import class_shares, resolved_condition
from orthogan.gan.config import TrainingConfig
from orthogan.organizing.leaving_out import without_copies
from orthogan.rng import stream

COUNT, PER_SHARD = 300, 64
IMAGE_BYTES = 3 * 16 * 16


@pytest.fixture
def source() -> ImageSet:
    """Random images whose classes are uneven."""
    draws = stream(0, "packed").integers(0, 256, (COUNT, 3, 16, 16), dtype="uint8")
    labels = (torch.arange(COUNT) % 7).clamp_max(3)
    facts = Facts({(20, 16): COUNT}, {"16-bit RGB": COUNT}, {"damaged": 2})
    return ImageSet(
        torch.from_numpy(draws), labels, tuple("abcd"), "set", (Note("Said.", "pixels"),),
        facts=facts,
    )  # fmt: skip


@pytest.fixture
def path(source: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The set, packed in shards of 64 images."""
    monkeypatch.setattr(layout, "SHARD_BYTES", PER_SHARD * IMAGE_BYTES + 5)
    pack_images(source, tmp_path / "set.orthogan")
    return tmp_path / "set.orthogan"


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No set is small enough to be read into memory; 40 images stand for one."""
    monkeypatch.setattr(packed_format, "WHOLE_BYTES", 0)
    monkeypatch.setattr(packed_images, "MOST_SAMPLED", 40)


def test_a_small_set_comes_back_as_it_was(source: ImageSet, path: Path) -> None:
    images = load(path)
    assert type(images) is ImageSet
    assert torch.equal(images.images, source.images)
    assert torch.equal(images.labels, source.labels)
    assert images.fingerprint() == source.fingerprint()
    assert (images.name, images.class_names) == ("set", tuple("abcd"))
    assert inspect(images).to_dict() == inspect(source).to_dict()
    assert len(list(path.glob("images-*.bin"))) == -(-COUNT // PER_SHARD)


def test_a_small_set_takes_the_requested_form(path: Path) -> None:
    images = load(path, size=32, colour="grey")
    assert images.images.shape == (COUNT, 1, 32, 32)
    with pytest.raises(DataError, match="single split"):
        load(path, split="test")


@pytest.mark.usefixtures("on_disk")
def test_training_sees_a_large_set_in_the_order_of_memory(source: ImageSet, path: Path) -> None:
    images = load(path)
    assert (images.num_images, len(images), len(images.labels)) == (COUNT, 40, 40)
    order = ordered(images, Arrangement(), seed=3)
    held = ordered(source, Arrangement(), seed=3)
    for seen in (0, 250, 290):  # across shards and epochs
        index = order.batch(seen, 20)
        assert torch.equal(index, held.batch(seen, 20))
        pixels, labels = images.take(images.placed(index))
        assert torch.equal(pixels, source.images[index])
        assert torch.equal(labels, source.labels[index])
    some = images.only(torch.tensor([5, 299]))
    assert torch.equal(some.images, source.images[[5, 299]])
    assert not some.is_sample
    chosen = source.images.flatten(1).tolist()
    assert all(row in chosen for row in images.images.flatten(1).tolist())


@pytest.mark.usefixtures("on_disk")
def test_classes_of_a_large_set_are_counted_over_all_of_it(source: ImageSet, path: Path) -> None:
    images = load(path)
    assert inspect(images).to_dict()["classes"] == inspect(source).to_dict()["classes"]
    assert f"{COUNT} images" in inspect(images).headline
    config = resolved_condition(TrainingConfig(condition="classes"), images)
    assert resolved_condition(TrainingConfig(), images).condition == "none"
    assert torch.equal(class_shares(config, images, None), class_shares(config, source, None))
    balanced = Arrangement(balance="classes")
    assert torch.equal(
        ordered(images, balanced, 0).batch(0, 90), ordered(source, balanced, 0).batch(0, 90)
    )


@pytest.mark.usefixtures("on_disk")
def test_what_a_large_set_cannot_do_is_refused(path: Path) -> None:
    images = load(path)
    refused: dict[str, Callable[[], Any]] = {
        "batches=balanced": lambda: ordered(images, Arrangement(batches="balanced"), 0),
        "condition=none": lambda: resolved_condition(TrainingConfig(condition="clusters"), images),
        "data.copies=drop": lambda: without_copies(images),
        "give its path": lambda: keep(images),
    }
    for told, call in refused.items():
        with pytest.raises(ConfigError, match=f"set stays on disk.*{told}"):
            call()
    with pytest.raises(DataError, match="too large to be made into others"):
        load(path, size=32)


def test_a_run_of_a_set_on_disk_is_that_of_the_set_in_memory(
    train_tiny: Callable[..., Any], tiny_file: Path, tmp_path: Path, monkeypatch
) -> None:
    """Bit for bit, where nothing needs all images at once."""
    pack_images(load(tiny_file), tmp_path / "blobs.orthogan")
    settings = ("condition=none", "augmentation.policy=none")
    train_tiny(tmp_path / "memory", *settings)
    monkeypatch.setattr(packed_format, "WHOLE_BYTES", 0)
    run = train_tiny(tmp_path / "disk", *settings, source=tmp_path / "blobs.orthogan")
    assert run.status == "done"
    assert final_bits(tmp_path / "disk") == final_bits(tmp_path / "memory")


def test_the_fingerprint_is_of_the_checksums(source: ImageSet, path: Path, tmp_path: Path) -> None:
    first = read_layout(path).fingerprint()
    source.images[0, 0, 0, 0] ^= 1
    pack_images(source, tmp_path / "other.orthogan")
    assert read_layout(path).fingerprint() == first
    assert read_layout(tmp_path / "other.orthogan").fingerprint() != first


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.mark.usefixtures("on_disk")
def test_a_damaged_image_is_named_when_it_is_read(path: Path) -> None:
    images = load(path)
    flip(path / "images-00002.bin", 5 * IMAGE_BYTES)
    assert len(images.take(torch.arange(128))[0]) == 128
    with pytest.raises(DataError, match=r"image 5 of its shard images-00002\.bin is damaged"):
        images.take(torch.tensor([0, 2 * PER_SHARD + 5]))
    with pytest.raises(DataError, match=r"file images-00002\.bin is damaged: its checksum"):
        verify(path, read_layout(path), lambda done, total: None)


def test_all_files_of_an_intact_set_are_verified(path: Path) -> None:
    told: list[tuple[int, int]] = []
    verify(path, read_layout(path), lambda *counts: told.append(counts))
    assert told[-1][0] == told[-1][1] == sum(read_layout(path).files().values())


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: (path / "images-00001.bin").unlink(), r"images-00001\.bin is missing"),
        (lambda path: (path / "labels.bin").write_bytes(b"123"), r"labels\.bin has 3 bytes"),
        (lambda path: flip(path / "labels.bin", 9), r"labels\.bin is damaged"),
        (lambda path: flip(path / "checks.bin", 9), r"checks\.bin is damaged"),
        (lambda path: (path / "index.json").unlink(), r"no packed set"),
        (lambda path: (path / "index.json").write_text("{}"), r"no packed set"),
    ],
)
def test_a_broken_set_is_told_in_a_sentence(
    path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(path)
    with pytest.raises(DataError, match=rf"{path}.*{told}.*pack the set again|{told}") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"images": 10**15},
        {"images": -1},
        {"images_per_shard": 0},
        {"images": 2**31 - 1, "images_per_shard": 1},
        {"size": 17},
        {"colours": 2},
        {"class_names": ["a", "a"]},
        {"blake2b": {}},
        {"blake2b": 3},
        {"sizes": [[1]]},
        {"sizes": [[1e400, 1, 1]]},
        {"kinds": 5},
        {"version": 2},
    ],
)
def test_no_number_of_an_index_is_believed(path: Path, change: dict[str, Any]) -> None:
    tree = json.loads((path / "index.json").read_text())
    (path / "index.json").write_text(json.dumps(tree | change))
    with pytest.raises(DataError, match="pack the set again"):
        load(path)


def test_nothing_is_left_of_a_packing_that_fails(source: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "new" / "set.orthogan"

    def fail() -> None:
        with writing.packing(out, 16, 3) as writer:
            writer.add(source.images)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(out.parent.iterdir())


def test_only_a_new_place_is_written(source: ImageSet, path: Path) -> None:
    with pytest.raises(ConfigError, match="exists already"):
        pack_images(source, path)
    with pytest.raises(ConfigError, match=r"ends in \.orthogan"):
        pack_images(source, path.with_suffix(".packed"))
    with pytest.raises(ConfigError, match="draws each image afresh"):
        pack_images(load("stacked-mnist", split="test"), path.with_stem("new"))


def test_options_that_no_packed_set_has_are_refused(path: Path) -> None:
    with pytest.raises(DataError, match="labels=prefix"):
        load(path, labels="prefix")
    assert packed_format.load_packed(path, LoadOptions(size=16, colour="rgb")).size == 16
