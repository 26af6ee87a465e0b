"""Pages that ordinary commands make of runs: report, explorer, attention, geometry.

Each is made once by a process of its own, into a folder that ends with the studio, and again only
when the run has changed. One is made at a time, on one thread: training goes first.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orthogan.errors import DataError, OrthoganError, StorageError
from orthogan.report.run_facts import RunFacts
from orthogan.studio.shelf import key_of
from orthogan.terminal import pasteable, printable_lines

LONGEST_S = 600.0
MOST_KEPT = 24  # pages of up to a few megabytes each


@dataclass(frozen=True)
class View:
    """A page of a run.

    Attributes:
        title: What it is.
        command: Words after `orthogan`, before the run.
        options: Words after the run.
        wait: How long it takes, in words.
    """

    title: str
    command: tuple[str, ...]
    options: tuple[str, ...] = ()
    wait: str = "a few seconds"


VIEWS = {
    "explore": View("Explore latents and attention", ("export",), ("--to=html",)),
    "attention": View("What the heads attend to", ("look",)),
    "geometry": View("Geometry of the tokens", ("geometry",)),
    "report": View("Report", ("report",), wait="up to half a minute"),
}
# Of which task's runs the commands know something.
TASKS = {"explore": {"gan"}, "attention": {"gan", "classify"}, "geometry": {"gan"}}


class Views:
    """The pages that were made so far."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # made with the first page
        self._made: dict[str, tuple[object, Path]] = {}
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def page(self, name: str, runs: Sequence[RunFacts]) -> Path:
        """The file of a view of one run, or of several beside each other.

        Args:
            name: One of `VIEWS`.
            runs: What it is about.

        Raises:
            DataError: the command refuses; its own sentence.
            StorageError: it cannot be started, or takes too long.
        """
        key = key_of("/".join([name, *(run.path.name for run in runs)]))
        async with self._turn:
            state = tuple(map(_state, runs))
            known = self._made.pop(key, None)
            if known is None or known[0] != state:
                known = state, await self._write(key, name, runs)
            self._made[key] = known
            while len(self._made) > MOST_KEPT:
                oldest = next(iter(self._made))
                self._made.pop(oldest)[1].unlink(missing_ok=True)
        return known[1]

    def close(self) -> None:
        """Ends what is being made and removes everything."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _write(self, key: str, name: str, runs: Sequence[RunFacts]) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="orthogan-studio-")
        view, target = VIEWS[name], Path(self._folder.name) / f"{key}.html"
        paths = [_argument(run.path) for run in runs]
        words = [*view.command, *paths, *view.options, f"--out={target}"]
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "orthogan", *words, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        except OSError as error:
            raise StorageError(f"No process can be started: {error.strerror or error}.") from None
        try:
            _, said = await asyncio.wait_for(self._process.communicate(), LONGEST_S)
        except TimeoutError:
            self._process.kill()
            command = pasteable(["orthogan", *words[:-1]])
            raise StorageError(f"{command} took more than {LONGEST_S:.0f} s.") from None
        if self._process.returncode or not target.is_file():
            raise _refusal(said, self._process.returncode)
        return target


def views_of(run: RunFacts) -> dict[str, View]:
    """The views that a run can have."""
    return {name: view for name, view in VIEWS.items() if run.task in TASKS.get(name, {run.task})}


def _state(run: RunFacts) -> object:
    """Changes with what a page says of a run."""
    return run.status, run.num_seen, run.checkpoints, run.record["updated"]


def _argument(path: Path) -> str:
    """A path that no command takes for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def _refusal(said: bytes, code: int | None) -> OrthoganError:
    lines = printable_lines(said.decode("utf-8", "replace")).split("\n")
    sentences = [line.strip() for line in lines if line.strip()]
    last = sentences[-1] if sentences else f"It ended with exit code {code}."
    return DataError(last.removeprefix("orthogan: "))
