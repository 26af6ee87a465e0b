"""What `orthogan doctor` checks."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from orthogan.errors import OrthoganError, listed
from orthogan.files import write_atomic
from orthogan.gan.compilation import find_compiler
from orthogan.models.bundle import load_bundle, resolve, shipped_names
from orthogan.plugins import Plugin, failure, installed
from orthogan.training.cores import usable_cores
from orthogan.version import __version__

MATMUL_SIZE = 1024  # large enough to reach the rate that training can hope for
MATMUL_SECONDS = 0.3
LEAST_DISK_GB = 1.0  # a run with its checkpoints, samples and bundle takes about 0.1 GB


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding; `status` is ok, warning or failed, `advice` says what to do about it."""

    name: str
    found: str
    status: str = "ok"
    advice: str = ""


def examine() -> list[Check]:
    """Every check of this machine, in the order shown."""
    return [
        check_versions(),
        check_device(),
        check_threads(torch.get_num_threads(), usable_cores()),
        check_load(os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, usable_cores()),
        *(check_speed(kind) for kind in (torch.float32, torch.bfloat16)),
        check_compiler(),
        *check_plugins(),
        check_asset("embedded MNIST", _load_mnist),
        check_asset("digits extractor", partial(_load_extractor, "digits-cls")),
        check_asset("general extractor", partial(_load_extractor, "general")),
        *(check_asset(name, partial(_load_shipped, name)) for name in shipped_names()),
        check_writable(Path()),
        check_disk(Path()),
    ]


def is_ready(checks: Iterable[Check]) -> bool:
    """Whether training can work here; warnings do not prevent it."""
    return all(check.status != "failed" for check in checks)


def check_versions() -> Check:
    """Versions of what a result depends on."""
    packages = ("torch", "numpy", "pillow", "safetensors")
    own = [f"orthogan {__version__}", f"python {platform.python_version()}"]
    others = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    return Check(name="versions", found=", ".join(own + others))


def check_device() -> Check:
    """The accelerator that `--device auto` would use."""
    if torch.cuda.is_available():
        return Check(name="device", found=f"cuda ({torch.cuda.get_device_name()})")
    return Check(name="device", found="mps" if torch.backends.mps.is_available() else "cpu")


def check_threads(threads: int, cores: int) -> Check:
    """Whether torch uses no more threads than there are cores."""
    found = f"{threads} threads on {cores} cores"
    if threads <= cores:
        return Check(name="threads", found=found)
    return Check(
        name="threads",
        found=found,
        status="warning",
        advice=f"more threads than cores slow training down; use --threads {cores}.",
    )


def check_load(load: float, cores: int) -> Check:
    """Whether other processes occupy the cores."""
    found = f"{load:.1f} busy processes on {cores} cores"
    if load < cores / 2:
        return Check(name="load", found=found)
    return Check(
        name="load",
        found=found,
        status="warning",
        advice="other programs use the cores; two training processes on the same cores can run "
        "ten times slower each, so stop them or wait.",
    )


def check_speed(dtype: torch.dtype) -> Check:
    """Rate of matrix products on the CPU, in 1e9 operations a second."""
    square = torch.ones(MATMUL_SIZE, MATMUL_SIZE, dtype=dtype)
    _ = square @ square  # the first call sets up threads and memory
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < MATMUL_SECONDS:
        _ = square @ square
        count += 1
    rate = count * 2 * MATMUL_SIZE**3 / (time.perf_counter() - start) / 1e9
    return Check(name=f"matmul {str(dtype).removeprefix('torch.')}", found=f"{rate:.0f} GFLOP/s")


def check_compiler() -> Check:
    """Whether torch.compile can build code for the CPU."""
    return Check(name="compiler", found=find_compiler() or "none; training runs uncompiled")


def check_plugins() -> list[Check]:
    """Whether the parts of other packages can be imported, a check for each package."""
    packages: dict[str, list[Plugin]] = {}
    for plugin in installed():
        packages.setdefault(plugin.distribution, []).append(plugin)
    return [_check_package(name, parts) for name, parts in packages.items()]


def _check_package(name: str, parts: list[Plugin]) -> Check:
    named = [f"{part.name} ({part.group})" for part in parts]
    broken = [f"{part.name} ({why})" for part in parts if (why := failure(part))]
    if not broken:
        return Check(name="plug-in", found=f"{name}: {listed(named, 'and')}")
    return Check(
        name="plug-in",
        found=f"{name}: {listed(broken, 'and')}",
        status="warning",
        advice=f"these parts of {name} are left out, since they fail to import; "
        f"mend them, or: pip uninstall {parts[0].package}.",
    )


def check_asset(name: str, load: Callable[[], object]) -> Check:
    """Whether a file that ships with the package passes its checksum."""
    try:
        load()
    except (OrthoganError, OSError) as error:
        return Check(
            name=name,
            found=str(error),
            status="failed",
            advice="the installation is damaged: pip install --force-reinstall orthogan.",
        )
    return Check(name=name, found="checksum matches")


def check_writable(folder: Path) -> Check:
    """Whether runs can be written below `folder`."""
    probe = folder / f".orthogan-doctor-{os.getpid()}"
    try:
        write_atomic(probe, b"x")
        probe.unlink()
    except OSError as error:
        return Check(
            name="folder",
            found=str(error),
            status="failed",
            advice="go to a folder you may write, or use --run.",
        )
    return Check(name="folder", found=f"{folder.resolve()} is writable")


def check_disk(folder: Path) -> Check:
    """Whether there is room for runs."""
    free = shutil.disk_usage(folder).free / 1e9
    if free >= LEAST_DISK_GB:
        return Check(name="disk", found=f"{free:.1f} GB free")
    return Check(
        name="disk",
        found=f"{free:.2f} GB free",
        status="warning",
        advice=f"a few runs need {LEAST_DISK_GB:.0f} GB; free some space.",
    )


def _load_shipped(name: str) -> object:
    return load_bundle(resolve(name))


def _load_mnist() -> object:
    from orthogan.data.catalogue import LoadOptions
    from orthogan.data.sets.mnist import load_mnist

    return [load_mnist(LoadOptions(split=split)) for split in ("train", "test")]


def _load_extractor(name: str) -> object:
    from orthogan.evaluation.extractors import load_extractor

    return load_extractor(name)
