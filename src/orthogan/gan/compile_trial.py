"""Does a compiled step pay in this run? A short trial of a twin tells, before training starts."""

from __future__ import annotations

import statistics
import subprocess
import time
import warnings

from orthogan.errors import ConfigError
from orthogan.gan.compilation import find_compiler, obstacle
from orthogan.gan.trainer import Trainer

# Compiling takes two minutes and has gained a fifth in float32 on AVX2 (docs/log.md), elsewhere it
# was not measured: there half an hour gives back more than twice what it takes.
MIN_PLANNED_S = 1800.0
# Rounds in which an eager and a compiled step take turns; and the least gain that beats chance.
ROUNDS = 12
MIN_GAIN = 1.03
# A machine without a compiler, a full disk, an operator the compiler does not know.
TROUBLES = (RuntimeError, OSError, ImportError, subprocess.SubprocessError)


def resolve_compilation(trainer: Trainer, spent_s: float = 0.0) -> str:
    """Lets a trainer compile its steps if its configuration says so, or says auto and it pays.

    With `compile=auto` nothing is tried with less than half an hour to train, nor in runs of a
    number of images, which repeat bit for bit: a trial decides by the clock.

    Args:
        trainer: Fresh; its own state is not touched by the trial.
        spent_s: What an earlier sitting has used of the budget.

    Returns:
        What was decided and why, a sentence; empty where nothing was to be decided.

    Raises:
        ConfigError: `compile=on`, and a setting stands against it.
    """
    config, hindrance = trainer.config, obstacle(trainer.config)
    if config.compile == "on" and hindrance:
        raise ConfigError(f"compile=on is impossible here: {hindrance}; set compile=off.")
    planned_s = (config.budget.seconds or 0.0) - spent_s
    if config.compile == "off" or (
        config.compile == "auto" and (hindrance or planned_s < MIN_PLANNED_S)
    ):
        return ""
    if trainer.device.type == "cpu" and find_compiler() is None:
        return "No C++ compiler was found, so the steps run uncompiled."
    try:
        seconds, gain = trial(trainer)
    except TROUBLES as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return f"The steps could not be compiled and run uncompiled: {reason}"
    found = f"Compiled the steps in {seconds:.0f} s: they take 1/{gain:.2f} of the time"
    if config.compile == "auto" and gain < MIN_GAIN:
        return f"{found}, which does not pay; they run uncompiled."
    trainer.compile()
    return f"{found}."


def trial(trainer: Trainer) -> tuple[float, float]:
    """Seconds to compile the step, and how many times quicker it is then, both on a twin."""
    eager, quick = (
        Trainer(trainer.config, trainer.images, trainer.device, trainer.clusters) for _ in "ab"
    )
    seconds = seconds_to_compile(quick)
    return seconds, statistics.median(_ratio(eager, quick) for _ in range(ROUNDS))


def seconds_to_compile(trainer: Trainer) -> float:
    """Has a trainer compile its steps, and take the first of them; returns how long that took."""
    trainer.compile()
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's thoughts on itself
        trainer.step(0.0)
    return time.perf_counter() - start


def _ratio(eager: Trainer, quick: Trainer) -> float:
    spans = []
    for trainer in (eager, quick):
        start = time.perf_counter()
        trainer.step(0.0).numbers()  # waits for the device
        spans.append(time.perf_counter() - start)
    return spans[0] / spans[1]
