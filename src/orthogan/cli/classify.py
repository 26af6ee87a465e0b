"""`orthogan classify`: learns classes from labelled images, scores itself, and names others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli.classify_output import show_predictions, show_score
from orthogan.cli.options import (
    AsJson,
    ColourPlanes,
    ConfigFile,
    Device,
    DryRun,
    Fit,
    Images,
    Labels,
    LongDuration,
    Run,
    Seed,
    Settings,
    Size,
    Threads,
    as_settings,
    check_device,
    parse_budget,
)
from orthogan.cli.output import say, show_json
from orthogan.cli.training import say_why, show_run, show_settings
from orthogan.errors import ConfigError, DataError


def classify(
    *,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Labelled images: mnist, stacked-mnist, a folder with one sub-folder a class, "
            ".zip, .npz, an IDX file, or hf:NAME. [default: mnist]",
        ),
    ] = None,
    duration: LongDuration = None,
    images: Images = None,
    run: Run = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    size: Size = None,
    colour: ColourPlanes = None,
    fit: Fit = None,
    labels: Labels = None,
    settings: Settings = None,
    config: ConfigFile = None,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Images to score on. [default: the test set of DATA, else a held-out tenth]",
        ),
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="A trained run or bundle: use it, train nothing."),
    ] = None,
    predict: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Name the class of these pictures.")
    ] = None,
    look: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG",
            help="Draw the attention of the class token, over these pictures or over test images.",
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Train a classifier of images, score it, and name the class of others."""
    check_device(device)
    if look is not None and look.suffix.lower() != ".png":
        raise ConfigError(f"--look is a .png, got '{look}'.")
    if predict is not None and not predict.exists():  # now, not after ten minutes of training
        raise DataError(f"{predict}: there is no such folder or picture.")
    training: dict[str, Any] = {"DATA": data, "--for": duration, "--images": images, "--run": run}
    training |= {"--seed": seed, "--size": size, "--set": settings or None, "--config": config}
    training |= {"--labels": labels, "--colour": colour, "--fit": fit}
    place = {"device": device, "threads": threads}
    if classifier is not None:
        _refuse(training | {"--dry-run": dry_run or None})
        if test is None and predict is None and look is None:
            raise ConfigError("--classifier needs --test, --predict or --look: what to do with it.")
        if look is not None and test is None and predict is None:
            raise ConfigError("--look needs images: give --test or --predict.")
        return _use(classifier, test, predict, look, place, as_json)
    requested: dict[str, Any] = {
        **parse_budget(duration, images=images),
        "seed": seed,
        "settings": [
            *(settings or []),
            *as_settings({"data.labels": labels, "data.colour": colour, "data.fit": fit}),
        ],
        "config": config,
        "size": size,
        "test": test,
    }
    if dry_run:
        from orthogan.classification import api as classifiers
        from orthogan.data.inspection import inspections

        with inspections() as found:
            resolved = classifiers.resolve_classification(data, run=run, **requested)
        return show_settings(resolved, as_json, found)
    return _train(data, {"run": run} | place | requested, predict, look, as_json)


def _train(
    data: str | None,
    requested: dict[str, Any],
    predict: Path | None,
    look: Path | None,
    as_json: bool,
) -> int:
    from orthogan.classification import api as classifiers

    result = classifiers.classify(data, **requested)
    tree = result.to_dict()
    if not as_json:
        show_run(result)
        if result.score:
            show_score(result.score)
    if result.status == "done" and (predict or look):
        trained = result.load()
        tree |= _ask(trained, requested["test"] or trained.data["source"], predict, look, as_json)
    if as_json:
        show_json(tree)
    return say_why(result)


def _use(
    classifier: str,
    test: str | None,
    predict: Path | None,
    look: Path | None,
    place: dict[str, Any],
    as_json: bool,
) -> int:
    from orthogan.classification.model import load_classifier

    trained = load_classifier(classifier, **place)
    if trained.note:
        say(trained.note)
    tree: dict[str, Any] = {"path": str(trained.path)}
    if test is not None:
        tree["score"] = trained.score(test).to_dict()
        if not as_json:
            show_score(tree["score"])
    tree |= _ask(trained, test, predict, look, as_json)
    if as_json:
        show_json(tree)
    return 0


def _ask(
    trained: Any, test: str | None, predict: Path | None, look: Path | None, as_json: bool
) -> dict[str, Any]:
    """Predicts the pictures of a folder and draws the attention over them, or over test images."""
    from orthogan.cli.classify_files import write_look

    tree: dict[str, Any] = {}
    found = None if predict is None else trained.predict_files(predict)
    if found is not None:
        tree = {"predictions": found.rows(), "skipped": [list(pair) for pair in found.skipped]}
        for note in found.notes:
            say(note)
        if not as_json:
            show_predictions(tree["predictions"])
    if look is not None:
        write_look(look, trained, found, test)
        tree["look"] = str(look)
        say(f"Drew what the classifier attends to: {look}")
    return tree


def _refuse(training: dict[str, Any]) -> None:
    given = [name for name, value in training.items() if value is not None]
    if given:
        raise ConfigError(f"--classifier trains nothing, so {given[0]} has no effect; drop it.")
