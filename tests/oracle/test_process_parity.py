"""Two processes train what one process trains on the same batches, in every setting."""

from __future__ import annotations

import json
import os

import pytest
import torch
from process_parity import DEFAULT, DIFFERENCES, covering_cases, difference, in_processes
from torch import distributed as dist

STEPS = 2
# In float64: what remains is the order of sums.
TOLERANCE = 1e-12
CASE = (DEFAULT, (DIFFERENCES, "penalty.share=0.3"))

pytestmark = pytest.mark.skipif(
    os.name != "posix" or not dist.is_available(), reason="needs forks and torch.distributed"
)


def _unweighted(ranks):
    """As if each process had the same number of penalised pairs."""
    penalised = ranks.penalised
    ranks.penalised = lambda *arguments: (penalised(*arguments)[0], 1.0)


def _own_draws(ranks):
    """As if each process drew for its own rows alone."""
    ranks.draws = lambda source, *_: source


def _first_rows(ranks):
    """As if processes took blocks of rows, and the penalised ones were those of the first."""
    ranks.own = lambda rows: rows.chunk(ranks.count)[ranks.rank]


def _no_average(ranks):
    """As if gradients stayed where they are."""
    ranks.average = lambda _weights, numbers: [each.detach() for each in numbers]


BROKEN = (_unweighted, _own_draws, _first_rows, _no_average)


def _measure(ranks_of, path):
    named = covering_cases().items()
    found = {name: difference(each, ranks_of(), STEPS, torch.float64) for name, each in named}
    for fault in BROKEN:
        ranks = ranks_of()
        fault(ranks)
        found[fault.__name__] = difference(CASE, ranks, STEPS, torch.float64)
    if ranks.is_first:
        path.write_text(json.dumps(found))


@pytest.fixture(scope="module")
def differences(tmp_path_factory):
    path = tmp_path_factory.mktemp("parity") / "found.json"
    in_processes(2, _measure, [path])  # all in one start: it takes longer than most of the cases
    return json.loads(path.read_text())


@pytest.mark.parametrize("case", covering_cases())
def test_two_processes_train_as_one(differences, case):
    assert differences[case] < TOLERANCE


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.__name__)
def test_a_fault_would_show(differences, fault):
    assert differences[fault.__name__] > 1e6 * TOLERANCE
