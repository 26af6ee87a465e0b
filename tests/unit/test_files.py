"""Writing to disk: whole or not at all, and one sentence when the system refuses."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orthogan import files
from orthogan.errors import BundleError, DataError, StorageError
from orthogan.files import (
    clean_leftovers,
    committed_folder,
    is_leftover,
    parse_json,
    read_json,
    storage_errors,
    write_atomic,
    write_json,
)


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    return child.pid


def fail_with(code: int):
    def fsync(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    return fsync


def test_write_atomic_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission denied"), (errno.EIO, "error")],
)
def test_a_failed_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")
    monkeypatch.setattr(files.os, "fsync", fail_with(code))
    with pytest.raises(StorageError, match=words) as caught:
        write_atomic(path, b"new")
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_really_full_device_is_a_storage_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(StorageError, match=r"/dev/full: .*disk is full"), storage_errors(full):
        full.write_bytes(b"x" * 100_000)


def test_a_file_as_parent_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="not a directory"):
        write_atomic(tmp_path / "file" / "x", b"")
    with (
        pytest.raises(StorageError, match="cannot be written"),
        committed_folder(tmp_path / "file" / "x"),
    ):
        pass


def test_json_round_trip(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": [1, 0.1, None, "e"]})
    assert read_json(tmp_path / "x.json") == {"a": [1, 0.1, None, "e"]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 200_000])
def test_damaged_json_is_a_storage_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(StorageError, match=r"x\.json: is not valid JSON"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 101 + b"]" * 101, "more than 100 levels"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, "more than 100 levels"),
        (b"[" * 200_000 + b"]" * 200_000, "more than 100 levels"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c' stands twice in one object"),
        (b'["caf\xe9"]', "byte 5 is not UTF-8"),
        (b'["\xed\xa0\x80"]', "is not UTF-8"),
        (rb'["\ud800"]', "half of a surrogate pair"),
        (rb'{"\udc00\ud83d\ude00": 1}', "half of a surrogate pair"),
        (b'{"a": 1}\n{', "line 2, column 1"),
        (b"nul", "line 1, column 1"),
    ],
)
def test_what_is_wrong_with_json_is_said(content: bytes, why: str) -> None:
    with pytest.raises(DataError, match="here: is not valid JSON") as caught:
        parse_json(content, "here", error=DataError, advice="; download it again")
    assert why in str(caught.value)
    assert str(caught.value).endswith("); download it again.")


def test_json_of_other_writers_is_read() -> None:
    pair = parse_json(rb'["\ud83d\ude00", NaN, -Infinity]', "here")
    assert pair[0] == "\N{GRINNING FACE}"
    assert pair[1] != pair[1]
    assert parse_json('\ufeff{"\u00e4": []}'.encode(), "here") == {"\u00e4": []}
    assert parse_json('{"a": 1}'.encode("utf-16"), "here") == {"a": 1}
    assert parse_json(b"[" * 100 + b"]" * 100, "here")


def test_whole_numbers_beyond_64_bits_become_floats() -> None:
    text = f"[{2**64 - 1}, {-(2**63)}, {2**64}, {-(2**63) - 1}, {'9' * 5000}]"
    read = parse_json(text.encode(), "here")
    assert read == [2**64 - 1, -(2**63), 2.0**64, -(2.0**63), float("inf")]
    assert [type(number) for number in read] == [int, int, float, float, float]


def test_missing_json_and_a_folder_are_storage_errors(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        read_json(tmp_path / "x.json")
    with pytest.raises(StorageError, match="directory"):
        read_json(tmp_path)


def test_oversized_json_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 3)
    (tmp_path / "x.json").write_bytes(b"1234")
    with pytest.raises(StorageError, match="larger than"):
        read_json(tmp_path / "x.json")


def test_committed_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    with committed_folder(target) as new:
        (new / "inner").mkdir()
        (new / "inner" / "a").write_bytes(b"1")
        assert not target.exists()
    assert (target / "inner" / "a").read_bytes() == b"1"
    assert [entry.name for entry in target.parent.iterdir()] == ["target"]


def test_committed_folder_replaces_a_full_folder(tmp_path: Path) -> None:
    for content in (b"1", b"2"):
        with committed_folder(tmp_path / "target") as new:
            (new / content.decode()).write_bytes(content)
    assert [entry.name for entry in (tmp_path / "target").iterdir()] == ["2"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


def test_a_rename_is_flushed_with_the_folder_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could bring the old name back after a success was told."""
    flushed: list[tuple[Path, bool]] = []
    target = tmp_path / "target"
    monkeypatch.setattr(
        files, "sync_folder", lambda folder: flushed.append((folder, target.exists()))
    )
    write_atomic(target, b"new")
    assert flushed == [(tmp_path, True)]
    target.unlink()
    for _ in ("a new folder", "one in its place"):
        flushed.clear()
        with committed_folder(target) as new:
            (new / "file").write_bytes(b"x")
        assert flushed[-1] == (tmp_path, True)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError(), BundleError("x")])
