"""Texts: a file, a folder of .txt files, or a corpus with a name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orthogan.errors import DataError, did_you_mean
from orthogan.registry import Registry
from orthogan.words import load_corpus

SUFFIX = ".txt"
METADATA = "._"  # how macOS names what it files beside a file on a foreign disk
MOST_NAMED = 5  # files in one sentence

# Named corpora: a name and what loads its text.
CORPORA: Registry[Callable[[], str]] = Registry("corpus")
CORPORA.register("austen")(load_corpus)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A text and where it comes from."""

    name: str
    text: str = field(repr=False)
    notes: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """A checksum of the text."""
        return hashlib.blake2b(self.text.encode(), digest_size=8).hexdigest()


def resolved_source(source: str) -> str:
    """A source as it is written down: the name of a corpus as it is, a path absolute."""
    return source if source in CORPORA else str(Path(source).expanduser().absolute())


def read_corpus(source: str | Path) -> Corpus:
    """The text of a source; line ends become plain newlines.

    Args:
        source: A text file in UTF-8, a folder with .txt files (read in the order of their paths,
            also those in its folders, `.TXT` likewise), or the name of a corpus.

    Raises:
        DataError: missing, unreadable, empty, or not a text.
    """
    if isinstance(source, str) and source in CORPORA:
        return Corpus(name=source, text=CORPORA[source]())
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(
            f"'{source}' is neither an existing text file or folder nor a named corpus."
            f"{did_you_mean(str(source), list(CORPORA))}"
        )
    files, left_out = _text_files(path) if path.is_dir() else ([path], [])
    if not files:
        raise DataError(" ".join((f"{path}: holds no {SUFFIX} files.", *_left_out(left_out, path))))
    text = "\n".join(_read(file) for file in files)
    if not text.strip():
        raise DataError(f"{path}: holds no text.")
    notes = (f"{len(files)} {SUFFIX} files of {path}.",) if path.is_dir() else ()
    return Corpus(name=path.stem or "text", text=text, notes=(*notes, *_left_out(left_out, path)))


def _text_files(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The text files below a folder, and what only has the name of one, with the reason."""
    files, left_out = [], []
    for parent, folders, names in os.walk(folder, onerror=_unreadable):
        here = Path(parent)
        left_out += [(here / name, "a folder") for name in folders if _is_named_text(name)]
        for name in filter(_is_named_text, names):
            if name.startswith(METADATA):
                left_out.append((here / name, "metadata of macOS"))
            else:
                files.append(here / name)
    return sorted(files), sorted(left_out)


def _is_named_text(name: str) -> bool:
    return name.lower().endswith(SUFFIX)


def _unreadable(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read: {error.strerror}.") from None


def _left_out(left_out: list[tuple[Path, str]], folder: Path) -> list[str]:
    if not left_out:
        return []
    named = [f"{path.relative_to(folder)} ({why})" for path, why in left_out[:MOST_NAMED]]
    more = len(left_out) - len(named)
    return [f"Left out: {', '.join(named)}{f' and {more:,} more' if more else ''}."]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: is not a text in UTF-8 (byte {error.start}); convert it first."
        ) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}.") from None
