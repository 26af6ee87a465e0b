"""Folders and files of models as the Hugging Face libraries write them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from orthogan.embeddings.json_file import read_object
from orthogan.embeddings.labels import read_labels
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.model import model_tables
from orthogan.embeddings.result import Tables
from orthogan.embeddings.safetensors_file import INDEX_SUFFIX, open_sharded, open_tensors
from orthogan.embeddings.tensors import Model
from orthogan.errors import DataError

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")
CONVERT = (
    "pickles are never opened; write safetensors once with the model's own library, for "
    "example AutoModel.from_pretrained('{name}').save_pretrained('converted')"
)


def read_folder(folder: Path, options: LoadOptions) -> Tables:
    """The tables of the model in a folder."""
    return read_weights(weights_file([p.name for p in folder.iterdir()], folder), options)


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
