"""From what a person types to the folder of a trained model."""

from __future__ import annotations

from pathlib import Path

from orthogan.errors import BundleError, UnknownNameError
from orthogan.models.bundle.folder import CONFIG_FILE, WEIGHTS_FILE, is_bundle

ASSETS = Path(__file__).parents[2] / "assets"
RUNS = Path("runs")


def resolve(name: str | Path) -> Path:
    """The bundle folder meant by a shipped name, a run folder, a bundle folder, or a run's name.

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


def _bundle_in(path: Path) -> Path:
    # Half of a model is the second choice: loading it says what is missing or damaged.
    for is_meant in (is_bundle, _has_parts):
        for folder in (path, path / "bundle"):
            if is_meant(folder):
                return folder
    if (path / "run.json").exists():
        raise BundleError(
            f"{path}: this run has no trained model yet; repeat its command to go on training."
        )
    raise BundleError(f"{path}: neither a run folder nor a bundle.")


def _has_parts(folder: Path) -> bool:
    return (folder / CONFIG_FILE).exists() or (folder / WEIGHTS_FILE).exists()


def _run_names() -> list[str]:
    return sorted(str(path.parent) for path in RUNS.glob("*/run.json"))
