"""Writing and reading the folder of a trained model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from orthogan.bundle.card import render_card
from orthogan.bundle.tensors import digest, pack, unpack
from orthogan.errors import BundleError, StorageError
from orthogan.files import committed_folder, read_json
from orthogan.version import __version__

FORMAT = 1
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "generator.safetensors"
CARD_FILE = "README.md"

_MAGIC = "orthogan bundle"
_FIELDS = {"sha256": str, "data": dict, "card": dict, "orthogan": str}
GENERATOR, CLASSIFIER = "generator", "classifier"
_WEIGHTS = {GENERATOR: WEIGHTS_FILE, CLASSIFIER: "classifier.safetensors"}
# What a network of each kind is used with, for those who took one for the other.
_USES = {
    GENERATOR: "use it with 'orthogan sample' or 'orthogan evaluate'",
    CLASSIFIER: "use it with 'orthogan classify --classifier'",
}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A trained model: what to build, its weights, its data and its measured numbers."""

    path: Path
    generator_config: dict[str, Any]
    tensors: dict[str, Tensor] = field(repr=False)
    data: dict[str, Any]
    card: dict[str, Any] = field(repr=False)
    sha256: str
    version: str


@dataclass(frozen=True, kw_only=True)
class ClassifierBundle:
    """A trained classifier: what to build, its weights, what it knows and how well it does."""

    path: Path
    classifier_config: dict[str, Any]
    tensors: dict[str, Tensor] = field(repr=False)
    data: dict[str, Any]
    card: dict[str, Any] = field(repr=False)
    sha256: str
    version: str


def save_bundle(
    folder: Path,
    *,
    generator_config: dict[str, Any],
    tensors: Mapping[str, Tensor],
    data: dict[str, Any],
    card: dict[str, Any],
) -> Path:
    """The folder itself, holding the model; an earlier model there is replaced as a whole.

    Args:
        folder: Where it goes; parents are created.
        generator_config: Kind and fields of the network, whatever rebuilds it.
        tensors: Weights of the generator.
        data: What it makes: `size`, `colours`, `class_names`, ...
        card: For the README: `title`, `summary`, `command`, `seed`, `scores`
            (`{name: {value, low, high, floor, n}}`), `licence`, and any other fact by name.

    Raises:
        BundleError: `folder` holds something that is not a bundle.
        StorageError: the disk is full or unwritable.
    """
    return _save(folder, GENERATOR, generator_config, tensors, data, card)


def save_classifier(
    folder: Path,
    *,
    classifier_config: dict[str, Any],
    tensors: Mapping[str, Tensor],
    data: dict[str, Any],
    card: dict[str, Any],
) -> Path:
    """The folder itself, holding a classifier; the counterpart of `save_bundle`.

    Args:
        folder: Where it goes; parents are created.
        classifier_config: Kind and fields of the network, whatever rebuilds it.
        tensors: Weights of the classifier.
        data: What it knows: `size`, `colours`, `class_names`, `label_parts`, ...
        card: For the README, as in `save_bundle`.

    Raises:
        BundleError: `folder` holds something that is not a bundle.
        StorageError: the disk is full or unwritable.
    """
    return _save(folder, CLASSIFIER, classifier_config, tensors, data, card)


def _save(
    folder: Path,
    role: str,
    network_config: dict[str, Any],
    tensors: Mapping[str, Tensor],
    data: dict[str, Any],
    card: dict[str, Any],
) -> Path:
    if folder.exists() and not is_bundle(folder):
        raise BundleError(f"{folder}: exists and is not a bundle; choose another place.")
    weights = pack(tensors)
    config = {
        "kind": _MAGIC,
        "format": FORMAT,
        "orthogan": __version__,
        "sha256": digest(weights),
        role: network_config,
        "data": data,
        "card": card,
    }
    with committed_folder(folder) as new:
        (new / _WEIGHTS[role]).write_bytes(weights)
        (new / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (new / CARD_FILE).write_text(render_card(config), encoding="utf-8")
    return folder


def load_bundle(folder: Path) -> Bundle:
    """The model in a bundle folder.

    Raises:
        BundleError: not a bundle, of a newer format, of a classifier, a file missing, or a wrong
            checksum.
    """
    config = _read_config(folder, GENERATOR)
    return Bundle(
        path=folder,
        generator_config=config[GENERATOR],
        tensors=unpack(folder / WEIGHTS_FILE, config["sha256"]),
        data=config["data"],
        card=config["card"],
        sha256=config["sha256"],
        version=config["orthogan"],
    )


def load_classifier(folder: Path) -> ClassifierBundle:
    """The classifier in a bundle folder.

    Raises:
        BundleError: not a bundle, of a newer format, of a generator, a file missing, or a wrong
            checksum.
    """
    config = _read_config(folder, CLASSIFIER)
    return ClassifierBundle(
        path=folder,
        classifier_config=config[CLASSIFIER],
        tensors=unpack(folder / _WEIGHTS[CLASSIFIER], config["sha256"]),
        data=config["data"],
        card=config["card"],
        sha256=config["sha256"],
        version=config["orthogan"],
    )


def is_bundle(folder: Path) -> bool:
    """Whether a folder claims to be a bundle, healthy or not."""
    try:
        config = read_json(folder / CONFIG_FILE)
    except StorageError:
        return False
    return isinstance(config, dict) and config.get("kind") == _MAGIC


def _read_config(folder: Path, role: str) -> dict[str, Any]:
    file = folder / CONFIG_FILE
    if not file.is_file():
        raise BundleError(f"{folder}: has no {CONFIG_FILE}, so it is no bundle or half of one.")
    try:
        config = read_json(file)
    except StorageError as error:
        raise BundleError(str(error)) from None
    if not isinstance(config, dict) or config.get("kind") != _MAGIC:
        raise BundleError(f"{file}: not the configuration of an orthogan bundle.")
    form = config.get("format")
    if not isinstance(form, int):
        raise BundleError(f"{file}: has no format number, so it is damaged.")
    if form > FORMAT:
        raise BundleError(
            f"{folder}: made by a newer orthogan (format {form}, this version reads up to "
            f"{FORMAT}): pip install --upgrade orthogan."
        )
    other = CLASSIFIER if role == GENERATOR else GENERATOR
    if role not in config and other in config:
        raise BundleError(f"{folder}: holds a {other}, not a {role}; {_USES[other]}.")
    for name, kind in {**_FIELDS, role: dict}.items():
        if not isinstance(config.get(name), kind):
            raise BundleError(f"{file}: '{name}' is missing or damaged.")
    return config
