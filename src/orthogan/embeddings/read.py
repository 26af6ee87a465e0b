"""`read_tables`: any source of a token table, recognised by what it holds."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any, TypeAlias

from torch import nn

from orthogan.embeddings import arrays
from orthogan.embeddings.folder import CONVERT, read_folder, read_weights
from orthogan.embeddings.hub import PREFIX, read_hub
from orthogan.embeddings.labels import noted
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.modules import read_module
from orthogan.embeddings.packages import NAMED
from orthogan.embeddings.result import Tables
from orthogan.embeddings.safetensors_file import INDEX_SUFFIX, is_safetensors
from orthogan.embeddings.spacy_folder import read_spacy, vectors_folder
from orthogan.embeddings.word_binary import read_word2vec_binary
from orthogan.embeddings.word_text import (
    is_number,
    looks_like_vectors,
    parse_header,
    read_glove,
    read_word2vec_text,
)
from orthogan.errors import DataError, OrthoganError, did_you_mean, shortened
from orthogan.untrusted import MAGIC, open_zip

PEEK_BYTES = 16_384  # of a file, to tell what it is
SAMPLE_BYTES = 2**20  # of word vectors: holds the first line of the widest
GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SPACE = 0x20  # bytes below it control a terminal
ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
FASTTEXT = (793_712_314).to_bytes(4, "little")  # the magic number of fastText's own binary
# How pickles of objects, dictionaries and lists begin, from protocol 5 down to 0.
PICKLES = (
    *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)),
    *(b"ccopy_reg", b"}q\x00", b"]q\x00", b"(dp0", b"(lp0"),
)


Reader: TypeAlias = Callable[[BufferedIOBase, LoadOptions, str], Tables]


LONGEST_SHOWN = 300  # characters of a source in a sentence; the end of a path tells most


def read_tables(
    source: str | Path | nn.Module,
    *,
    embedding: str | None = None,
    positions: str | None = None,
    limit: int | None = None,
    num_heads: int | None = None,
) -> Tables:
    """The token table of a model or of word vectors, with positions, labels and heads.

    Args:
        source: A .safetensors file or the index of several; a folder of a model or of a spaCy
            pipeline; "hf:NAME"; word vectors (word2vec text or binary, GloVe, fastText .vec, all
            also as .gz; .npy with a list of words; .npz); "minilm" or "glove-50d"; a module.
        embedding: Name of the token table in a model or .npz; None to recognise it.
        positions: Name of the position table, likewise.
        limit: Only the first rows or words; None for all.
        num_heads: Heads of every layer, where neither the model nor its config.json says it.

    Raises:
        ConfigError: `limit` or `num_heads` is impossible, or an option has no effect here.
        UnknownNameError: a named tensor does not exist; the sentence holds the nearest.
        ShapeError: a table has the wrong shape, or widths differ.
        DataError: missing, damaged, truncated, a pickle, not finite, or not recognised.
        MissingExtraError: the source needs a package that is not installed.

    >>> read_tables(nn.Embedding(5, 3))
    Tables(5 tokens x 3, no positions, no labels, 0 layers, source='Embedding')
    """
    options = LoadOptions(embedding, positions, limit, num_heads)
    if isinstance(source, nn.Module):
        return read_module(source, options)
    try:
        return noted(_read(source, options))
    except OrthoganError:
        raise
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}.") from None
    except (MemoryError, OverflowError):
        raise DataError(f"{source}: does not fit into memory; give limit=.") from None


def _read(source: str | Path, options: LoadOptions) -> Tables:
    if isinstance(source, str):
        if source in NAMED:
            return NAMED[source](options)
        if source.startswith(PREFIX):
            return read_hub(source.removeprefix(PREFIX), options)
    path = Path(os.path.expanduser(source))  # noqa: PTH111 - Path.expanduser raises on '~nobody'
    if not str(source) or not _exists(path):
        name = str(source)
        name = name if len(name) <= LONGEST_SHOWN else shortened(name)
        raise DataError(
            f"'{name}' is neither an existing file or folder nor a known source."
            f"{did_you_mean(name, [*NAMED, PREFIX + 'NAME', *_neighbours(path)])}"
        )
    if path.is_dir():
        is_pipeline = vectors_folder(path) is not None
        return read_spacy(path, options) if is_pipeline else read_folder(path, options)
    if not path.is_file():
        raise DataError(f"{path}: is neither a regular file nor a folder.")
    return _read_file(path, options)


def _read_file(path: Path, options: LoadOptions) -> Tables:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(PEEK_BYTES)
    if not start:
        raise DataError(f"{path}: is empty.")
    if path.name.endswith((INDEX_SUFFIX, ".safetensors")) or is_safetensors(start, size):
        return read_weights(path, options)
    if start.startswith(MAGIC):
        return arrays.read_npy(path, options)
    if start.startswith(ZIPS):
        _refuse_torch(path)
        return arrays.read_npz(path, options)
    options.only_limit(str(path))
    try:
        return _read_words(gzip.open if start.startswith(GZIP) else open, path, options)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the compressed file is damaged or truncated ({error}).") from None


def _read_words(opened: Callable[..., Any], path: Path, options: LoadOptions) -> Tables:
    with opened(path, "rb") as stream:
        start = stream.read(SAMPLE_BYTES)
    read = _reader_of(start, path)
    size = path.stat().st_size if opened is open else None
    with opened(path, "rb") as stream:
        if read is read_word2vec_binary:
            return read_word2vec_binary(stream, options, str(path), size)
        return read(stream, options, str(path))


def _reader_of(start: bytes, path: Path) -> Reader:
    """The reader of the word vectors that begin like this."""
    if start.startswith(PICKLES):
        raise DataError(
            f"{path}: is a pickle, which is never opened; save gensim vectors once with "
            f"kv.save_word2vec_format(path, binary=True), and a model as .safetensors."
        )
    if start.startswith(FASTTEXT):
        raise DataError(
            f"{path}: is fastText's own binary model; read the .vec file that it writes beside it."
        )
    first, end, rest = start.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    header = parse_header(first)
    if header is not None:
        is_text = _is_text(rest, header[1]) or not _is_binary(start, rest)
        return read_word2vec_text if is_text else read_word2vec_binary
    if looks_like_vectors(first if end else first.rpartition(b" ")[0]):
        return read_glove
    raise DataError(
        f"{path}: is of no known form; readable are .safetensors, word2vec text and binary, GloVe, "
        "fastText .vec, .npy, .npz, and folders of models."
    )


def _is_text(rest: bytes, width: int) -> bool:
    """Whether the line after a header is a word and `width` numbers (or begins so)."""
    line, end, _ = rest.partition(b"\n")
    fields = line.rstrip(b" \t\r").replace(b"\t", b" ").split(b" ")
    if not end:  # the last field may go on beyond the sample
        return len(fields) > 2 and all(map(is_number, fields[1:-1]))
    return len(fields) == width + 1 and all(map(is_number, fields[1:]))


def _is_binary(start: bytes, rest: bytes) -> bool:
    """Whether a file that is not plain lines of numbers is binary, and not malformed text."""
    if any(byte < SPACE and byte not in b"\t\n\r" for byte in rest):
        return True
    if len(start) < SAMPLE_BYTES:  # the whole file, which can be tried
        try:
            read_word2vec_binary(BytesIO(start), LoadOptions(), "")
        except DataError:
            return False
        return True
    try:
        rest.decode()
    except UnicodeDecodeError as error:
        return error.start < len(rest) - 3  # else the sample ends within a character
    return False


def _refuse_torch(path: Path) -> None:
    with open_zip(path, "an .npz file") as archive:
        names = archive.namelist()
    if any(name.endswith("data.pkl") for name in names):
        raise DataError(f"{path}: is a pickle of PyTorch: {CONVERT.format(name='its folder')}.")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long or with a zero byte
        return False


def _neighbours(path: Path) -> list[str]:
    try:
        return [str(other) for other in path.parent.iterdir()][:1000]
    except (OSError, ValueError):
        return []
