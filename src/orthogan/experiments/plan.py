"""What will be run: variants x seeds, each trial an ordinary run with an ordinary command."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orthogan.config import read_config_file
from orthogan.errors import ConfigError, DataError, SettingError
from orthogan.experiments.matching import count_parameters, current_width, matched, networks_of
from orthogan.experiments.spec import ExperimentSpec, check_spec
from orthogan.experiments.task import COMPARED, ComparedTask, RunConfig
from orthogan.experiments.variants import MODEL, Values, checked_vary, combinations, label_of
from orthogan.terminal import pasteable
from orthogan.training.launch import MAY_CHANGE

MAX_NAME = 80  # a folder's name stays readable, and file systems allow 255 bytes
# What a command says of a run, in this order; the settings follow.
OPTIONS = (
    *("model", "minutes", "images", "tokens", "size"),
    *("device", "threads", "config", "seed", "run"),
)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of the result.

    Attributes:
        label: What it is called.
        model: Its recipe, where there are recipes.
        settings: All changes to the recipe, as `--set` takes them.
        config: The resolved configuration, for the first seed.
        notes: What was moved to make it comparable.
    """

    label: str
    model: str
    settings: tuple[str, ...]
    config: RunConfig
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of the plan."""

    variant: Variant
    seed: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every run of a comparison, and where it goes.

    Attributes:
        spec: What is compared.
        task: The kind of runs.
        variants: The first is what the others are compared with.
        out: Folder of the runs.
        left_out: A sentence for each variant that has no meaning.
    """

    spec: ExperimentSpec
    task: ComparedTask
    variants: tuple[Variant, ...]
    out: Path
    left_out: tuple[str, ...] = ()

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Seed by seed, all variants of one before the next, every other seed backwards.

        So a machine that slows down in the course of the plan slows all variants alike.
        """
        rows = []
        for turn, seed in enumerate(self.spec.seeds):
            order = self.variants if turn % 2 == 0 else self.variants[::-1]
            rows += [
                Trial(variant=variant, seed=seed, path=self.out / run_name(variant.label, seed))
                for variant in order
            ]
        return tuple(rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or done to make the variants comparable, and what stays different."""
        moved = [note for variant in self.variants for note in variant.notes]
        return (*self.left_out, *moved, *self._unmatched())

    def request(self, trial: Trial) -> dict[str, Any]:
        """The arguments of `task.train` for a trial."""
        spec, variant = self.spec, trial.variant
        place = {"run": trial.path, "device": spec.device, "threads": spec.threads}
        return _decisive(spec, self.task, variant.model, variant.settings, trial.seed) | place

    def commands(self) -> list[str]:
        """One `orthogan ...` command per trial, ready for a shell, in the order of the plan."""
        return [pasteable(self._words(trial)) for trial in self.trials]

    def _words(self, trial: Trial) -> list[str | Path]:
        options = self.request(trial)
        source = options["source"]
        if source is not None and str(source).startswith("-"):
            source = Path(source)  # written so that it is not taken for an option
        words: list[str | Path] = ["orthogan", self.task.command, *filter(None, [source])]
        for name in OPTIONS:
            words += _option(name, options.get(name))
        for setting in options["settings"]:
            words += ["--set", setting]
        return words

    def _unmatched(self) -> list[str]:
        matched_networks = {key.partition(".")[0] for key in self.spec.match}
        notes = []
        for network in networks_of(self.variants[0].config) if self.spec.match else ():
            counts = {count_parameters(variant.config, network) for variant in self.variants}
            if network not in matched_networks and len(counts) > 1:
                notes.append(
                    f"The {network}s still differ, from {min(counts):,} to {max(counts):,} "
                    f"parameters; add --match {network}.width or the like to match them too."
                )
        return notes


