"""What sinusoids do to word vectors: identities, the prescription, meanings on both sides.

    python benchmarks/words.py

Analyzes the word vectors trained on the shipped corpus and, where `orthogan[lab]` is installed, the
20,000 most frequent words of GloVe, as `orthogan geometry words` and `orthogan geometry glove-50d
--limit 20000` do. Every count is exact. What is not installed is said and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from provenance import provenance

from orthogan.analysis.api import analyze
from orthogan.errors import MissingExtraError

RESULTS = Path(__file__).parent / "results"
SOURCES = {"words": None, "glove-50d": 20_000}
KEPT = (
    *("tokens", "width", "positions", "flips", "kept", "certified", "controls", "counts"),
    *("worst", "repairs", "readable", "allowances", "prescription", "meanings", "notes"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--limit", type=int, help="only so many words of each")
    parser.add_argument("--positions", type=int, help="so many positions instead of 512")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS / "words.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    record = {
        "provenance": provenance(),
        "sources": {name: measure(name, asked) for name in asked.sources},
    }
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    for name, found in record["sources"].items():
        print(name, found.get("missing") or f"{found['seconds']} s, kept {found['kept']:.4f}")


def measure(source: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The analysis of one source and its seconds, or what is missing for it."""
    begin = time.perf_counter()
    limit = asked.limit or SOURCES[source]
    try:
        found = analyze(source, limit=limit, num_positions=asked.positions, say=say)
    except MissingExtraError as error:
        say(f"{source} is left out. {error}")
        return {"missing": str(error)}
    seconds = round(time.perf_counter() - begin, 1)
    tree = found.to_dict()
    return {"seconds": seconds} | {name: tree[name] for name in KEPT}


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
