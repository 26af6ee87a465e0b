"""Model families: how each makes the sum of token and position that its first layer reads.

The table holds what cannot be seen in a checkpoint: factors of the tokens, rows that are no
positions, codes that are computed, and tables that are stored and not used.
`benchmarks/families.py` holds it to the libraries themselves.
"""

from orthogan.embeddings.families.family import (
    ALIBI,
    ORDERED,
    PADDING_TOKEN,
    RELATIVE,
    ROTARY,
    Family,
    Formula,
)
from orthogan.embeddings.families.formulas import computed_rows
from orthogan.embeddings.families.known import family_of, is_known, known_families

__all__ = [
    "ALIBI",
    "ORDERED",
    "PADDING_TOKEN",
    "RELATIVE",
    "ROTARY",
    "Family",
    "Formula",
    "computed_rows",
    "family_of",
    "is_known",
    "known_families",
]
