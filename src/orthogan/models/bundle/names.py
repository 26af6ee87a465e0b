"""From what a person types to the folder of a trained model."""

from __future__ import annotations

from pathlib import Path

from orthogan.errors import BundleError, StorageError, UnknownNameError
from orthogan.files import read_json
from orthogan.models.bundle.folder import CONFIG_FILE, WEIGHTS_FILE, is_bundle

ASSETS = Path(__file__).parents[2] / "assets"
RUNS = Path("runs")
RUN_FILE = "run.json"


UNTRAINED = "this run has no trained model yet; repeat its command to go on training."


def resolve(name: str | Path) -> Path:
    """The bundle folder meant by a shipped name, a run folder, a bundle folder, or a run's name.

    Of a run that is not done, the run folder: its newest model lies in its checkpoints.
    A shipped name wins over a folder of that name; write `./name`, or a `Path`, for
    the folder.

    Raises:
        BundleError: the path exists and holds no trained model.
        UnknownNameError: there is nothing of that name; the sentence holds the nearest.
    """
    if isinstance(name, str) and name in shipped_names():
        return ASSETS / name
    for path in (Path(name), RUNS / name):
        try:
            if path.exists():
                return _bundle_in(path)
        except OSError as error:
            raise BundleError(f"{path}: cannot be read: {error.strerror}.") from None
    raise UnknownNameError("model or run folder", str(name), [*shipped_names(), *_run_names()])


def shipped_names() -> list[str]:
    """Names of the trained models inside the package."""
    return sorted(path.name for path in ASSETS.iterdir() if is_bundle(path))


def is_unfinished(path: Path) -> bool:
    """Whether the newest model of a folder lies in the checkpoints of a run.

    So it is while a run is not done, also where an earlier and shorter budget left a bundle.
    """
    if not any((path / "checkpoints").glob("[0-9]*")):
        return False
    try:
        record = read_json(path / RUN_FILE)
    except StorageError:
        return False
    if not isinstance(record, dict) or "status" not in record:
        return False
    bundle = path / "bundle"
    return record["status"] != "done" or not (is_bundle(bundle) or _has_parts(bundle))


def _bundle_in(path: Path) -> Path:
    if is_unfinished(path):
        return path
    # Half of a model is the second choice: loading it says what is missing or damaged.
    for is_meant in (is_bundle, _has_parts):
        for folder in (path, path / "bundle"):
            if is_meant(folder):
                return folder
    if (path / RUN_FILE).exists():
        raise BundleError(f"{path}: {UNTRAINED}")
    raise BundleError(f"{path}: neither a run folder nor a bundle.")


def _has_parts(folder: Path) -> bool:
    return (folder / CONFIG_FILE).exists() or (folder / WEIGHTS_FILE).exists()


def _run_names() -> list[str]:
    return sorted(str(path.parent) for path in RUNS.glob(f"*/{RUN_FILE}"))