def test_a_failed_block_changes_nothing(tmp_path: Path, error: BaseException) -> None:
    with committed_folder(tmp_path / "target") as new:
        (new / "a").write_bytes(b"1")

    def fail_half_way() -> None:
        with committed_folder(tmp_path / "target") as new:
            (new / "a").write_bytes(b"2")
            raise error

    with pytest.raises(type(error)):
        fail_half_way()
    assert (tmp_path / "target" / "a").read_bytes() == b"1"
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


def test_a_refused_rename_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with committed_folder(tmp_path / "target") as new:
        (new / "a").write_bytes(b"1")
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(errno.EIO, "broken disk")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(StorageError, match="broken disk"),
        committed_folder(tmp_path / "target") as new,
    ):
        (new / "a").write_bytes(b"2")
    assert (tmp_path / "target" / "a").read_bytes() == b"1"


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead, alive = dead_pid(), os.getppid()
    (tmp_path / f".a.{dead}-01234567.new").mkdir()
    (tmp_path / f".b.{dead}-01234567.new").write_bytes(b"")
    (tmp_path / f".c.{alive}-01234567.new").write_bytes(b"")
    (tmp_path / ".mine.new").write_bytes(b"")
    clean_leftovers(tmp_path)
    kept = {entry.name for entry in tmp_path.iterdir()}
    assert kept == {f".c.{alive}-01234567.new", ".mine.new"}
    clean_leftovers(tmp_path, exclusive=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [".mine.new"]


def test_a_kill_between_the_two_renames_is_undone(tmp_path: Path) -> None:
    (tmp_path / f".target.{dead_pid()}-01234567.old").mkdir()
    clean_leftovers(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


def test_an_old_folder_whose_swap_was_finished_goes(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / f".target.{dead_pid()}-01234567.old").mkdir()
    clean_leftovers(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


def test_only_our_temporary_names_count_as_leftovers() -> None:
    assert is_leftover(".run.json.12-0a1b2c3d.new")
    assert not is_leftover("run.json")
    assert not is_leftover(".lock")


def test_another_users_process_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(files.os, "kill", refuse)
    assert files.is_alive(1)


class Watched:
    """The flushes and renames of a write, by the inode that each is about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[str, int]] = []
        fsync, replace = os.fsync, Path.replace

        def flush(handle: int) -> None:
            self.events.append(("flush", os.fstat(handle).st_ino))
            fsync(handle)

        def rename(path: Path, target: Path) -> Path:
            self.events.append(("rename", path.stat().st_ino))
            return replace(path, target)

        monkeypatch.setattr(files.os, "fsync", flush)
        monkeypatch.setattr(Path, "replace", rename)

    def check(self, path: Path, within: Path) -> None:
        """Everything that became `path` was flushed before; the folder it lies in, after."""
        moved = self.events.index(("rename", path.stat().st_ino))
        for part in [path, *path.rglob("*")]:
            assert ("flush", part.stat().st_ino) in self.events[:moved], part
        assert ("flush", within.stat().st_ino) in self.events[moved:]
        assert self.events[-1] == ("flush", within.stat().st_ino)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot flush a folder")
@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_is_flushed_before_its_rename_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    if is_there:
        write_atomic(tmp_path / "a", b"old")
    watched = Watched(monkeypatch)
    write_atomic(tmp_path / "a", b"new")
    watched.check(tmp_path / "a", tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot flush a folder")
@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_is_flushed_before_its_rename_and_its_parent_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    def write() -> None:
        with committed_folder(tmp_path / "folder") as new:
            (new / "deep").mkdir()
            (new / "deep" / "a").write_bytes(b"1")

    if is_there:
        write()
    watched = Watched(monkeypatch)
    write()
    watched.check(tmp_path / "folder", tmp_path)
