"""The scores of finished runs, measured once and kept beside the comparison."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orthogan import api
from orthogan.errors import BundleError, ConfigError, StorageError, UnknownNameError
from orthogan.files import read_json, storage_errors, write_json
from orthogan.version import __version__

WEIGHTS = Path("bundle") / "generator.safetensors"
OWN_FILE = "score.json"  # what a run that scores itself ended with


def scores_of(
    run: Path, metrics: Sequence[str] | None, num_images: int, kept: Path | None
) -> dict[str, Any]:
    """The evaluation of a finished run, as `Evaluation.to_dict` gives it.

    Args:
        run: Folder of the run.
        metrics: Names; the usual ones for the data if None.
        num_images: Images to generate; the same seeds in every run.
        kept: Folder of earlier evaluations, to read and to add to; None keeps nothing.

    Raises:
        BundleError: the run has no trained model.
        ConfigError: too few images for a metric.
        StorageError: the evaluation cannot be kept.
    """
    made_from = {
        "metrics": None if metrics is None else list(metrics),
        "num_images": num_images,
        "weights": _digest(run / WEIGHTS),
        "orthogan": __version__,
    }
    if kept is not None:
        found = _read(kept / f"{run.name}.json")
        if found.get("made_from") == made_from:
            earlier: dict[str, Any] = found["evaluation"]
            return earlier
    evaluation = api.evaluate(run, metrics=metrics, num_images=num_images).to_dict()
    if kept is not None:
        with storage_errors(kept):
            kept.mkdir(parents=True, exist_ok=True)
        write_json(kept / f"{run.name}.json", {"made_from": made_from, "evaluation": evaluation})
    return evaluation


def own_scores(run: Path, metrics: Sequence[str] | None, num_images: int | None) -> dict[str, Any]:
    """What a finished run wrote down about itself.

    Args:
        run: Folder of a run that scores itself.
        metrics: Its one score, or None.
        num_images: None; such a run is scored on all that it has.

    Raises:
        BundleError: there is no score, though the run is done.
        ConfigError: `num_images` is given.
        UnknownNameError: the run has another score.
    """
    try:
        found = read_json(run / OWN_FILE)
        name = next(iter(found["scores"]))
    except (StorageError, AttributeError, KeyError, StopIteration, TypeError):
        raise BundleError(f"{run / OWN_FILE}: holds no score, though the run is done.") from None
    check_own(name, metrics, num_images)
    return dict(found)


def check_own(name: str, metrics: Sequence[str] | None, num_images: int | None) -> None:
    """Checks what is asked of runs that score themselves, by `name` alone.

    Raises:
        ConfigError: `num_images` is given.
        UnknownNameError: another metric is asked for.
    """
    if num_images is not None:
        raise ConfigError(
            f"--num-images has no effect: the {name} of such runs is that of all they hold out."
        )
    for metric in metrics or ():
        if metric != name:
            raise UnknownNameError("metric", metric, [name])


def _digest(weights: Path) -> str:
    try:
        return hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError:
        raise BundleError(f"{weights}: cannot be read, though the run is done.") from None


def _read(path: Path) -> dict[str, Any]:
    """What was kept; nothing if it is missing or damaged, for it is soon measured again."""
    try:
        found = read_json(path)
    except StorageError:
        return {}
    return found if isinstance(found, dict) and "evaluation" in found else {}
