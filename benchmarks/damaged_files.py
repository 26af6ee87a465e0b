"""Flipped bits and missing ends in the files of a checkpoint, and what a run makes of them."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from orthogan.models.bundle.tensors import digest, pack
from orthogan.training.checkpoint import Checkpoint, load_checkpoint

FILES = ("tensors.safetensors", "state.json")
TWO_SHARE = 0.2  # of the times, the two newest are damaged


def damages(run: Path, source: random.Random, count: int) -> dict[str, Any]:
    """How often damage was found and the newest whole checkpoint taken instead.

    Args:
        run: With three checkpoints or more; it is left as it is.
        source: Of the places.
        count: How many times.
    """
    copy = run.with_name("damaged")
    shutil.copytree(run, copy)
    folders = sorted((copy / "checkpoints").glob("[0-9]*"), reverse=True)
    whole = {int(folder.name): _content(load_checkpoint(run, until=int(folder.name)))
             for folder in folders}  # fmt: skip
    names, kinds, bad = sorted(whole, reverse=True), Counter[str](), []
    for number in range(count):
        num_bad = 2 if source.random() < TWO_SHARE else 1
        before = {}
        deeds = []
        for folder in folders[:num_bad]:
            file = folder / source.choice(FILES)
            before[file] = file.read_bytes()
            damaged, deed = _damaged(before[file], source)
            file.write_bytes(damaged)
            deeds.append(f"{file.name}: {deed}")
        found = load_checkpoint(copy)
        kinds.update(deed.partition(" at")[0] for deed in deeds)
        wanted = names[num_bad]
        is_fine = (
            found is not None
            and found.images_seen == wanted
            and found.problem
            and _content(found) == whole[wanted]
        )
        if not is_fine:
            bad.append(
                {"number": number, "deeds": deeds, "taken": getattr(found, "images_seen", None)}
            )
        for file, content in before.items():
            file.write_bytes(content)
    shutil.rmtree(copy)
    summary = {
        "tried": count,
        "fine": count - len(bad),
        "as_promised": not bad,
        "kinds": dict(sorted(kinds.items())),
    }
    return {"summary": summary, "rows": bad}


def _damaged(content: bytes, source: random.Random) -> tuple[bytes, str]:
    place = source.randrange(len(content))
    if source.random() < 0.5:
        return content[:place], f"cut at {place}"
    bit = source.randrange(8)
    flipped = bytearray(content)
    flipped[place] ^= 1 << bit
    return bytes(flipped), f"flip at {place}, bit {bit}"


def _content(checkpoint: Checkpoint | None) -> tuple[str, Any]:
    assert checkpoint is not None
    return digest(pack(checkpoint.tensors)), checkpoint.state
