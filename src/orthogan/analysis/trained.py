"""The networks that a run folder, a bundle or a shipped model holds, ready to be looked into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from orthogan.errors import BundleError, ConfigError, UnknownNameError
from orthogan.models import bundle
from orthogan.models.bundle.names import RUNS, is_unfinished
from orthogan.networks import (
    CLASSIFIERS,
    DISCRIMINATORS,
    GENERATORS,
    Classifier,
    Discriminator,
    Generator,
    network_config,
)
from orthogan.training.run_record import RUN_FILE, described_part, read_record
from orthogan.training.state_tensors import part_of
from orthogan.training.unfinished import healthy_checkpoint

ROLES = ("generator", "discriminator")  # the players of a GAN, by name
REGISTRIES: dict[str, Any] = {
    "generator": GENERATORS,
    "discriminator": DISCRIMINATORS,
    "classifier": CLASSIFIERS,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
        network: In evaluation mode.
        role: `generator`, `discriminator` or `classifier`.
        data: What it was trained on: at least `source`.
        where: The folder it was read from.
        note: Which checkpoint of a run it is, where the run is not done; else empty.
        num_seen: How many images it was trained on; None where nothing says so.
        seed: Of its first weights; None where nothing says so.
        attempt: How often the run had restarted from other weights when they were drawn.
    """

    network: Generator | Discriminator | Classifier = field(repr=False)
    role: str
    data: dict[str, Any]
    where: Path
    note: str = ""
    num_seen: int | None = None
    seed: int | None = None
    attempt: int = 0


def is_trained(source: object) -> bool:
    """Whether a source is a run folder, a bundle folder, or the name of a shipped model."""
    if not isinstance(source, str | Path):
        return False
    return source in bundle.shipped_names() or _folder(source) is not None


def has_language(source: str | Path) -> bool:
    """Whether a source for which `is_trained` holds has the bundle of a language model."""
    path = _folder(source)
    return path is not None and any(
        bundle.role_of(folder) == "language" for folder in (path, path / "bundle")
    )


def unfinished_language(source: str | Path) -> Path | None:
    """The folder of a language run that has no bundle yet; None for everything else.

    Raises:
        ResumeError: the run's record is damaged.
    """
    path = _folder(source)
    if path is None or any(bundle.is_bundle(folder) for folder in (path, path / "bundle")):
        return None
    return path if read_record(path)["task"] == "language" else None


def load_trained(source: str | Path, player: str | None = None) -> Trained:
    """A network of a source for which `is_trained` holds.

    A generator or classifier comes from the bundle, or from the newest healthy checkpoint of a run
    that is not done (the average of its weights); a discriminator from the newest healthy one.

    Args:
        source: Run folder, bundle folder, or the name of a shipped model.
        player: `generator` or `discriminator`; None: the generator, or the classifier of a
            classification run.

    Raises:
        BundleError: damaged, newer than this version, or without the network asked for, as is a
            run without a checkpoint.
        ConfigError: a player of a classification run.
        ResumeError: the record of the run is damaged.
        UnknownNameError: no such player.
    """
    if player is not None and player not in ROLES:
        raise UnknownNameError("network of a GAN", player, ROLES)
    path = _folder(source)
    if path is not None and (path / RUN_FILE).exists():
        has_bundle = bundle.is_bundle(path) or bundle.is_bundle(path / "bundle")
        if player == "discriminator" or is_unfinished(path) or not has_bundle:
            return _from_checkpoint(path, player)
    return _from_bundle(bundle.resolve(source), player)


def _folder(source: str | Path) -> Path | None:
    if source in bundle.shipped_names():
        return None
    for path in (Path(source), RUNS / source):
        try:
            if (path / RUN_FILE).is_file() or any(
                bundle.is_bundle(folder) for folder in (path, path / "bundle")
            ):
                return path
        except (OSError, ValueError):  # a name too long, or with a zero byte
            return None
    return None


def _from_bundle(folder: Path, player: str | None) -> Trained:
    role: bundle.Role = "classifier" if bundle.role_of(folder) == "classifier" else "generator"
    if role == "classifier":
        _refuse_player(folder, player)
    elif player == "discriminator":
        raise BundleError(
            f"{folder}: a bundle holds a generator alone; the discriminator lies in the "
            "checkpoints of a run folder."
        )
    stored = bundle.load_bundle(folder, role)
    network = _built(role, stored.network_config, stored.tensors, folder)
    seed = stored.card.get("seed")
    return Trained(
        network=network,
        role=role,
        data=stored.data,
        where=folder,
        num_seen=stored.num_seen,
        seed=seed if type(seed) is int else None,
    )


def _from_checkpoint(run: Path, player: str | None) -> Trained:
    record = read_record(run)
    if record["task"] == "language":
        raise BundleError(
            f"{run}: a language model is trained here, not a generator or classifier; repeat its "
            "command, then use it with 'orthogan generate'."
        )
    checkpoint, note = healthy_checkpoint(run)
    role = player or "generator"
    if record["task"] == "classify":
        _refuse_player(run, player)
        role = "classifier"
    part = "discriminator" if role == "discriminator" else "average"
    described = described_part(record, "network" if role == "classifier" else role, run)
    network = _built(role, described, part_of(part, checkpoint.tensors), run)
    seed, attempt = record["config"].get("seed"), checkpoint.state.get("attempt")
    return Trained(
        network=network,
        role=role,
        data=described_part(record, "data", run),
        where=run,
        note=note,
        num_seen=checkpoint.images_seen,
        seed=seed if type(seed) is int else None,
        attempt=attempt if type(attempt) is int and attempt >= 0 else 0,
    )


def _refuse_player(where: Path, player: str | None) -> None:
    if player is not None:
        raise ConfigError(
            f"{where}: a classifier is a single network; leave out network = '{player}'."
        )


def _built(
    role: str, described: dict[str, Any], tensors: Mapping[str, Tensor], where: Path
) -> Generator | Discriminator | Classifier:
    network: Generator | Discriminator | Classifier = bundle.rebuild(
        lambda: network_config(REGISTRIES[role], described), tensors, where
    )
    return network.eval()
