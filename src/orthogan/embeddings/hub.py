"""Models of the Hugging Face hub: only safetensors, JSON and text are fetched, no code is run."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from orthogan.embeddings.folder import CONVERT, PICKLED, read_weights, weights_file
from orthogan.embeddings.labels import FILES
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables
from orthogan.embeddings.safetensors_file import INDEX_SUFFIX, shard_names
from orthogan.errors import DataError, MissingExtraError

PREFIX = "hf:"
EXTRA = "hub"


def read_hub(name: str, options: LoadOptions) -> Tables:
    """The tables of a hub model, whose files are kept in the hub's own cache.

    Args:
        name: For example "sentence-transformers/all-MiniLM-L6-v2".
        options: What the caller named.

    Raises:
        MissingExtraError: `huggingface_hub` is not installed.
        DataError: no such model, no network, or a model that exists only as pickles.
    """
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError:
        raise MissingExtraError("huggingface_hub", EXTRA) from None
    where = PREFIX + name
    with _one_sentence(where):
        names = [file for file in hub.list_repo_files(name) if "/" not in file]
    weights = _weights(names, name)

    def fetch(file: str) -> Path:
        with _one_sentence(where):
            return Path(hub.hf_hub_download(name, file))

    path = fetch(weights)
    if weights.endswith(INDEX_SUFFIX):
        for shard in sorted(set(shard_names(path).values())):
            fetch(shard)
    for file in ("config.json", *FILES):
        if file in names:
            fetch(file)
    return replace(read_weights(path, options), source=where)


def _weights(names: list[str], name: str) -> str:
    if not any(file.endswith(".safetensors") for file in names):
        pickled = next((file for file in sorted(names) if file.endswith(PICKLED)), None)
        if pickled is not None:
            raise DataError(
                f"{PREFIX}{name}: has its weights only as {pickled}: {CONVERT.format(name=name)}."
            )
    return weights_file(names, Path(PREFIX + name)).name


@contextmanager
def _one_sentence(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{where}: cannot be fetched: {why}") from None
