"""Whether several processes can share the batches of a run, before it begins."""

from __future__ import annotations

import math

from orthogan.errors import ConfigError
from orthogan.gan.config import TrainingConfig
from orthogan.parallel.agreement import refuse_uneven
from orthogan.parallel.rows import num_penalised


def refuse_unshared(config: TrainingConfig, count: int) -> None:
    """Nothing, if each batch, and what is penalised of it, can be shared by so many processes.

    Raises:
        ConfigError: a batch is not divided evenly, fewer pairs are penalised than there are
            processes, or position codes would be decorrelated from other tokens than those of one
            process.
    """
    if count == 1:
        return
    refuse_uneven(config.batch_size, count)  # later ones are this one doubled
    if config.penalty.kind == "none":
        return
    fraction = config.penalty.share
    penalised = num_penalised(config.batch_size, fraction)
    if penalised < count:
        least = math.ceil(count / config.batch_size * 1000) / 1000
        raise ConfigError(
            f"penalty.share={fraction} penalises {penalised} of {config.batch_size} pairs, fewer "
            f"than the {count} processes; use penalty.share={least} or more, or fewer processes."
        )
    # The codes are compared with the tokens of the latest pass: that of the pairs that are not
    # penalised, unless a process has none of them.
    spared = config.batch_size - penalised
    if config.decorrelation and 0 < spared < count:
        raise ConfigError(
            f"decorrelation={config.decorrelation} with penalty.share={fraction} leaves {spared} "
            f"of {config.batch_size} pairs unpenalised, fewer than the {count} processes; use "
            "penalty.share=1, or a smaller one."
        )
