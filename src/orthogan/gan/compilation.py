"""Compiled steps: whether this machine and this run can have them, and the compiler itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

from orthogan.gan.config import TrainingConfig

P = ParamSpec("P")
T = TypeVar("T")

# Shapes and networks in one process, as a comparison has them; PyTorch refuses more.
MAX_FORMS = 256
CXX_NAMES = ("c++", "g++", "clang++", "cl")


def compiled(work: Callable[P, T], device: str, backend: str = "inductor") -> Callable[P, T]:
    """The function, to be compiled when first called.

    As a whole or not at all, and for each shape anew: what is left to Python inside a step takes
    back what compiling gains, and the shapes of a training are few. On a processor the calls
    between the kernels are C++ as well. All trainers of a process share what is compiled.

    Args:
        work: What is to be compiled.
        device: Type of the device where it will run.
        backend: Of `torch.compile`.
    """
    from torch._dynamo import config  # late: it takes a second, and few runs compile

    config.recompile_limit = max(config.recompile_limit, MAX_FORMS)
    is_cpp = (device, backend) == ("cpu", "inductor")
    quick: Callable[P, T] = torch.compile(
        work,
        fullgraph=True,
        dynamic=False,
        backend=backend,
        options={"cpp_wrapper": True} if is_cpp else None,
    )
    return quick


def find_compiler() -> str | None:
    """The C++ compiler that compiled steps are built with on a processor; None: there is none."""
    asked = os.environ.get("CXX")
    names = (asked, *CXX_NAMES) if asked else CXX_NAMES
    return next(filter(None, map(shutil.which, names)), None)


def obstacle(config: TrainingConfig) -> str:
    """Which setting keeps a compiler from seeing through the step; empty if none does."""
    if config.penalty.kind == "finite-difference":
        return "penalty.kind=finite-difference draws directions inside the step"
    if config.decorrelation:
        return f"decorrelation={config.decorrelation} watches tokens by hooks"
    return ""
