"""What the studio knows and does, apart from answering requests: runs, processes, sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orthogan.data.sources import resolved
from orthogan.errors import ConfigError, StorageError
from orthogan.files import storage_errors
from orthogan.gan.recipes import RECIPES
from orthogan.report.run_facts import RunFacts, number, within
from orthogan.report.settings_sections import departures
from orthogan.report.side_by_side import run_name
from orthogan.studio import schema
from orthogan.studio.processes import Processes
from orthogan.studio.schema import Asked
from orthogan.studio.shelf import Shelf, key_of
from orthogan.studio.sources import Source, offered
from orthogan.studio.standing import Standing, standing
from orthogan.studio.views import Views
from orthogan.training.checkpoint import image_counts
from orthogan.training.stop_request import ask_to_stop
from orthogan.training.task import TASKS

DEFAULT_RECIPE = "attention-gan"
DEFAULT_SOURCE = "mnist"


@dataclass(frozen=True)
class Desk:
    """The runs of one folder and all that can be done with them.

    Attributes:
        root: The folder.
        named: Sources of data that the studio was started with.
    """

    root: Path
    named: tuple[str, ...] = ()
    shelf: Shelf = field(init=False)
    processes: Processes = field(init=False)
    views: Views = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shelf", Shelf(self.root))
        object.__setattr__(self, "processes", Processes(self.root))
        object.__setattr__(self, "views", Views())

    def standing(self, key: str, run: RunFacts) -> Standing:
        """How a run is doing, with what is known of its process."""
        is_starting = self.processes.is_alive(key)
        failure = "" if is_starting else self.processes.failure(key)
        return standing(run, is_starting=is_starting, failure=failure)

    def sources(self) -> Mapping[str, Source]:
        """What can be trained on, by id."""
        return offered(self.named, self.shelf.look().runs.values())

    def starting(self) -> dict[str, str]:
        """Names of the runs whose process has not opened its folder (yet), by id."""
        runs = self.shelf.look().runs
        waiting = [key for key in self.processes.keys() if key not in runs]  # noqa: SIM118 - a list
        found = {key: self.processes.child(key) for key in waiting}
        return {
            key: child.name
            for key, child in found.items()
            if child is not None and (self.processes.is_alive(key) or self.processes.failure(key))
        }

    def start(self, asked: Asked) -> str:
        """Starts a run; its id.

        Raises:
            ConfigError: something that is asked for does not fit, or the run or the checkpoint to
                begin from is not there.
            UnknownNameError: no such recipe.
            StorageError: the folder cannot be written.
        """
        name = schema.checked_name(asked.name)
        path, key = self.root / name, key_of(name)
        words = self._forking(asked, path) if asked.begin else schema.words(asked, str(path))
        if path.exists() or self.processes.is_alive(key):
            raise ConfigError(f"A run is called '{name}' already; choose another name.")
        with storage_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        self.processes.start(key, name, words)
        return key

    def resume(self, key: str, run: RunFacts, amount: str, unit: str) -> None:
        """Has a run go on, with another budget if one is given.

        Raises:
            ConfigError: it is running, or the budget is none or used up.
            StorageError: no process can be started.
        """
        now = self.standing(key, run)
        if now.is_running or now.status == "starting":
            raise ConfigError(f"{run_name(run.path)} is training already.")
        words = [TASKS[run.task].recipes[TASKS[run.task].default_recipe]().COMMAND]
        words.append(f"--run={run.path}")
        if amount.strip():
            words += _budget(run, amount, unit)
        elif run.status == "done":
            raise ConfigError(
                f"{run_name(run.path)} has used up its budget; say how long it trains in all."
            )
        self.processes.start(key, run.path.name, words)

    def stop(self, key: str, run: RunFacts | None) -> None:
        """Asks a run to stop; what it has learned is saved.

        Raises:
            StorageError: its folder cannot be written.
        """
        if run is not None and run.status == "running":
            ask_to_stop(run.path)
        else:
            self.processes.interrupt(key)

    def blank(self, recipe: str | None = None) -> Asked:
        """A form as it is at first.

        Raises:
            UnknownNameError: no such recipe.
        """
        recipe = recipe or DEFAULT_RECIPE
        config = schema.recipe_config(recipe)
        value = resolved(self.named[0]) if self.named else config.data.source
        wanted = f"{Path(value).stem or 'images'}-{recipe}-0"
        return Asked(
            name=schema.free_name(wanted, self._names()), recipe=recipe, source=value,
            amount="5", unit="minutes", settings={},
        )  # fmt: skip

    def _forking(self, asked: Asked, path: Path) -> list[str]:
        """The command of a run that begins from a checkpoint of another."""
        run = self.shelf.run(asked.fork)
        if run is None or asked.begin not in map(str, self.beginnings(asked.fork)):
            raise ConfigError("The checkpoint to begin from is not there any more; choose another.")
        return schema.fork_words(asked, self.fork(run), str(run.path), str(path))

    def beginnings(self, key: str) -> list[int]:
        """The image counts of the checkpoints of a run that another may begin from."""
        run = self.shelf.run(key)
        try:
            return [] if run is None else [count for count in image_counts(run.path) if count]
        except OSError:  # it is being moved
            return []

    def fork(self, run: RunFacts) -> Asked:
        """A form with the settings of a run, for another that begins anew or from a checkpoint.

        Raises:
            ConfigError: the run trains no GAN, or its recipe is not of this version.
        """
        recipe = str(run.record.get("recipe") or DEFAULT_RECIPE)
        if run.task != "gan" or recipe not in RECIPES:
            raise ConfigError(
                f"{run_name(run.path)} cannot be forked here: a form is there for GANs of the "
                "recipes of this version."
            )
        # What follows from the data follows again, also from other data.
        settings = {name: schema.as_text(value) for name, _, value, reason in departures(run)
                    if reason == "asked for"}  # fmt: skip
        amount, unit = _amount(within(run.record["config"], "budget"))
        return Asked(
            name=schema.free_name(f"{run.path.name}-fork", self._names()), recipe=recipe,
            source=str(run.settings.get("data.source", DEFAULT_SOURCE)), amount=amount, unit=unit,
            seed=str(run.seed), fork=key_of(run.path.name), settings=settings,
        )  # fmt: skip

    def _names(self) -> Sequence[str]:
        try:
            return [each.name for each in self.root.iterdir()]
        except OSError as error:
            if self.root.exists():
                raise StorageError(f"{self.root}: {error.strerror or error}.") from None
            return []


def _budget(run: RunFacts, amount: str, unit: str) -> list[str]:
    """A budget for a run that goes on, which must leave something to do."""
    if unit == run.unit == "tokens":
        words = schema.budget(amount, "images")
        words = [f"--tokens={words[0].partition('=')[2]}"]
    else:
        words = schema.budget(amount, unit)
    option, _, text = words[0].partition("=")
    wanted, done = float(text.removesuffix("s")), run.seconds if option == "--for" else run.num_seen
    if wanted <= done:
        raise ConfigError(
            f"{run_name(run.path)} has trained for as long already; a budget is what it trains in "
            "all."
        )
    return words


def _amount(budget: object) -> tuple[str, str]:
    """A budget as a form has it."""
    seconds, images = number(within(budget, "seconds")), number(within(budget, "images"))
    if seconds:
        return f"{seconds / 60:.6f}".rstrip("0").rstrip("."), "minutes"
    return (f"{int(images)}", "images") if images else ("5", "minutes")
