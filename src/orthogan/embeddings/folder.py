"""Folders and files of models as the Hugging Face libraries write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from orthogan.embeddings.json_file import read_object
from orthogan.embeddings.labels import read_labels
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.model import model_tables
from orthogan.embeddings.result import Tables
from orthogan.embeddings.safetensors_file import (
    INDEX_SUFFIX,
    SUFFIX,
    open_sharded,
    open_tensors,
)
from orthogan.embeddings.tensors import Model
from orthogan.errors import DataError

DEEPEST = 3  # levels beneath a folder in which a model is looked for
MOST_FOLDERS = 200  # of one level
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")
CONVERT = (
    "pickles are never opened; write safetensors once with the model's own library, for "
    "example AutoModel.from_pretrained('{name}').save_pretrained('converted')"
)


def read_folder(folder: Path, options: LoadOptions) -> Tables:
    """The tables of the model in a folder, or in the one folder beneath it that holds a model.

    Raises:
        DataError: no model, or several beneath it, which the sentence names.
    """
    names = [p.name for p in folder.iterdir()]
    if any(name.endswith((SUFFIX, INDEX_SUFFIX)) for name in names):
        return read_weights(weights_file(names, folder), options)
    beneath = sorted(_models_beneath(folder))
    if len(beneath) == 1:
        found = read_weights(
            weights_file([p.name for p in beneath[0].iterdir()], beneath[0]), options
        )
        inside = beneath[0].relative_to(folder)
        return replace(found, notes=(f"The model was found in the folder {inside}.", *found.notes))
    if beneath:
        shown = ", ".join(str(each.relative_to(folder)) for each in beneath[:5])
        raise DataError(
            f"{folder}: holds no model, but {len(beneath)} folders in it do: {shown}; name one."
        )
    return read_weights(weights_file(names, folder), options)


def _models_beneath(folder: Path) -> Iterator[Path]:
    """Folders beneath one that hold weights: snapshots of a hub's cache lie two levels deep."""
    level = [folder]
    for _ in range(DEEPEST):
        inner = [p for each in level for p in sorted(each.iterdir()) if p.is_dir()][:MOST_FOLDERS]
        holding = [p for p in inner if any(p.glob("*" + SUFFIX))]
        yield from holding
        level = [p for p in inner if p not in holding]


def weights_file(names: list[str], folder: Path) -> Path:
    """The one file of a folder of these files that leads to the weights."""
    for preferred in ("model.safetensors", "model" + INDEX_SUFFIX):
        if preferred in names:
            return folder / preferred
    found = sorted(name for name in names if name.endswith(INDEX_SUFFIX)) or sorted(
        name for name in names if name.endswith(".safetensors")
    )
    if len(found) == 1:
        return folder / found[0]
    if found:
        raise DataError(f"{folder}: holds several models: {', '.join(found)}; name one file.")
    pickled = next((name for name in sorted(names) if name.endswith(PICKLED)), None)
    if pickled is not None:
        raise DataError(
            f"{folder}: holds weights only as {pickled}: {CONVERT.format(name=folder)}."
        )
    raise DataError(f"{folder}: holds no .safetensors file and no word vectors.")


def read_weights(path: Path, options: LoadOptions) -> Tables:
    """The tables in a safetensors file or index, with the configuration beside it."""
    return model_tables(open_model(path), options, partial(read_labels, path.parent))


def open_model(path: Path) -> Model:
    """The tensors in a safetensors file or index, with the configuration beside it."""
    is_index = path.name.endswith(".json")
    tensors = open_sharded(path) if is_index else open_tensors(path)
    config = path.parent / "config.json"
    return Model(str(path), tensors, read_object(config) if config.is_file() else {})
