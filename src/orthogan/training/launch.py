"""What starting a run takes, whatever is trained: settings, device, threads, folder."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from orthogan.config import Config
from orthogan.errors import ConfigError, ResumeError
from orthogan.training.cores import usable_cores
from orthogan.training.run_folder import RunFolder, describe_machine
from orthogan.training.run_record import read_record

# Far above any gain; a process that starts more than it may is killed by the system.
MOST_THREADS = 1024


# Settings that change nothing about the trained weights.
MAY_CHANGE = frozenset({"checkpoint_every_s", "score_every_s", "signals_every"})


def thread_count(asked: int | None, run: Path) -> int:
    """The CPU threads asked for, else those of an earlier sitting of the run, else torch's own.

    Those of torch are at most one a core that this process may use.

    Raises:
        ConfigError: fewer than one or more than `MOST_THREADS`.
    """
    if asked is not None and not 1 <= asked <= MOST_THREADS:
        raise ConfigError(f"threads lie in 1..{MOST_THREADS}, got {asked}.")
    default = min(torch.get_num_threads(), usable_cores())
    return asked or recorded_threads(run) or default


def set_threads(asked: int | None, run: Path) -> list[str]:
    """Sets the CPU threads of this process, and says what speaks against their number.

    Raises:
        ConfigError: fewer than one or more than `MOST_THREADS`.
    """
    threads, recorded, cores = thread_count(asked, run), recorded_threads(run), usable_cores()
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


def default_run(source: str, model: str, seed: int) -> Path:
    """`runs/<data>-<model>-<seed>`.

    >>> default_run("data/cats.zip", "classifier", 0).as_posix()
    'runs/cats-classifier-0'
    """
    name = Path(source).stem or "images"
    return Path("runs") / f"{name.replace(':', '-')}-{model}-{seed}"


def open_run(
    path: Path, task: str, settled: Config, device: torch.device, data_fingerprint: str
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
        may_change=MAY_CHANGE,
        complete=settled.complete,
    )
