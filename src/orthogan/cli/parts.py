"""`orthogan parts`: everything that can be chosen by name, and which package it comes from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orthogan.cli.options import AsJson
from orthogan.cli.output import show_json, show_table
from orthogan.errors import UnknownNameError

if TYPE_CHECKING:
    from orthogan.registry import Names

# Where the registry of each kind is; imported when it is listed.
KINDS = {
    "attention-score": "orthogan.attention.scores:SCORES",
    "augmentation": "orthogan.gan.augmentations:AUGMENTATIONS",
    "classifier": "orthogan.networks:CLASSIFIERS",
    "corpus": "orthogan.language.corpus:CORPORA",
    "data-format": "orthogan.data.catalogue:FORMATS",
    "data-set": "orthogan.data.catalogue:DATA_SETS",
    "discriminator": "orthogan.networks:DISCRIMINATORS",
    "exporter": "orthogan.export:EXPORTERS",
    "extractor": "orthogan.evaluation.extractors:EXTRACTORS",
    "generator": "orthogan.networks:GENERATORS",
    "hub": "orthogan.data.catalogue:HUBS",
    "keys": "orthogan.attention.keys:KEYS",
    "loss": "orthogan.gan.losses:LOSSES",
    "metric": "orthogan.evaluation.metrics:METRICS",
    "penalty": "orthogan.gan.penalties:PENALTIES",
    "position-encoding": "orthogan.attention.positions:POSITIONS",
    "recipe": "orthogan.gan.recipes:RECIPES",
    "task": "orthogan.training.task:TASKS",
}


def parts(
    *,
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the losses, networks, metrics and other parts that can be chosen by name."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind of part", kind, KINDS)
    found = {each: _described(KINDS[each]) for each in KINDS if kind in (None, each)}
    if as_json:
        show_json(found)
        return
    rows = [
        [each, name, part["from"], part["about"]]
        for each, names in found.items()
        for name, part in names.items()
    ]
    show_table(["kind", "name", "from", "what it is"], rows)


def _described(place: str) -> dict[str, dict[str, str]]:
    module, _, name = place.partition(":")
    registry: Names[Any] = getattr(importlib.import_module(module), name)
    return {
        part: {"from": registry.origin(part), "about": registry.describe(part)} for part in registry
    }
