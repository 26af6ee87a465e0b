"""Several processes that train as one: who they are, what they share, and how they end together.

The first process (rank 0) leads: it decides, measures and writes. The others follow: they take the
same steps on their own rows of the same batch. See docs/processes.md.
"""

from orthogan.parallel.environment import Place, place
from orthogan.parallel.joining import current, joined
from orthogan.parallel.ranks import ALONE, Ranks

__all__ = ["ALONE", "Place", "Ranks", "current", "joined", "place"]
