from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from orthogan.data import load
from orthogan.data.catalogue import FORMATS
from orthogan.data.formats import arrays
from orthogan.errors import ConfigError, DataError


def test_an_unknown_name_is_neither_a_path_nor_a_data_set() -> None:
    with pytest.raises(DataError, match="'mnits' is neither an existing file") as caught:
        load("mnits")
    message = str(caught.value)
    assert message.endswith("Did you mean 'mnist'? Known: hf:NAME, mnist, stacked-mnist.")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("source", ["", "no/such/folder", "a\0b", 5000 * "x", "~nobody-here/x"])
def test_missing_paths(source: str) -> None:
    with pytest.raises(DataError, match="is neither an existing file or folder nor") as caught:
        load(source)
    assert "\n" not in str(caught.value)


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "a.npy", np.zeros((16, 16, 16), np.uint8))
    assert len(load("~/a.npy")) == 16


def test_a_single_picture_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "a.PNG").write_bytes(b"")
    with pytest.raises(DataError, match="single picture; name the folder"):
        load(tmp_path / "a.PNG")


def test_another_format(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,2,3", encoding="ascii")
    with pytest.raises(DataError, match=r"readable are folders, \.zip, \.npz, .* CIFAR files"):
        load(tmp_path / "a.txt")


@pytest.mark.parametrize("name", ["cifar-10-binary.tar.gz", "set.tar.xz", "set.tgz", "set.rar"])
def test_archives_that_are_not_read_name_the_way_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match="is an archive that is not read; unpack it and name the"):
        load(tmp_path / name)


def test_a_folder_of_something_else_says_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.ttf").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds no images \(\.png, .*, and no IDX, NumPy, CIFAR"):
        load(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a regular file nor a folder"):
        load(tmp_path / "pipe")


def test_impossible_sizes_are_refused_first() -> None:
    with pytest.raises(ConfigError, match="got 30"):
        load("no/such/folder", size=30)


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.zeros((16, 16, 16), np.uint8))
    errors: list[Exception] = [PermissionError(13, "Permission denied"), MemoryError()]

    def fail(*arguments: object) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(arrays, "read_array", fail)
    with pytest.raises(DataError, match=r"a\.npy: cannot be read: Permission denied\."):
        load(tmp_path / "a.npy")
    with pytest.raises(DataError, match="does not fit into the memory"):
        load(tmp_path / "a.npy")


def test_every_reader_is_filed() -> None:
    folders = [
        *("array-folder", "cifar-folder", "csv-folder", "folder", "idx-folder"),
        *("packed", "parquet-folder"),
    ]
    assert [name for name in FORMATS if FORMATS[name].is_folder] == folders
    assert [name for name in FORMATS if not FORMATS[name].is_folder] == [
        *("cifar", "csv", "idx", "npy", "npz", "parquet", "tar", "zip"),
    ]