def make_plan(spec: ExperimentSpec, out: Path, precision: str) -> Plan:
    """The plan of a comparison; every variant is built once, nothing is trained.

    A variant whose settings are all right each by itself, and have no meaning together or with
    these data, is left out, as long as two remain.

    Args:
        spec: What is compared.
        out: Folder of the runs.
        precision: What `auto` means in every trial, wherever it runs.

    Raises:
        ConfigError: a varied setting is unknown or does not fit; the label says which.
        DataError: the data cannot be loaded.
    """
    task = COMPARED[spec.task]()
    check_spec(spec, task)
    variants: list[Variant] = []
    refused: dict[str, ConfigError | DataError] = {}
    for values in combinations(checked_vary(spec.vary)):
        label = label_of(values)
        try:
            variant = _variant(spec, task, values, precision)
            variants.append(_matched(variant, variants, spec.match))
        except (SettingError, LookupError) as error:
            raise ConfigError(f"{label}: {error}") from None
        except (ConfigError, DataError) as error:
            refused[label] = error
    if len(variants) < 2 and refused:
        label, first = next(iter(refused.items()))
        raise first if isinstance(first, DataError) else ConfigError(f"{label}: {first}")
    _refuse_twins(variants)
    left_out = tuple(f"{label} is left out: {error}" for label, error in refused.items())
    return Plan(spec=spec, task=task, variants=tuple(variants), out=out, left_out=left_out)


def run_name(label: str, seed: int) -> str:
    """The folder of a trial.

    >>> run_name("generator.score=cosine, batch_size=32", 3)
    'generator.score=cosine,batch_size=32-seed3'
    """
    name, num_replaced = re.subn(r"[^A-Za-z0-9._=,+-]", "-", label.replace(", ", ","))
    if num_replaced or len(name) > MAX_NAME:  # another label may come to the same name
        digest = hashlib.blake2b(label.encode(), digest_size=4).hexdigest()
        name = f"{name[:MAX_NAME]}-{digest}"
    return f"{name}-seed{seed}"


def identity(config: RunConfig) -> dict[str, Any]:
    """The settings that make a variant what it is: all but the seed and mere bookkeeping."""
    return {
        name: value
        for name, value in config.settings().items()
        if name != "seed" and name not in MAY_CHANGE
    }


def identity_key(config: RunConfig) -> str:
    """One text for all configurations of one identity."""
    return repr(sorted(identity(config).items()))


def _decisive(
    spec: ExperimentSpec, task: ComparedTask, model: str, settings: Sequence[str], seed: int
) -> dict[str, Any]:
    """The arguments that decide what is trained."""
    given = {name: getattr(spec, name) for name in task.takes}
    given |= {"model": model} if "model" in given else {}
    return given | {"source": spec.source, "settings": list(settings), "seed": seed}


def _option(name: str, value: Any) -> list[str]:
    if value is None or (name, value) == ("device", "auto"):
        return []
    if name == "minutes":
        return ["--for", f"{60 * value:.10g}s"]
    return [f"--{name}", str(value)]


def _variant(spec: ExperimentSpec, task: ComparedTask, values: Values, precision: str) -> Variant:
    model = values.get(MODEL, spec.model)
    varied = [f"{key}={value}" for key, value in values.items() if key != MODEL]
    settings = (*spec.settings, *varied)
    base = task.base(model)
    if spec.config is not None:
        base = base.merge(read_config_file(spec.config))
    if base.evolve(*settings).precision == "auto":
        # Resolved once, so that trials run elsewhere have it too.
        settings = (*settings, f"precision={precision}")
    seed = spec.seeds[0]
    config = task.resolve(**_decisive(spec, task, model, settings, seed))
    if config.seed != seed:
        raise ConfigError("the seed is fixed by --set seed=...; seeds are given by --seeds.")
    return Variant(label=label_of(values), model=model, settings=settings, config=config)


def _matched(variant: Variant, before: Sequence[Variant], match: Sequence[str]) -> Variant:
    """The variant with its widths moved to the counts of the first."""
    for key in match:
        old = current_width(variant.config, key)
        network = key.partition(".")[0]
        first = before[0].config if before else variant.config
        target = count_parameters(first, network)
        width = matched(variant.config, key, target)
        if width == old:
            continue
        config = variant.config.evolve(f"{key}={width}")
        count = count_parameters(config, network)
        note = (
            f"{variant.label}: {key} {old} -> {width}, so that the {network} has {count:,} "
            f"parameters ({count / target - 1:+.1%} of the first variant's)."
        )
        variant = replace(
            variant,
            settings=(*variant.settings, f"{key}={width}"),
            config=config,
            notes=(*variant.notes, note),
        )
    return variant


def _refuse_twins(variants: Sequence[Variant]) -> None:
    seen: dict[str, str] = {}
    for variant in variants:
        first = seen.setdefault(identity_key(variant.config), variant.label)
        if first != variant.label:
            raise ConfigError(
                f"'{first}' and '{variant.label}' come to the same settings, so there is "
                "nothing to compare."
            )
