"""The scores of finished runs, measured once and kept beside the comparison."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.errors import BundleError, ConfigError, StorageError, UnknownNameError
from orthogan.files import read_json, storage_errors, write_json
from orthogan.gan import api
from orthogan.version import __version__

KEPT = "evaluations"  # the folder of them, beside the runs
WEIGHTS = Path("bundle") / "generator.safetensors"
OWN_FILE = "score.json"  # what a run that scores itself ended with
# What reading an evaluation raises that is damaged, or of another form.
_DAMAGED = (StorageError, AttributeError, KeyError, OverflowError, TypeError, ValueError)


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
class Measure:
    """The metrics, and the images to measure on; None: what is usual for the task.

    Raises:
        ConfigError: there is nothing to measure, or nothing to measure it on.
    """

    metrics: Sequence[str] | None = None
    num_images: int | None = None

    def __post_init__(self) -> None:
        if self.num_images is not None and self.num_images < 1:
            raise ConfigError(f"At least 1 image is needed, got {self.num_images}.")
        if self.metrics is not None and not self.metrics:
            raise ConfigError("At least one metric is needed.")

    def recorded(self, kept: Mapping[Path, Kept]) -> Measure:
        """What most of the runs were scored by, where nothing else is requested.

        Of two that as many were scored by, the one with more images.

        Args:
            kept: Where the evaluations of each run are, by its folder.
        """
        stored = [stored_score(run, where) for run, where in kept.items()]
        counts = Counter((each.metrics, each.num_images) for each in stored if each is not None)
        if not counts:
            return self
        metrics, num_images = max(counts, key=lambda each: (counts[each], each[1]))
        return Measure(
            metrics=metrics if self.metrics is None else self.metrics,
            num_images=num_images if self.num_images is None else self.num_images,
        )


@dataclass(frozen=True, kw_only=True)
class StoredScore:
    """An evaluation that was kept, and what it was made from.

    Attributes:
        evaluation: As `Evaluation.to_dict` gives it.
        metrics: The names that were requested; None: those usual for the data.
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
    every = (_read(folder / f"{run.name}.json") for folder in kept.folders)
    return next((found for found in every if found is not None), None)


def why_again(run: Path, metrics: Sequence[str], num_images: int, kept: Kept) -> str:
    """Why a run has to be scored, though runs like it were before; empty if it has not to be."""
    found = stored_score(run, kept)
    if found is None:
        is_damaged = any((folder / f"{run.name}.json").exists() for folder in kept.folders)
        return "its stored score is damaged" if is_damaged else "it has no stored score"
    if found.num_images != num_images:
        return f"its stored score is that of {found.num_images:,} images"
    if found.metrics != tuple(metrics):
        return "its stored score is that of other metrics"
    if found.version != __version__ and not kept.any_version:
        return f"its stored score was measured by orthogan {found.version}"
    weights = run / WEIGHTS  # without them nothing could be measured again
    if weights.exists() and found.weights != _digest(weights):
        return "its stored score is that of another model"
    return ""


def scores_of(run: Path, metrics: Sequence[str], num_images: int, kept: Kept) -> dict[str, Any]:
    """The evaluation of a finished run on images of the same seeds as in every run.

    Raises:
        BundleError: the run has no trained model.
        ConfigError: too few images for a metric.
        StorageError: the evaluation cannot be kept.
    """
    found = stored_score(run, kept)
    if found is not None and not why_again(run, metrics, num_images, kept):
        return found.evaluation
    made_from = {
        "metrics": list(metrics),
        "num_images": num_images,
        "weights": _digest(run / WEIGHTS),
        "orthogan": __version__,
    }
    evaluation = api.evaluate(
        run, metrics=metrics, num_images=num_images, second_judge=None
    ).to_dict()
    if kept.target is not None:
        with storage_errors(kept.target):
            kept.target.mkdir(parents=True, exist_ok=True)
        record = {"made_from": made_from, "evaluation": evaluation}
        write_json(kept.target / f"{run.name}.json", record)
    return evaluation


def own_scores(run: Path, measure: Measure) -> dict[str, Any]:
    """What a finished run wrote down about itself.

    Raises:
        BundleError: there is no score, though the run is done.
        ConfigError: a number of images is requested.
        UnknownNameError: the run has another score.
    """
    try:
        found = _checked(read_json(run / OWN_FILE))
    except _DAMAGED:
        raise BundleError(f"{run / OWN_FILE}: holds no score, though the run is done.") from None
    check_own(next(iter(found["scores"])), measure)
    return found


def check_own(name: str, measure: Measure) -> None:
    """Checks what is requested of runs that score themselves, by `name` alone.

    Raises:
        ConfigError: a number of images is requested.
        UnknownNameError: another metric is requested.
    """
    if measure.num_images is not None:
        raise ConfigError(
            f"--num-images has no effect: the {name} of such runs is that of all they hold out."
        )
    for metric in measure.metrics or ():
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
    except _DAMAGED:
        return None


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    """An evaluation with at least one score; None stands for numbers that are not finite.

    Raises:
        One of `_DAMAGED`: it is something else.
    """
    scores = {
        name: {part: _number(value) for part, value in score.items()}
        for name, score in found["scores"].items()
    }
    if not scores or not all("value" in score for score in scores.values()):
        raise ValueError("a score without a value, or none")
    return {**found, "scores": scores}


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise ValueError("not a number")
    return None if value is None or not math.isfinite(value) else value
