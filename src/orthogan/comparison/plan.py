"""What will be run: variants x seeds, each cell an ordinary run with an ordinary command."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.comparison.matching import count_player, matched
from orthogan.comparison.variants import MODEL, Values, checked_vary, combinations, label_of
from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.request import MAY_CHANGE, fitted, pick_device, requested, wanted_images
from orthogan.training.config import TrainingConfig

MAX_NAME = 80  # a folder's name stays readable, and file systems allow 255 bytes


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: the settings that vary, and everything that does not.

    Attributes:
        vary: Values of each varied setting, as text.
        seeds: Seeds of every variant.
        source: The images; None as in `orthogan.train`.
        model: Recipe.
        minutes: Time budget of a run.
        images: Budget in images of a run.
        match: Widths to move until the parameters of their player are equal.
        settings: Changes that all variants share.
        config: File of settings.
        size: Side of the images in pixels.
        device: Where to train.
        threads: CPU threads.
    """

    vary: dict[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    source: str | None = None
    model: str = "attention-gan"
    minutes: float | None = None
    images: int | None = None
    match: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    config: Path | None = None
    size: int | None = None
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of the answer.

    Attributes:
        label: What it is called.
        model: Its recipe.
        settings: All changes to the recipe, as `--set` takes them.
        config: What they come to, for the first seed.
        notes: What was moved to make it comparable.
    """

    label: str
    model: str
    settings: tuple[str, ...]
    config: TrainingConfig
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of the plan."""

    variant: Variant
    seed: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every run that answers a question, and where it goes."""

    question: Question
    variants: tuple[Variant, ...]
    out: Path
    images: ImageSet

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Seed by seed, all variants of one before the next, every other seed backwards.

        So a machine that slows down in the course of the plan slows all variants alike.
        """
        rows = []
        for turn, seed in enumerate(self.question.seeds):
            order = self.variants if turn % 2 == 0 else self.variants[::-1]
            rows += [
                Cell(variant=variant, seed=seed, path=self.out / run_name(variant.label, seed))
                for variant in order
            ]
        return tuple(rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to make the variants comparable, and what stays different."""
        moved = [note for variant in self.variants for note in variant.notes]
        return (*moved, *self._unmatched())

    def request(self, cell: Cell) -> dict[str, Any]:
        """The arguments of `orthogan.train` for a cell."""
        question, variant = self.question, cell.variant
        return {
            "source": question.source,
            "model": variant.model,
            "minutes": question.minutes,
            "images": question.images,
            "run": cell.path,
            "seed": cell.seed,
            "device": question.device,
            "threads": question.threads,
            "settings": list(variant.settings),
            "config": question.config,
            "size": question.size,
        }

    def commands(self) -> list[str]:
        """One `orthogan train` command a cell, ready for a shell, in the order of the plan."""
        return [shlex.join(self._words(cell)) for cell in self.cells]

    def _words(self, cell: Cell) -> list[str]:
        asked = self.request(cell)
        options: dict[str, Any] = {
            "--model": asked["model"],
            "--for": None if asked["minutes"] is None else f"{60 * asked['minutes']:.10g}s",
            "--images": asked["images"],
            "--size": asked["size"],
            "--device": None if asked["device"] == "auto" else asked["device"],
            "--threads": asked["threads"],
            "--config": asked["config"],
            "--seed": asked["seed"],
            "--run": asked["run"],
        }
        words = ["orthogan", "train", *filter(None, [asked["source"]])]
        for name, value in options.items():
            words += [] if value is None else [name, str(value)]
        for setting in asked["settings"]:
            words += ["--set", setting]
        return words

    def _unmatched(self) -> list[str]:
        matched_players = {key.partition(".")[0] for key in self.question.match}
        notes = []
        for player in ("generator", "discriminator") if self.question.match else ():
            counts = {count_player(variant.config, player) for variant in self.variants}
            if player not in matched_players and len(counts) > 1:
                notes.append(
                    f"The {player}s still differ, from {min(counts):,} to {max(counts):,} "
                    f"parameters; add --match {player}.width or the like to match them too."
                )
        return notes


def make_plan(question: Question, out: Path, precision: str) -> Plan:
    """The plan that answers a question; every variant is built once, nothing is trained.

    Args:
        question: What is asked.
        out: Folder of the runs.
        precision: What `auto` means in every cell, wherever it runs.

    Raises:
        ConfigError: a varied setting is unknown or does not fit; the label says which.
        DataError: the images cannot be loaded.
    """
    _check_seeds(question)
    rows = combinations(checked_vary(question.vary))
    clash = [key for key in question.match if key in question.vary]
    if clash:
        raise ConfigError(f"'{clash[0]}' is varied, so it cannot be matched; match another width.")
    images: ImageSet | None = None
    variants: list[Variant] = []
    for values in rows:
        label = label_of(values)
        try:
            asked, model, settings = _asked(question, values, precision)
            images = wanted_images(asked) if images is None else images
            config = fitted(asked, images, pick_device(question.device))
            variant = Variant(label=label, model=model, settings=settings, config=config)
            variants.append(_matched(variant, variants, question.match))
        except (ConfigError, LookupError) as error:
            raise ConfigError(f"{label}: {error}") from None
    _refuse_twins(variants)
    assert images is not None  # noqa: S101 - there are at least two rows
    return Plan(question=question, variants=tuple(variants), out=out, images=images)


def run_name(label: str, seed: int) -> str:
    """The folder of a cell.

    >>> run_name("generator.score=cosine, batch_size=32", 3)
    'generator.score=cosine,batch_size=32-seed3'
    """
    name, num_replaced = re.subn(r"[^A-Za-z0-9._=,+-]", "-", label.replace(", ", ","))
    if num_replaced or len(name) > MAX_NAME:  # another label may come to the same name
        digest = hashlib.blake2b(label.encode(), digest_size=4).hexdigest()
        name = f"{name[:MAX_NAME]}-{digest}"
    return f"{name}-seed{seed}"


def identity(config: TrainingConfig) -> dict[str, Any]:
    """The settings that make a variant what it is: all but the seed and mere bookkeeping."""
    return {
        name: value
        for name, value in config.settings().items()
        if name != "seed" and name not in MAY_CHANGE
    }


def _asked(
    question: Question, values: Values, precision: str
) -> tuple[TrainingConfig, str, tuple[str, ...]]:
    model = values.get(MODEL, question.model)
    varied = [f"{key}={value}" for key, value in values.items() if key != MODEL]
    settings = (*question.settings, *varied)

    def ask(settings: Sequence[str]) -> TrainingConfig:
        return requested(
            question.source,
            model,
            question.minutes,
            question.images,
            question.seeds[0],
            settings,
            question.config,
            question.size,
        )

    asked = ask(settings)
    if asked.seed != question.seeds[0]:
        raise ConfigError("the seed is fixed by --set seed=...; seeds are given by --seeds.")
    if asked.precision == "auto":  # settled once, so that cells run elsewhere have it too
        settings = (*settings, f"precision={precision}")
        asked = ask(settings)
    return asked, model, settings


def _matched(variant: Variant, before: Sequence[Variant], match: Sequence[str]) -> Variant:
    """The variant with its widths moved to the counts of the first."""
    for key in match:
        player = key.partition(".")[0]
        first = before[0].config if before else variant.config
        width = matched(variant.config, key, count_player(first, player))
        old = variant.config.settings()[key]
        if width == old:
            continue
        config = variant.config.evolve(f"{key}={width}")
        count, target = count_player(config, player), count_player(first, player)
        note = (
            f"{variant.label}: {key} {old} -> {width}, so that the {player} has {count:,} "
            f"parameters ({count / target - 1:+.1%} of the first variant's)."
        )
        variant = Variant(
            label=variant.label,
            model=variant.model,
            settings=(*variant.settings, f"{key}={width}"),
            config=config,
            notes=(*variant.notes, note),
        )
    return variant


def _refuse_twins(variants: Sequence[Variant]) -> None:
    seen: dict[str, str] = {}
    for variant in variants:
        key = repr(sorted(identity(variant.config).items()))
        if key in seen:
            raise ConfigError(
                f"'{seen[key]}' and '{variant.label}' come to the same settings, so there is "
                "nothing to compare."
            )
        seen[key] = variant.label


def _check_seeds(question: Question) -> None:
    if not question.seeds:
        raise ConfigError("At least one seed is needed.")
    repeated = [seed for seed in question.seeds if question.seeds.count(seed) > 1]
    if repeated:
        raise ConfigError(f"Seed {repeated[0]} is given twice; a repeated run adds nothing.")
