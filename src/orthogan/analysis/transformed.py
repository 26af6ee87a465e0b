"""A token table before and after transforms: flips, isotropy, and what words still mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import Tensor

from orthogan.embeddings import Tables, Tests, word_meanings
from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.flip_count import Progress
from orthogan.geometry.identity.meanings import Meaning
from orthogan.geometry.spectra.spectrum import effective_rank, isoscore, mean_cosine
from orthogan.geometry.spectra.transforms import table_transform

AS_IT_IS = "as it is"


@dataclass(frozen=True)
class TransformedTable:
    """What is measured of a table under one transform.

    Attributes:
        name: The transform, or `as it is`.
        width: Of the tokens.
        flips: Pairs that change identity; None without codes.
        kept: Share that keeps it.
        effective_rank: Of the tokens about their mean.
        isoscore: None for one dimension, or where no two tokens differ.
        mean_cosine: Of two tokens.
        meanings: By test of words, what the words solve where they stand.
    """

    name: str
    width: int
    flips: int | None
    kept: float | None
    effective_rank: float
    isoscore: float | None
    mean_cosine: float
    meanings: dict[str, Meaning] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        return asdict(self)


def transform_tables(
    tables: Tables,
    codes_of: Callable[[Tables], tuple[Tensor | None, bool]],
    transforms: Sequence[str],
    tests: Tests,
    *,
    reader: str,
    say: Callable[[str], None],
    progress: Progress | None,
) -> tuple[TransformedTable, ...]:
    """The table as it is and under each transform; nothing if none was asked for.

    Codes of the source live in the space of its tokens, and take the linear part of a transform;
    sinusoids that stand in are laid onto the table that a transform made.

    Args:
        tables: What was read.
        codes_of: The codes of a table, and whether they are the source's own.
        transforms: As `table_transform` takes them.
        tests: Questions about words.
        reader: Decision rule.
        say: Hears what is being counted.
        progress: As of `count_flips`.

    Raises:
        As `table_transform` and `count_flips`.
    """
    if not transforms:
        return ()
    # All maps first: an impossible one is refused before anything is counted.
    maps = [table_transform(tables.tokens, spec) for spec in transforms]
    changed = {AS_IT_IS: tables}
    for one in maps:
        positions = tables.positions
        changed[one.spec] = replace(
            tables,
            tokens=one.apply_to_tokens(tables.tokens),
            positions=None if positions is None else one.apply_to_codes(positions),
        )
    found = []
    for name, each in changed.items():
        say(f"counting with the table {name}" if name == AS_IT_IS else f"counting after {name}")
        codes, _ = codes_of(each)
        count = None
        if codes is not None:
            count = count_flips(each.tokens, codes, reader, progress=progress)
        meanings, _ = word_meanings(each, tests, {name: None})
        varies = each.tokens.shape[1] > 1 and bool((each.tokens != each.tokens[:1]).any())
        found.append(
            TransformedTable(
                name=name,
                width=each.tokens.shape[1],
                flips=None if count is None else count.flips,
                kept=None if count is None else count.kept,
                effective_rank=effective_rank(each.tokens, centred=True),
                isoscore=isoscore(each.tokens) if varies else None,
                mean_cosine=mean_cosine(each.tokens),
                meanings={test: answers[name] for test, answers in meanings.items()},
            )
        )
    return tuple(found)
