"""What starting a run takes, whatever is trained: settings, device, threads, folder."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from orthogan.config import Config
from orthogan.devices import pick_device
from orthogan.errors import ConfigError, OrthoganError, ResumeError
from orthogan.training.cores import usable_cores
from orthogan.training.run_folder import RunFolder, describe_machine
from orthogan.training.run_record import RUN_FILE, TASK, read_record, refuse_other_task

# Far above any gain; a process that starts more than it may is killed by the system.
MOST_THREADS = 1024


# Settings that change nothing about the trained weights.
MAY_CHANGE = frozenset({"checkpoint_every_s", "score_every_s", "signals_every"})


def thread_count(asked: int | None, run: Path, processes: int = 1) -> int:
    """The CPU threads asked for, else those of an earlier sitting of the run, else torch's own.

    Those of torch are at most one a core that this process may use. Several processes of a run on
    one machine share its cores, and take as many as they had only where these are enough.

    Raises:
        ConfigError: fewer than one or more than `MOST_THREADS`.
    """
    if asked is not None and not 1 <= asked <= MOST_THREADS:
        raise ConfigError(f"threads lie in 1..{MOST_THREADS}, got {asked}.")
    most = max(usable_cores() // processes, 1)
    default, recorded = min(torch.get_num_threads(), most), recorded_threads(run)
    if recorded is not None and processes > 1:
        recorded = min(recorded, most)
    return asked or recorded or default


def set_threads(asked: int | None, run: Path, processes: int = 1) -> list[str]:
    """Sets the CPU threads of this process, and says what speaks against their number.

    Args:
        asked: How many; None: as before, else one per core that this process can have.
        run: The run folder.
        processes: How many processes of the run share this machine.

    Raises:
        ConfigError: fewer than one or more than `MOST_THREADS`.
    """
    recorded, cores = recorded_threads(run), max(usable_cores() // processes, 1)
    threads = thread_count(asked, run, processes)
    torch.set_num_threads(threads)
    said = []
    if asked and recorded and asked != recorded:
        said.append(
            f"{run} had {recorded} threads and goes on with {asked}: the last bits of its numbers "
            "will be others than without this change."
        )
    if threads > cores:
        whose = "as --threads asks" if asked else f"as {run} had before"
        remedy = "free more cores, which keeps every bit, or " if recorded == threads else ""
        said.append(
            f"{threads} threads, {whose}, are more than the {cores} usable here (cores by affinity "
            "and quota): they wait for each other, and a step can take tens or hundreds of times "
            f"as long; {remedy}use --threads {cores}, at the price of other last bits."
        )
    return said


def recorded_threads(path: Path) -> int | None:
    """The thread count of an earlier sitting of the run at `path`, if there was one."""
    try:
        threads = read_record(path)["provenance"].get("threads")
    except ResumeError:  # opening the run says so
        return None
    return threads if type(threads) is int and 1 <= threads <= MOST_THREADS else None


@dataclass(frozen=True)
class EarlierRun:
    """A run that goes on: its folder, and what `run.json` says there."""

    path: Path
    record: dict[str, Any]


def chosen_device(asked: str, earlier: EarlierRun | None) -> torch.device:
    """The device asked for; with `auto`, the one of an earlier sitting where it is here.

    Args:
        asked: `auto`, `cpu`, `cuda` or `mps`.
        earlier: The run that goes on; None where one begins.

    Raises:
        ConfigError: this machine has none such.
        UnknownNameError: no such kind of device.
    """
    if asked == "auto" and earlier is not None:
        with suppress(OrthoganError):
            return pick_device(str(earlier.record["provenance"].get("device")))
    return pick_device(asked)


def earlier_run(path: Path, task: str) -> EarlierRun | None:
    """The run that goes on in a folder; None where one begins.

    Raises:
        ResumeError: it is damaged, or trains something else than `task`.
    """
    if not (path / RUN_FILE).is_file():
        return None
    record = read_record(path)
    refuse_other_task(path, record[TASK], task)
    return EarlierRun(path, record)


def default_run(source: str, model: str, seed: int) -> Path:
    """`runs/<data>-<model>-<seed>`.

    >>> default_run("data/cats.zip", "classifier", 0).as_posix()
    'runs/cats-classifier-0'
    """
    name = Path(source).stem or "images"
    return Path("runs") / f"{name.replace(':', '-')}-{model}-{seed}"


def open_run(
    path: Path,
    task: str,
    settled: Config,
    device: torch.device,
    data_fingerprint: str,
    recipe: str | None = None,
) -> RunFolder:
    """The folder of the run, created or re-opened, with what makes it written down.

    Raises:
        ResumeError: the folder holds another run, or something else.
        StorageError: it cannot be created or written.
    """
    name = Path(sys.argv[0]).name
    provenance = describe_machine(
        device=str(device),
        data_fingerprint=data_fingerprint,
        command=[name, *sys.argv[1:]] if name == "orthogan" else [],
    )
    return RunFolder.open(
        path,
        settled.to_dict(),
        provenance,
        task=task,
        recipe=recipe,
        may_change=MAY_CHANGE,
        complete=settled.complete,
    )
