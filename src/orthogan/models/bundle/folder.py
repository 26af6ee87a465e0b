"""Writing and reading the folder of a trained model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from orthogan.config import check_shape
from orthogan.errors import BundleError, StorageError
from orthogan.files import committed_folder, read_json
from orthogan.models.bundle.card import CALLED, render_card
from orthogan.models.bundle.rebuild import Described, Network_co, rebuild
from orthogan.models.bundle.tensors import digest, pack, unpack
from orthogan.version import __version__

FORMAT = 1
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "generator.safetensors"
CARD_FILE = "README.md"

_MAGIC = "orthogan bundle"


class _Part(BaseModel):
    """Something that may hold more than is read of it."""

    model_config = ConfigDict(extra="allow")


class DataFacts(_Part):
    """What a network was trained on."""

    source: str = ""
    size: int = Field(28, ge=1)
    colours: int = Field(1, ge=1)
    class_names: list[str] = []
    label_parts: int = Field(1, ge=1)
    fingerprint: str = ""
    test: str | None = None
    labels: str = "auto"
    fit: str = "crop"
    tokeniser: str = ""


class _Score(_Part):
    value: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    n: float | None = None


class CardFacts(_Part):
    """What the README of a network tells."""

    title: str = ""
    summary: str = ""
    command: str = ""
    scores: dict[str, _Score] = {}


class _Config(_Part):
    """What is read of `config.json`, besides the network."""

    sha256: str
    data: DataFacts
    card: CardFacts
    orthogan: str


Role = Literal["generator", "classifier", "language"]
GENERATOR, CLASSIFIER, LANGUAGE = "generator", "classifier", "language"
VOCABULARY_FILE = "vocabulary.json"
_WEIGHTS = {
    GENERATOR: WEIGHTS_FILE,
    CLASSIFIER: "classifier.safetensors",
    LANGUAGE: "language.safetensors",
}
# What a network of each kind is used with, for those who took one for the other.
_USES = {
    GENERATOR: "use it with 'orthogan sample' or 'orthogan evaluate'",
    CLASSIFIER: "use it with 'orthogan classify --classifier'",
    LANGUAGE: "use it with 'orthogan generate'",
}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A trained network: what to build, its weights, what it knows and its measured numbers.

    `note` says which checkpoint it is, of a run that is not done.
    """

    path: Path
    network_config: dict[str, Any]
    tensors: dict[str, Tensor] = field(repr=False)
    data: dict[str, Any]
    card: dict[str, Any] = field(repr=False)
    sha256: str
    version: str
    vocabulary: dict[str, Any] = field(default_factory=dict, repr=False)
    note: str = ""

    def network(self, describe: Callable[[dict[str, Any]], Described[Network_co]]) -> Network_co:
        """The network itself.

        Args:
            describe: Makes a configuration of `network_config`.

        Raises:
            BundleError: nothing can be built, or the weights do not fit it.
        """
        return rebuild(lambda: describe(self.network_config), self.tensors, self.path)

    @property
    def num_seen(self) -> int | None:
        """How many images, or tokens, it was trained on; None where the card does not say."""
        seen = self.card.get("images seen", self.card.get("tokens seen"))
        return seen if type(seen) is int else None

    def fact(self, name: str) -> Any:
        """What `data` says under a name.

        Raises:
            BundleError: nothing.
        """
        if self.data.get(name) is None:
            raise BundleError(f"{self.path / CONFIG_FILE}: 'data.{name}' is missing.")
        return self.data[name]


