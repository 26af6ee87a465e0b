"""Writing to disk so that a kill, a full disk or a power cut never loses what was there.

Everything is written beside its destination, flushed to the disk and renamed over it: a reader
sees the old bytes or the new ones, never half of either.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from orthogan.errors import OrthoganError, StorageError

MAX_JSON_BYTES = 64 * 2**20  # far above any file of ours; a larger one is not ours
MAX_JSON_DEPTH = 100  # configurations nest less than 10 deep; what walks a tree may recurse
MAX_DIGITS = 20  # of 2**64; Python itself refuses to read more than 4,300
NOT_OURS = ", so it is damaged or not ours"

TOO_DEEP = f"it nests more than {MAX_JSON_DEPTH} levels of brackets"
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # of any pair: whether it is whole is tried then
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)-[0-9a-f]{8}\.(?P<kind>new|old)")


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces the file at `path` by `data`, entirely or not at all, and flushes it to disk.

    Raises:
        StorageError: the disk is full or the folder cannot be written; the old file is intact.
    """
    with committed_file(path) as file:
        file.write(data)


def write_file(path: Path, data: bytes) -> None:
    """As `write_atomic`, after making the folders above.

    Raises:
        StorageError: the place cannot be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)


@contextmanager
def committed_file(path: Path) -> Iterator[BinaryIO]:
    """A new file to write into, which becomes `path` when the block ends without an error.

    A file already at `path` is replaced. If the block fails, `path` is as it was before.

    Raises:
        StorageError: the disk is full or the place cannot be written.
    """
    temporary = _sibling(path, "new")
    with storage_errors(path):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Replaces the file at `path` by indented JSON, as `write_atomic` does.

    Raises:
        StorageError: the file cannot be written.
    """
    write_atomic(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(
    path: Path,
    *,
    error: type[OrthoganError] = StorageError,
    advice: str = NOT_OURS,
    max_bytes: int | None = None,
    only_text: bool = False,
) -> Any:
    """The value in a JSON file, read as `parse_json` reads it.

    Args:
        path: The file.
        error: What is raised.
        advice: What ends the sentence, with its punctuation in front.
        max_bytes: A larger file is refused unread; None: `MAX_JSON_BYTES`.
        only_text: Refuse the bytes of file names that are no text.

    Raises:
        OrthoganError: of the kind `error`: the file is missing, unreadable, too large, or not JSON.
    """
    limit = MAX_JSON_BYTES if max_bytes is None else max_bytes
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size) if size <= limit else b""
    except OSError as refused:
        raise error(f"{path}: cannot be read: {_reason(refused)}.") from None
    if size > limit:
        raise error(
            f"{path}: larger than allowed: it has {size:,} bytes, the limit of a JSON file is "
            f"{limit:,}{advice}."
        )
    return parse_json(content, path, error=error, advice=advice, only_text=only_text)


def parse_json(
    content: bytes,
    where: object,
    *,
    error: type[OrthoganError] = StorageError,
    advice: str = NOT_OURS,
    only_text: bool = False,
) -> Any:
    """The value of JSON that anybody may have written: no input raises anything but `error`.

    NaN and infinities are kept, since Python writes them; whole numbers beyond 64 bits become
    floats, so that none overflows later. Who uses a number checks its type and range.

    Args:
        content: UTF-8, or another Unicode encoding that JSON allows.
        where: What to call the source.
        error: What is raised.
        advice: What ends the sentence, with its punctuation in front.
        only_text: Refuse the bytes of file names that are no text, which Python escapes as the
            halves of surrogate pairs U+DC80 to U+DCFF (PEP 383); files of ours may name such files.

    Raises:
        OrthoganError: of the kind `error`: not JSON, not Unicode text, a name that stands twice in
            an object, half of a surrogate pair, or more than 100 levels of brackets.

    >>> parse_json(b'{"a": [1, 2]}', "here")
    {'a': [1, 2]}
    """
    try:
        return _parsed(content, only_text)
    except RecursionError:
        why = TOO_DEEP
    except UnicodeEncodeError:
        why = "it holds half of a surrogate pair"
    except UnicodeDecodeError as wrong:
        why = f"byte {wrong.start:,} is not {wrong.encoding.upper()}"
    except json.JSONDecodeError as wrong:
        why = f"line {wrong.lineno:,}, column {wrong.colno:,}"
    except ValueError as wrong:
        why = str(wrong)
    raise error(f"{where}: is not valid JSON ({why}){advice}.")


def _parsed(content: bytes, only_text: bool) -> Any:
    text = content.decode(json.detect_encoding(content))
    value = json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    if _HALF_PAIR.search(text):
        allowed = "strict" if only_text else "surrogateescape"
        json.dumps(value, ensure_ascii=False).encode("utf-8", allowed)
    if _is_deep(value):
        raise RecursionError
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{twice[:60]!a} stands twice in one object")
    return found


def _whole(digits: str) -> int | float:
    number = int(digits) if len(digits) <= MAX_DIGITS else float(digits)
    return number if -(2**63) <= number < 2**64 else float(number)


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_JSON_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


@contextmanager
def committed_folder(path: Path) -> Iterator[Path]:
    """A new folder to write into, which becomes `path` when the block ends without an error.

    A folder already at `path` is replaced. If the block fails, `path` is as it was before.

    Raises:
        StorageError: the disk is full or the place cannot be written.
    """
    temporary = _sibling(path, "new")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        clean_leftovers(path.parent)
        try:
            temporary.mkdir()
            yield temporary
            _sync_tree(temporary)
            _swap(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def clean_leftovers(folder: Path, *, exclusive: bool = False) -> None:
    """Removes what killed processes left half-written in `folder`; undoes a half-made swap.

    Args:
        folder: Where to look, not below.
        exclusive: The caller holds a lock, so nobody else can be writing here now. Without it
            whatever a living process may own stays.
    """
    for entry in sorted(folder.iterdir()):
        match = _LEFTOVER.fullmatch(entry.name)
        if match is None or (not exclusive and is_alive(int(match["pid"]))):
            continue
        destination = folder / match["name"]
        if match["kind"] == "old" and not destination.exists():
            entry.replace(destination)
        elif entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def is_leftover(name: str) -> bool:
    """Whether a file name is one of the temporary names used here."""
    return _LEFTOVER.fullmatch(name) is not None


@contextmanager
def storage_errors(path: Path, deed: str = "written") -> Iterator[None]:
    """Turns what the operating system refuses into one sentence that names `path`.

    Args:
        path: What is worked on.
        deed: What was wanted with it: `written` or `read`.

    Raises:
        StorageError: the block raised an `OSError` that is not ours.
    """
    try:
        yield
    except OrthoganError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: cannot be {deed}: {_reason(error)}.") from None


def sync_folder(folder: Path) -> None:
    """Flushes a folder's list of names to disk, so that a rename survives a power cut."""
    if os.name == "nt":  # Windows cannot open a folder, and journals renames itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))


def _swap(new: Path, path: Path) -> None:
    # A folder cannot be renamed over a full one: the old one steps aside, and clean_leftovers
    # brings it back if the process dies between the two renames.
    if not path.exists():
        new.replace(path)
        sync_folder(path.parent)
        return
    old = _sibling(path, "old")
    path.replace(old)
    try:
        new.replace(path)
    except OSError:
        old.replace(path)
        raise
    sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sibling(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.{kind}")


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number on this machine."""
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to somebody else, so it exists
        return True
    return True


def _reason(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full; free some space and run the same command again"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "permission denied; choose another folder"
    return (error.strerror or type(error).__name__).lower()
