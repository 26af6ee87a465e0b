"""`report`: the page of one run or several, written to a file."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orthogan.errors import ConfigError
from orthogan.models.bundle.names import RUNS
from orthogan.report.evidence import Evidence, gathered
from orthogan.report.run_facts import RunFacts, read_run
from orthogan.report.run_page import run_page
from orthogan.report.target import check_target, write_page
from orthogan.terminal import pasteable
from orthogan.training.run import Run

REPORT_FILE = "report.html"
MOST_RUNS = 26
MOST_SEARCHED = 4  # runs of whose images the neighbours are found; more would take minutes
NOTEBOOK_PX = 820


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: The file.
        verdicts: What each run was told of its images, by its folder; empty where nothing was.
        page: The whole text of the file.
    """

    path: Path
    verdicts: dict[str, str]
    page: str = field(repr=False)

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        inside = html.escape(self.page)
        return (
            f'<iframe srcdoc="{inside}" sandbox="allow-scripts" title="orthogan report" '
            f'style="width:100%;height:{NOTEBOOK_PX}px;border:0"></iframe>'
        )


def report(
    *runs: str | Path | Run, out: str | Path | None = None, command: str | None = None
) -> Report:
    """Writes one HTML page about a run, or about several side by side, that needs nothing else.

    A run in any state has one. What cannot be had, such as training images that are gone, is said
    on the page in its place.

    Args:
        runs: Run folders, or what training returned; of a single one the page goes into its folder.
        out: An `.html` file, replaced if it exists; folders above it are made. By default
            `report.html`, in the folder of the run or, of several, here.
        command: What writes the page again, for its last line; None names the command line.

    Raises:
        ConfigError: no run, more than 26, or the place is a folder or no HTML file.
        DataError: one is no run folder, or its record is damaged.
        StorageError: a file cannot be read, or the place cannot be written.
    """
    if not runs or len(runs) > MOST_RUNS:
        raise ConfigError(f"A report is about 1 to {MOST_RUNS} runs, got {len(runs)}.")
    paths = [run.path if isinstance(run, Run) else _folder(run) for run in runs]
    target = Path(out) if out is not None else _usual(paths)
    check_target(target)
    facts = [read_run(path) for path in paths]
    searched = len(facts) <= MOST_SEARCHED
    evidence = [gathered(each) if searched else Evidence() for each in facts]
    return _written(facts, evidence, target, command or _command(paths, out))


def report_of_run(path: Path, data: Any) -> Path:
    """Writes the page of a run that has just ended into its folder.

    Args:
        path: The run folder.
        data: What it was trained on, which need not be read again.

    Raises:
        OrthoganError: it cannot be written.
    """
    facts = read_run(path)
    command = _command([path], None)
    return _written([facts], [gathered(facts, data)], path / REPORT_FILE, command).path


def _written(
    facts: Sequence[RunFacts], evidence: Sequence[Evidence], target: Path, command: str
) -> Report:
    text = run_page(facts, evidence, command)
    write_page(target, text)
    return Report(target, {str(each.path): each.verdict for each in facts}, text)


def _folder(name: str | Path) -> Path:
    """The run folder meant by a path, or by a name in the folder of runs."""
    path = Path(name)
    return path if path.exists() or not (RUNS / path).exists() else RUNS / path


def _usual(paths: Sequence[Path]) -> Path:
    return paths[0] / REPORT_FILE if len(paths) == 1 else Path(REPORT_FILE)


def _command(paths: Sequence[Path], out: str | Path | None) -> str:
    words: list[str | Path] = ["orthogan", "report", *paths]
    return pasteable([*words, "--out", Path(out)] if out is not None else words)
