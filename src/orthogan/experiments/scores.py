"""The scores of finished runs, measured once and kept beside the comparison."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.errors import BundleError, ConfigError, StorageError, UnknownNameError
from orthogan.files import read_json, storage_errors, write_json
from orthogan.gan import api
from orthogan.version import __version__

WEIGHTS = Path("bundle") / "generator.safetensors"
OWN_FILE = "score.json"  # what a run that scores itself ended with


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Where evaluations are kept.

    Attributes:
        folders: Where they are looked for.
        target: Where new ones are added; None keeps nothing.
        any_version: Whether those that another version of orthogan measured are used too.
    """

    folders: tuple[Path, ...] = ()
    target: Path | None = None
    any_version: bool = False


NOWHERE = Kept()


@dataclass(frozen=True, kw_only=True)
class StoredScore:
    """An evaluation that was kept, and what it was made from.

    Attributes:
        evaluation: As `Evaluation.to_dict` gives it.
        metrics: The names that were asked for.
        num_images: Images that it was measured on.
        weights: Checksum of the generator.
        version: Of orthogan.
    """

    evaluation: dict[str, Any]
    metrics: tuple[str, ...] | None
    num_images: int
    weights: str
    version: str


def stored_score(run: Path, kept: Kept) -> StoredScore | None:
    """The evaluation of a run that was kept; None if there is none that can be read."""
    for folder in kept.folders:
        found = _read(folder / f"{run.name}.json")
        if found is not None:
            return found
    return None


def why_again(run: Path, metrics: Sequence[str] | None, num_images: int, kept: Kept) -> str:
    """Why a run has to be scored, though runs like it were before; empty if it has not to be."""
    found = stored_score(run, kept)
    if found is None:
        is_damaged = any((folder / f"{run.name}.json").exists() for folder in kept.folders)
        return "its stored score is damaged" if is_damaged else "it has no stored score"
    if found.num_images != num_images:
        return f"its stored score is that of {found.num_images:,} images"
    if found.metrics != (None if metrics is None else tuple(metrics)):
        return "its stored score is that of other metrics"
    if found.version != __version__ and not kept.any_version:
        return f"its stored score was measured by orthogan {found.version}"
    weights = run / WEIGHTS  # without them nothing could be measured again
    if weights.exists() and found.weights != _digest(weights):
        return "its stored score is that of another model"
    return ""


def scores_of(
    run: Path, metrics: Sequence[str] | None, num_images: int, kept: Kept = NOWHERE
) -> dict[str, Any]:
    """The evaluation of a finished run, as `Evaluation.to_dict` gives it.

    Args:
        run: Folder of the run.
        metrics: Names; the usual ones for the data if None.
        num_images: Images to generate; the same seeds in every run.
        kept: Earlier evaluations, to read and to add to.

    Raises:
        BundleError: the run has no trained model.
        ConfigError: too few images for a metric.
        StorageError: the evaluation cannot be kept.
    """
    found = stored_score(run, kept)
    if found is not None and not why_again(run, metrics, num_images, kept):
        return found.evaluation
    made_from = {
        "metrics": None if metrics is None else list(metrics),
        "num_images": num_images,
        "weights": _digest(run / WEIGHTS),
        "orthogan": __version__,
    }
    evaluation = api.evaluate(run, metrics=metrics, num_images=num_images).to_dict()
    if kept.target is not None:
        with storage_errors(kept.target):
            kept.target.mkdir(parents=True, exist_ok=True)
        record = {"made_from": made_from, "evaluation": evaluation}
        write_json(kept.target / f"{run.name}.json", record)
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
        found = _checked(read_json(run / OWN_FILE))
        name = next(iter(found["scores"]))
    except (StorageError, OverflowError, ValueError):
        raise BundleError(f"{run / OWN_FILE}: holds no score, though the run is done.") from None
    check_own(name, metrics, num_images)
    return found


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


def _read(path: Path) -> StoredScore | None:
    """What was kept; None if it is missing or damaged, for it can be measured again."""
    try:
        found = read_json(path)
        made_from = found["made_from"]
        metrics = made_from["metrics"]
        return StoredScore(
            evaluation=_checked(found["evaluation"]),
            metrics=None if metrics is None else tuple(map(str, metrics)),
            num_images=int(made_from["num_images"]),
            weights=str(made_from["weights"]),
            version=str(made_from["orthogan"]),
        )
    except (StorageError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _checked(found: Any) -> dict[str, Any]:
    """An evaluation with at least one score; None stands for numbers that are not finite.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(found, dict) or not isinstance(found.get("scores"), dict):
        raise ValueError("no scores")
    scores = {}
    for name, score in found["scores"].items():
        if not isinstance(score, dict) or "value" not in score:
            raise ValueError("a score without a value")
        scores[name] = {part: _number(value) for part, value in score.items()}
    if not scores:
        raise ValueError("no scores")
    return {**found, "scores": scores}


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise ValueError("not a number")
    return None if value is None or not math.isfinite(value) else value
