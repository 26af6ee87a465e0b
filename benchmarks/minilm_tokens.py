"""Kinds of BERT's tokens, and what happens to each: for `minilm.py`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor

from orthogan.embeddings import Tables
from orthogan.geometry.identity.flip_count import FlipCount

NUM_HUBS = 12
LATIN_END = "\u0250"  # behind it Unicode leaves the Latin letters and their accents


def kind_of(label: str) -> str:
    r"""The kind of token that a label of BERT's vocabulary spells.

    >>> [kind_of(label) for label in ("[CLS]", "[unused7]", "##ing", "1984", "!", "bank")]
    ['special', 'unused', 'piece', 'digits', 'sign', 'word']
    >>> kind_of("\u4e2d"), kind_of("\u00df"), kind_of("##\u4e2d")
    ('letter, other script', 'letter', 'piece, other script')
    """
    if label.startswith("[") and label.endswith("]") and len(label) > 2:
        return "unused" if label.startswith("[unused") else "special"
    text = label.removeprefix("##")
    if not any(letter.isalnum() for letter in text):
        return "sign"
    if text == label and text.isascii() and text.isdigit():
        return "digits"
    whole = "letter" if len(text) == 1 else "word"
    kind = whole if text == label else "piece"
    return kind if all(letter < LATIN_END for letter in text) else f"{kind}, other script"


def by_kind(
    tables: Tables, radii: Tensor, counts: dict[str, FlipCount]
) -> dict[str, dict[str, Any]]:
    """For each kind: how many, how far from their neighbours, and shares of flips."""
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(tables.labels or ()):
        rows.setdefault(kind_of(label), []).append(row)
    found = {}
    for kind, members in sorted(rows.items(), key=lambda item: -len(item[1])):
        index = torch.tensor(members)
        nearest = index[radii[index].argmin()]
        found[kind] = {
            "tokens": len(members),
            "median_safe_radius": float(radii[index].median()),
            "least_safe": [tables.labels[nearest], float(radii[nearest])],
            "median_length": float(tables.tokens[index].norm(dim=1).median()),
        } | {
            f"flips_a_token_{name}": float(counted.flips_per_token[index].double().mean())
            for name, counted in counts.items()
        }
    return found


def hubs(found: FlipCount, tables: Tables) -> dict[str, Any]:
    """Into what the worst flips lead, and between which kinds."""
    worst = found.worst(min(found.keep, found.flips))
    into = Counter(flip.becomes for flip in worst)
    kinds = Counter(
        (kind_of(tables.labels[flip.token]), kind_of(tables.labels[flip.becomes])) for flip in worst
    )
    return {
        "flips": len(worst),
        "into": [[tables.labels[j], count] for j, count in into.most_common(NUM_HUBS)],
        "kinds": [[*pair, count] for pair, count in kinds.most_common(NUM_HUBS)],
    }