def save_bundle(
    folder: Path,
    *,
    role: Role = "generator",
    network_config: dict[str, Any],
    tensors: Mapping[str, Tensor],
    data: dict[str, Any],
    card: dict[str, Any],
    vocabulary: dict[str, Any] | None = None,
) -> Path:
    """The folder itself, holding the model; an earlier model there is replaced as a whole.

    Args:
        folder: Where it goes; parents are created.
        role: What kind of network it is.
        network_config: Kind and fields of the network, whatever rebuilds it.
        tensors: Weights of the network.
        data: What it makes or knows: `size`, `colours`, `class_names`, ...
        card: For the README: `title`, `summary`, `command`, `seed`, `scores`
            (`{name: {value, low, high, floor, n}}`), `licence`, and any other fact by name.
        vocabulary: What the tokens of a language model are; goes into `vocabulary.json`.

    Raises:
        BundleError: `folder` holds something that is not a bundle.
        StorageError: the disk is full or unwritable.
    """
    files = {}
    if vocabulary is not None:
        files[VOCABULARY_FILE] = (json.dumps(vocabulary, indent=0) + "\n").encode()
        data = data | {"vocabulary_sha256": digest(files[VOCABULARY_FILE])}
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
        for name, content in files.items():
            (new / name).write_bytes(content)
    return folder


def load_bundle(folder: Path, role: Role = "generator") -> Bundle:
    """The model in a bundle folder.

    Raises:
        BundleError: not a bundle, of a newer format, of another kind of network, a file missing,
            or a wrong checksum.
    """
    config = _read_config(folder, role)
    tensors = unpack(folder / _WEIGHTS[role], config["sha256"])
    vocabulary = {}
    if role == LANGUAGE:
        vocabulary = _read_vocabulary(folder, config["data"].get("vocabulary_sha256"))
    return Bundle(
        path=folder,
        network_config=config[role],
        tensors=tensors,
        data=config["data"],
        card=config["card"],
        sha256=config["sha256"],
        version=config["orthogan"],
        vocabulary=vocabulary,
    )


def refuse_other_role(folder: Path, found: str, wanted: str) -> None:
    """Checks that a folder holds a network of the kind that is asked for.

    Raises:
        BundleError: of another; the sentence says what it can be used with.
    """
    if found != wanted:
        raise BundleError(
            f"{folder}: holds a {CALLED[found]}, not a {CALLED[wanted]}; {_USES[found]}."
        )


def _read_vocabulary(folder: Path, sha256: object) -> dict[str, Any]:
    file = folder / VOCABULARY_FILE
    tree = read_json(file, error=BundleError, only_text=True)
    found = digest(file.read_bytes())
    if found != sha256 or not isinstance(tree, dict):
        raise BundleError(f"{file}: damaged: its checksum differs; copy it again.")
    return tree


def is_bundle(folder: Path) -> bool:
    """Whether a folder claims to be a bundle, healthy or not."""
    try:
        config = read_json(folder / CONFIG_FILE)
    except StorageError:
        return False
    return isinstance(config, dict) and config.get("kind") == _MAGIC


def role_of(folder: Path) -> str | None:
    """`generator`, `classifier` or `language`: what a bundle holds; None if it is none of ours."""
    if not is_bundle(folder):
        return None
    config = read_json(folder / CONFIG_FILE, error=BundleError)
    return next((role for role in _WEIGHTS if role in config), None)


def _read_config(folder: Path, role: str) -> dict[str, Any]:
    file = folder / CONFIG_FILE
    if not file.is_file():
        raise BundleError(f"{folder}: has no {CONFIG_FILE}, so it is no bundle or half of one.")
    config = read_json(file, error=BundleError)
    if not isinstance(config, dict) or config.get("kind") != _MAGIC:
        raise BundleError(f"{file}: not the configuration of an orthogan bundle.")
    form = config.get("format")
    if type(form) is not int or form < 1:  # not isinstance: True is an int
        raise BundleError(f"{file}: has no format number, so it is damaged.")
    if form > FORMAT:
        raise BundleError(
            f"{folder}: made by a newer orthogan (format {form}, this version reads up to "
            f"{FORMAT}): pip install --upgrade orthogan."
        )
    if role not in config:
        refuse_other_role(folder, next((name for name in _WEIGHTS if name in config), role), role)
    if not isinstance(config.get(role), dict):
        raise BundleError(f"{file}: '{role}' is missing or damaged; copy it again.")
    check_shape(_Config, config, file, BundleError, "; copy it again.")
    return config
