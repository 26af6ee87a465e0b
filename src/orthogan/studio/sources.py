"""The data that a run may be started on: named by the studio, never by a client."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orthogan.data.catalogue import DATA_SETS
from orthogan.data.in_memory import is_kept
from orthogan.data.sources import resolved
from orthogan.report.run_facts import RunFacts, within
from orthogan.report.wording import short_name

ID_DIGITS = 16


@dataclass(frozen=True)
class Source:
    """Data: as `orthogan train` takes them, and as a list of choices shows them."""

    value: str
    label: str


def source_key(value: str) -> str:
    """The id under which a source is offered."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]


def offered(named: Sequence[str], runs: Iterable[RunFacts]) -> Mapping[str, Source]:
    """What can be trained on, by its id: what was named, what runs were trained on, shipped sets.

    Args:
        named: Sources given when the studio was started.
        runs: Those of the folder; images that were only in the memory of a program are left out.
    """
    of_runs = [within(run.settings, "data.source") for run in runs if run.task == "gan"]
    values = [resolved(each) for each in named]
    values += [each for each in of_runs if isinstance(each, str) and each and not is_kept(each)]
    return {
        source_key(value): Source(value, short_name(value))
        for value in dict.fromkeys([*values, *DATA_SETS])
    }
