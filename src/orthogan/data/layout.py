"""What the folders of a tree of pictures mean: parts of a split, or classes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from orthogan.data.catalogue import SPLIT_NAMES, LoadOptions
from orthogan.data.entries import Entry, shown
from orthogan.data.facts import Note

Tails = list[tuple[str, ...]]

_SET = re.compile(r"[-_ ]?(set|data|images)$")  # as in `training_set`

_SIZE = re.compile(r"[0-9]+x[0-9]+(@[0-9]+x?)?")


@dataclass(frozen=True)
class Part:
    """The pictures of the part of a tree that was asked for.

    Attributes:
        entries: The pictures, in order of their names.
        others: Those of the other part; none without a split.
        depth: How many folders lead to the part and say nothing of its pictures.
        notes: How the tree is split, in plain words.
    """

    entries: list[Entry]
    others: list[Entry]
    depth: int = 0
    notes: tuple[str, ...] = ()

    def folder_classes(self, names: Sequence[str]) -> list[str] | None:
        """The class of each of these pictures of the part: the folder in which they lie.

        Folders that all pictures share are no classes, unless they are in the other part; neither
        are folders if some pictures lie outside of them, or those that say a size, as of icons.
        """
        others = _below_shared(_parts([entry.name for entry in self.others], self.depth))
        known = {tail[0] for tail in others} if _all_in_folders(others) else set()
        tails = _below_shared(_parts(names, self.depth), known)
        while _all_in_folders(tails) and all(_SIZE.fullmatch(tail[0]) for tail in tails):
            tails = [tail[1:] for tail in tails]  # of icons: 16x16/animals, 32x32/animals
        return [tail[0] for tail in tails] if _all_in_folders(tails) else None


def part_of(entries: Sequence[Entry], where: str, options: LoadOptions) -> Part:
    """The requested part of a tree that has a folder such as `train` beside one such as `val`.

    Raises:
        SingleSplitError: the held-out part is asked of a tree without such folders.
    """
    entries = sorted(entries, key=lambda entry: entry.name)
    if all("/" not in entry.name for entry in entries):
        options.only_split(where)
        return Part(entries, [])
    whole = _parts([entry.name for entry in entries])
    tails = _below_shared(whole)
    tops = {tail[0] for tail in tails if len(tail) > 1}
    train, held = _named_like(tops, "train"), _named_like(tops, "test")
    if not train or not held:
        options.only_split(where)
        return Part(entries, [])

    def within(folders: Collection[str]) -> list[Entry]:
        both = zip(entries, tails, strict=True)
        return [entry for entry, tail in both if len(tail) > 1 and tail[0] in folders]

    to_train, to_hold = within(train), within(held)
    rest = sorted({tail[0] for tail in tails} - train - held)
    note = Note(
        f"Split by its folders: {_listed(train)} ({len(to_train):,} files) to train on, "
        f"{_listed(held)} ({len(to_hold):,} files) held out"
        f"{f'; not used: {_listed(rest)}' if rest else ''}.",
        "split",
    )
    depth = len(whole[0]) - len(tails[0]) + 1
    parts = (to_train, to_hold) if options.split == "train" else (to_hold, to_train)
    return Part(*parts, depth, (note,))


def _named_like(folders: Collection[str], split: str) -> set[str]:
    """The folders whose names, in any case, are the first known one of a part."""
    plain = {folder: _SET.sub("", folder.lower()) for folder in folders}
    first = next((name for name in SPLIT_NAMES[split] if name in plain.values()), None)
    return {folder for folder, name in plain.items() if name == first}


def _parts(names: Sequence[str], depth: int = 0) -> Tails:
    return [PurePosixPath(name).parts[depth:] for name in names]


def _all_in_folders(tails: Tails) -> bool:
    return bool(tails) and all(len(tail) > 1 for tail in tails)


def _below_shared(tails: Tails, kept: Collection[str] = ()) -> Tails:
    """The parts of paths below the folders that all share, down to one of `kept`."""
    while _all_in_folders(tails) and len({t[0] for t in tails}) == 1 and tails[0][0] not in kept:
        tails = [tail[1:] for tail in tails]
    return tails


def _listed(folders: Collection[str]) -> str:
    names = sorted(folders)
    more = [f"{len(names) - 5} more"] if len(names) > 5 else []
    return ", ".join([shown(name) for name in names[:5]] + more)
