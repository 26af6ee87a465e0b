"""Tar shards in the layout of WebDataset, in memory and packed as they are read."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data import load
from orthogan.data.braces import expanded
from orthogan.data.catalogue import LoadOptions
from orthogan.data.packed import streaming
from orthogan.data.packed.streaming import pack_shards
from orthogan.data.tar_shards import is_shards
from orthogan.errors import ConfigError, DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 20, 20, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def write(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path: Path) -> str:
    """Three shards of 20 pictures, their classes in `.cls` or `.json`, as a pattern."""
    for shard in range(3):
        members = {}
        for number in range(20 * shard, 20 * shard + 20):
            members[f"part/{number:04d}.png"] = png(PIXELS[number])
            name = f"kind {number % 3}"
            if number % 2:
                members[f"part/{number:04d}.cls"] = f"{name}\n".encode()
            else:
                members[f"part/{number:04d}.json"] = json.dumps({"label": name}).encode()
        write(tmp_path / f"set-{shard:02d}.tar", members)
    return str(tmp_path / "set-{00..02}.tar")


def test_shards_are_one_set(shards: str) -> None:
    for source in (shards, Path(shards), Path(shards).parent):
        assert is_shards(source)
        images = load(source)
        assert torch.equal(images.images.permute(0, 2, 3, 1), torch.from_numpy(PIXELS))
        assert images.class_names == ("kind 0", "kind 1", "kind 2")
        assert torch.equal(images.labels, torch.arange(60) % 3)
    assert len(load(shards.replace("{00..02}", "01"))) == 20


def test_shards_are_packed_as_they_are_read(shards: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "CHUNK", 7)
    told: list[int] = []
    pack_shards(shards, tmp_path / "set.orthogan", LoadOptions(), told.append)
    assert told == [*range(7, 60, 7), 60]
    packed, held = load(tmp_path / "set.orthogan"), load(shards)
    assert packed.fingerprint() == held.fingerprint()
    assert packed.class_names == held.class_names
    assert packed.facts == held.facts


def test_later_pictures_take_the_form_of_the_first(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "CHUNK", 20)
    members = {f"{number}.png": png(PIXELS[number, :, :, 0]) for number in range(20)}
    members |= {"colour.png": png(PIXELS[20]), "large.png": png(np.tile(PIXELS[21], (2, 2, 1)))}
    members |= {"broken.png": b"no picture", "other.txt": b"x"}
    path = write(tmp_path / "mixed.tar", members)
    packed = pack_shards(path, tmp_path / "set.orthogan", LoadOptions(), lambda count: None)
    assert (packed.num_images, packed.size, packed.colours) == (22, 20, 1)
    assert packed.class_names == ()
    told = " ".join(packed.notes)
    assert "turned to grey" in told
    assert "Skipped 1 files, such as broken.png" in told
    wide = pack_shards(
        path, tmp_path / "wide.orthogan", LoadOptions(size=16, colour="rgb"), lambda count: None
    )
    assert (wide.size, wide.colours) == (16, 3)


def test_a_tar_of_folders_has_their_classes(tmp_path: Path) -> None:
    members = {f"{'ab'[n % 2]}/{n}.png": png(PIXELS[n]) for n in range(20)}
    assert load(write(tmp_path / "folders.tar", members)).class_names == ("a", "b")


def test_missing_and_damaged_shards_are_named(shards: str, tmp_path: Path) -> None:
    second = tmp_path / "set-01.tar"
    content = second.read_bytes()
    second.write_bytes(content[: len(content) // 2 + 100])
    with pytest.raises(DataError, match=r"set-01\.tar: is damaged .*make this shard again"):
        load(shards)
    with pytest.raises(DataError, match=r"set-01\.tar: is damaged"):
        pack_shards(shards, tmp_path / "set.orthogan", LoadOptions(), lambda count: None)
    assert not (tmp_path / "set.orthogan").exists()
    second.unlink()
    with pytest.raises(DataError, match=r"its shard .*set-01\.tar is missing"):
        load(shards)


@pytest.mark.parametrize("label", ["0001.cls", "0001.json"])
def test_a_class_that_cannot_be_read_is_named(tmp_path: Path, label: str) -> None:
    path = write(tmp_path / "x.tar", {"0001.png": png(PIXELS[0]), label: b"\xff{"})
    with pytest.raises(DataError, match=rf"x\.tar: {label}"):
        load(path)


@pytest.mark.parametrize("pattern", ["{5..2}.tar", "{}.tar", "{x}.tar", "{0..999999}.tar"])
def test_braces_that_stand_for_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"braces|more than 100,000"):
        load(pattern)
    assert expanded("{00..02}-{a,b}") == ["00-a", "00-b", "01-a", "01-b", "02-a", "02-b"]
